"""`explain` against a server that answers what it is told, over real gRPC."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console

from routeward.cli.explanation_tables import on_paper
from routeward.decisions import Constraints, DecisionKind, Objective, RouteReason
from routeward.explanations import ExplainedDecision, Explanation, ModelExplanation, ModelTerms
from routeward.v1 import admin_service_pb2 as admin_pb
from routeward.v1 import routing_service_pb2 as pb

Cli = Callable[..., Any]

NOON = datetime(2027, 1, 15, 8, tzinfo=UTC)
LARGE = ModelTerms(
    quality=0.9,
    error_rate=0.02,
    latency_s=2.0,
    answer_usd=0.0441,
    cost_usd=0.004,
    budget_usd=0.0,
    waiting_usd=0.002,
    utility_usd=0.0381,
    utility_sd_usd=0.0015,
    outcome_count=1234.4,
    quality_count=56.0,
    quality_shift=0.02,
    error_shift=0.0,
    latency_shift=0.85,
)
SMALL = replace(LARGE, cost_usd=0.0, utility_usd=-0.0005, outcome_count=0.0, quality_count=0.0, latency_shift=0.01)
MADE = Explanation(
    category="summarization",
    kind=DecisionKind.SAMPLED,
    reason=RouteReason.UNSPECIFIED,
    objective=Objective(answer_value_usd=0.05, second_value_usd=0.001),
    limits=Constraints(),
    input_tokens=None,
    revision=7,
    computed_time=NOON,
    decision=ExplainedDecision(model="large", propensity=0.75, decided_time=NOON),
    models=(
        ModelExplanation(model="large", probability=0.75, terms=LARGE),
        ModelExplanation(model="small", probability=0.25, terms=SMALL),
        ModelExplanation(model="old", probability=0.0, excluded="disabled"),
    ),
)
LONG = replace(
    MADE,
    models=(
        ModelExplanation(
            model="m" * 64,
            probability=0.5,
            intended_probability=0.5,
            terms=replace(LARGE, budget_usd=1e3, cost_usd=1e3, utility_usd=-2e3, utility_sd_usd=2e3),
            excluded="max_latency",
        ),
    ),
)


def printed(explanation: Explanation, columns: int = 100) -> list[str]:
    console = Console(file=StringIO(), width=columns, color_system=None, highlight=False)
    console.print(on_paper(explanation), soft_wrap=True)
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def row(lines: list[str], model: str) -> list[str]:
    [found] = [line.split() for line in lines if line.startswith(f"{model} ")]
    return found


def test_a_decision_is_its_model_and_a_table_of_dollars_per_thousand_calls() -> None:
    lines = printed(MADE)
    assert lines[0] == "large, sampled with probability 0.75"
    assert "Dollars per 1,000 calls" in lines
    assert row(lines, "model") == ["model", "share", "quality", "answer", "cost", "waiting", "worth", "calls", "votes"]
    assert row(lines, "large") == [
        "large",
        "75%",
        "0.900",
        "$44.10",
        "$4.00",
        "$2.00",
        "$38.10",
        "±",
        "1.50",
        "1,234",
        "56",
    ]
    assert row(lines, "small")[-5:] == ["(-$0.500", "±", "1.50)", "0", "0"]
    assert row(lines, "old") == ["old", "(disabled)", "0%"]


def test_what_was_observed_of_nothing_stands_in_brackets_and_is_said_to() -> None:
    lines = printed(MADE)
    assert row(lines, "small")[2:6] == ["(0.900)", "($44.10)", "($0)", "($2.00)"]
    assert "in brackets: expected of a model that nothing was observed of in this category" in lines
    known = replace(MADE, models=MADE.models[:1])
    assert not any("brackets" in line for line in printed(known))


def test_a_category_in_which_nothing_was_observed_is_named_in_case_the_name_is_wrong() -> None:
    unseen = replace(MADE, models=(ModelExplanation(model="small", probability=1.0, terms=SMALL),))
    said = 'no call of the category "summarization" was reported yet'
    assert any(line.startswith(said) for line in printed(unseen))
    assert not any(line.startswith(said) for line in printed(MADE))


def test_a_shift_worth_saying_is_said() -> None:
    said = [line for line in printed(MADE) if "another level" in line]
    assert said == ["large: latency is at another level than usual with probability 0.85"]


def test_a_budget_has_a_column_only_where_money_is_scarce() -> None:
    scarce = replace(LARGE, budget_usd=0.001, utility_usd=0.0371)
    lines = printed(replace(MADE, models=(ModelExplanation(model="large", probability=1.0, terms=scarce),)))
    assert row(lines, "large")[4:6] == ["$4.00", "$1.00"]
    assert "worth = answer - cost - budget - waiting, give or take one standard deviation" in lines
    assert "budget" not in "".join(printed(MADE))


def test_what_a_baseline_displaced_and_who_is_best_have_columns_where_they_are_told() -> None:
    model = replace(MADE.models[0], intended_probability=0.125, best_probability=0.5)
    lines = printed(replace(MADE, models=(model, MADE.models[2])))
    assert row(lines, "model")[1:4] == ["share", "without", "P(best)"]
    assert row(lines, "large")[1:4] == ["75%", "12%", "50%"]
    assert "without: the share it would have without the category's baseline" in lines


def test_the_length_of_the_prompt_is_told_where_the_caller_said_it() -> None:
    assert not any(line.split()[:1] == ["prompt"] for line in printed(MADE))
    told = printed(replace(MADE, input_tokens=50_000))
    assert any(line.split() == ["prompt", "50,000", "tokens"] for line in told)


def test_limits_and_reasons_are_told() -> None:
    limits = Constraints(max_cost_usd=0.01, max_latency_s=5.0, min_quality=0.7)
    text = "\n".join(printed(replace(MADE, limits=limits, reason=RouteReason.LEAST_VIOLATION)))
    assert "cost at most $0.0100, latency at most 5.00 s, quality at least 0.7" in text
    assert "least violation" in text


@pytest.mark.parametrize(
    ("change", "headline"),
    [
        ({"kind": DecisionKind.FORCED}, "large, forced with probability 0.75"),
        ({"decision": None}, "would be sampled: large with probability 0.75"),
        (
            {
                "kind": DecisionKind.FALLBACK,
                "decision": ExplainedDecision(
                    model="large", propensity=0.75, decided_time=NOON, fallback_model="small"
                ),
            },
            "small, a fallback in case of a failure of large, which was chosen with probability 0.75",
        ),
    ],
)
def test_the_first_line_says_what_is_explained(change: dict[str, Any], headline: str) -> None:
    assert printed(replace(MADE, **change))[0] == headline


def test_numbers_that_were_not_logged_yet_are_not_made_up() -> None:
    old = replace(LARGE, utility_sd_usd=None, outcome_count=None, quality_count=None, latency_shift=None)
    lines = printed(replace(MADE, models=(ModelExplanation(model="large", probability=1.0, terms=old),)))
    assert row(lines, "large")[-3:] == ["$38.10", "?", "?"]
    assert "on how many calls and votes it rests was not logged yet" in lines


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("explanation", [MADE, LONG], ids=["usual", "long"])
def test_the_table_fits(explanation: Explanation, columns: int) -> None:
    assert max(map(len, printed(explanation, columns))) <= columns


@dataclass
class Explainer:
    """Answers like a server; keeps the last request."""

    target: str = ""
    asked: list[admin_pb.ExplainDecisionRequest] = field(default_factory=list)

    def explain(
        self, request: admin_pb.ExplainDecisionRequest, _: grpc.ServicerContext
    ) -> admin_pb.ExplainDecisionResponse:
        self.asked.append(request)
        terms = admin_pb.ModelTerms(answer_usd=0.05, cost_usd=0.01, utility_usd=0.04, latency=Duration(seconds=1))
        return admin_pb.ExplainDecisionResponse(
            category="chat",
            kind=pb.DECISION_KIND_FALLBACK,
            objective=pb.Objective(answer_value_usd=0.05, second_value_usd=0.0),
            revision=7,
            computed_time=Timestamp(seconds=1_800_000_000),
            decision=admin_pb.ExplainedDecision(
                model="a", propensity=0.5, decided_time=Timestamp(seconds=1_800_000_000), fallback_model="b"
            ),
            models=[
                admin_pb.ModelExplanation(model="a", probability=0.5, terms=terms),
                admin_pb.ModelExplanation(model="b", excluded="region"),
            ],
        )


@pytest.fixture
def explainer() -> Iterator[Explainer]:
    explainer = Explainer()
    handler = grpc.unary_unary_rpc_method_handler(
        explainer.explain,
        request_deserializer=admin_pb.ExplainDecisionRequest.FromString,
        response_serializer=admin_pb.ExplainDecisionResponse.SerializeToString,
    )
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        service = admin_pb.DESCRIPTOR.services_by_name["AdminService"].full_name
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"ExplainDecision": handler}),))
        explainer.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        yield explainer
        server.stop(None).wait()


def test_an_explanation_is_json_in_base_units_with_null_for_what_is_unknown(cli: Cli, explainer: Explainer) -> None:
    ended = cli("explain", "d-1", "--target", explainer.target, "--json")
    assert (ended.code, explainer.asked) == (0, [admin_pb.ExplainDecisionRequest(decision_id="d-1")])
    document = ended.document
    assert document["decision"] == {
        "model": "a",
        "propensity": 0.5,
        "decided_time": "2027-01-15T08:00:00Z",
        "fallback_model": "b",
    }
    assert (document["kind"], document["reason"], document["input_tokens"]) == ("FALLBACK", None, None)
    assert document["limits"] == {"max_cost_usd": None, "max_latency_s": None, "min_quality": None}
    first, second = document["models"]
    assert (first["terms"]["utility_usd"], first["terms"]["latency_s"], first["excluded"]) == (0.04, 1.0, None)
    assert (first["terms"]["outcome_count"], first["terms"]["utility_sd_usd"]) == (None, None)
    assert second == {
        "model": "b",
        "probability": 0.0,
        "intended_probability": None,
        "best_probability": None,
        "terms": None,
        "excluded": "region",
    }


def test_every_option_of_an_imagined_call_reaches_the_server(cli: Cli, explainer: Explainer) -> None:
    asked = ["--input-tokens", "10", "--max-output-tokens", "20", "--profile", "fast", "--model", "small"]
    asked += [
        "--answer-value-usd",
        "0.1",
        "--second-value-usd",
        "0.2",
        "--previous",
        "d-0",
        "--cached-input-tokens",
        "5",
    ]
    limits = ["--only", "small", "--only", "large", "--capability", "tools", "--region", "eu", "--max-cost-usd", "0.3"]
    limits += ["--max-latency", "1.5", "--min-quality", "0.4", "--least-violation"]
    assert cli("explain", "--category", "chat", *asked, *limits, "--target", explainer.target).code == 0
    assert explainer.asked[-1].call == pb.RouteRequest(
        category="chat",
        input_tokens=10,
        max_output_tokens=20,
        profile="fast",
        model="small",
        objective=pb.Objective(answer_value_usd=0.1, second_value_usd=0.2),
        previous_decision_id="d-0",
        cached_input_tokens=5,
        constraints=pb.Constraints(
            models=["small", "large"],
            capabilities=["tools"],
            region="eu",
            max_cost_usd=0.3,
            max_latency=Duration(seconds=1, nanos=500_000_000),
            min_quality=0.4,
            on_infeasible=pb.ON_INFEASIBLE_LEAST_VIOLATION,
        ),
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give a DECISION_ID, or the --category of an imagined call"),
        (["d-1", "--category", "chat"], "not both"),
        (["d-1", "--input-tokens", "0"], "leave what the call needs out"),
        (["d-1", "--only", "small"], "leave what the call needs out"),
        (["d-1", "--least-violation"], "leave what the call needs out"),
        (["--category", "chat", "--cached-input-tokens", "5"], "--cached-input-tokens needs --previous"),
    ],
)
def test_a_command_that_asks_nothing_or_two_things_is_wrong_use(
    cli: Cli, explainer: Explainer, words: list[str], said: str
) -> None:
    ended = cli("explain", *words, "--target", explainer.target)
    assert (ended.code, said in ended.err, explainer.asked) == (2, True, [])
