"""`status` against a server that believes what it is told, over real gRPC."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console

from routeward.cli.status import _human
from routeward.v1.admin_service_pb2 import (
    BudgetStanding,
    CategoryPosterior,
    ExplainDecisionRequest,
    ExplainDecisionResponse,
    GetPosteriorRequest,
    GetPosteriorResponse,
    ListBudgetsRequest,
    ListBudgetsResponse,
    ModelPosterior,
)
from routeward.v1.admin_service_pb2_grpc import AdminServiceServicer, add_AdminServiceServicer_to_server

Cli = Callable[..., Any]

SMALL = ModelPosterior(
    model="small",
    probability=0.25,
    quality=0.8125,
    quality_sd=0.03125,
    cost_usd=0.00042,
    latency=Duration(nanos=500_000_000),
    latency_p95=Duration(seconds=1),
    error_rate=0.02,
    outcome_count=1234.4,
    quality_count=56,
)
LARGE = ModelPosterior(model="large", probability=0.75, quality=0.9, latency=Duration(seconds=2, nanos=500_000_000))
OLD = ModelPosterior(model="old", excluded="disabled")
BELIEFS = GetPosteriorResponse(
    revision=7,
    computed_time=Timestamp(seconds=1_800_000_000),
    categories=[CategoryPosterior(category="summarization", models=[SMALL, LARGE, OLD])],
)
LONG = GetPosteriorResponse(
    categories=[
        CategoryPosterior(
            category="c" * 64, models=[ModelPosterior(model="m" * 64, cost_usd=123_456.0, excluded="region")]
        )
    ]
)


HALF = [
    ModelPosterior(
        model=name,
        quality=0.5,
        quality_sd=0.1,
        latency=Duration(nanos=500_000_000),
        error_rate=0.02,
        outcome_count=outcomes,
        quality_count=judgements,
    )
    for name, outcomes, judgements in (("called", 3.0, 0.0), ("judged", 0.0, 3.0))
]
ANSWERS = {
    "": BELIEFS,
    "long": LONG,
    "half": GetPosteriorResponse(categories=[CategoryPosterior(category="half", models=HALF)]),
    "known": GetPosteriorResponse(categories=[CategoryPosterior(category="known", models=[SMALL])]),
}


class Believer(AdminServiceServicer):
    """Answers what the category asks for; keeps the last request."""

    target: str
    budgets: Sequence[BudgetStanding] | None = None
    asked: GetPosteriorRequest
    metadata: dict[str, str | bytes]

    def GetPosterior(  # noqa: N802 - the contract's name
        self, request: GetPosteriorRequest, context: grpc.ServicerContext
    ) -> GetPosteriorResponse:
        self.asked = request
        self.metadata = dict(context.invocation_metadata())
        if request.category == "forbidden":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no such key")
        return ANSWERS.get(request.category, GetPosteriorResponse())

    def ListBudgets(  # noqa: N802 - the contract's name
        self, _: ListBudgetsRequest, context: grpc.ServicerContext
    ) -> ListBudgetsResponse:
        if self.budgets is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "an older version")
        return ListBudgetsResponse(budgets=self.budgets)

    def ExplainDecision(  # noqa: N802 - the contract's name
        self, request: ExplainDecisionRequest, context: grpc.ServicerContext
    ) -> ExplainDecisionResponse:
        raise NotImplementedError


@pytest.fixture
def believer() -> Iterator[Believer]:
    servicer = Believer()  # type: ignore[abstract] # the rest of the contract is not called
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        add_AdminServiceServicer_to_server(servicer, server)
        servicer.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        yield servicer
        server.stop(None).wait()


def test_beliefs_are_a_table_with_the_largest_share_first(cli: Cli, believer: Believer) -> None:
    lines = [line.split() for line in cli("status", "--target", believer.target).out.splitlines() if line.strip()]
    assert lines[0] == ["summarization"]
    assert lines[1] == ["model", "share", "quality", "cost", "latency", "errors", "calls", "votes"]
    assert lines[3] == ["large", "75%", "(0.900", "±", "0.000)", "($0)", "(2.50", "s)", "(0%)", "0", "0"]
    assert lines[4] == ["small", "25%", "0.812", "±", "0.031", "$0.000420", "500", "ms", "2.0%", "1,234", "56"]
    assert lines[5][:2] == ["old", "(disabled)"]
    assert lines[6] == ["revision", "7,", "2027-01-15", "08:00:00", "UTC"]


def test_forgetting_is_mentioned_only_where_counts_show_it(cli: Cli, believer: Believer) -> None:
    forgetting = "older calls and votes count less: the configuration has a half-life"
    assert forgetting in cli("status", "--target", believer.target).out
    assert "count less" not in cli("status", "--target", believer.target, "--category", "half").out


def test_no_line_ends_with_blanks(cli: Cli, believer: Believer) -> None:
    lines = cli("status", "--target", believer.target).out.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []


def test_what_rests_on_no_observation_stands_in_brackets_and_is_said_to(cli: Cli, believer: Believer) -> None:
    lines = [line for line in cli("status", "--target", believer.target, "--category", "half").out.splitlines() if line]
    assert lines[-1] == "in brackets: expected of a model that nothing was observed of in this category"
    rows = {line.split()[0]: line for line in lines if line.strip()}
    assert "(0.500 ± 0.100)" in rows["called"]
    assert " 500 ms" in rows["called"]
    assert " 0.500 ± 0.100 " in rows["judged"]
    assert "(500 ms)" in rows["judged"]
    assert "(2.0%)" in rows["judged"]


def test_where_everything_was_observed_nothing_is_said_of_brackets(cli: Cli, believer: Believer) -> None:
    assert "brackets" not in cli("status", "--target", believer.target, "--category", "known").out


def test_a_table_with_the_longest_names_fits_a_hundred_columns(cli: Cli, believer: Believer) -> None:
    lines = cli("status", "--target", believer.target, "--category", "long").out.splitlines()
    assert max(map(len, lines)) <= 100
    assert "".join(lines).count("m") >= 64


def on_paper(posterior: GetPosteriorResponse, columns: int) -> list[str]:
    console = Console(file=StringIO(), width=columns, color_system=None, highlight=False)
    console.print(_human(posterior), soft_wrap=True)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("name", ["", "half", "known", "long"])
def test_a_terminal_of_eighty_columns_is_wide_enough(name: str) -> None:
    assert max(map(len, on_paper(ANSWERS[name], 80))) <= 80


def test_where_there_is_no_room_what_matters_least_is_left_out() -> None:
    headings = [on_paper(BELIEFS, columns)[1].split() for columns in (100, 75, 70)]
    everything = ["model", "share", "quality", "cost", "latency", "errors", "calls", "votes"]
    assert headings == [everything, everything[:-1], everything[:-2]]


def test_all_categories_are_shown_with_the_same_columns() -> None:
    wide = CategoryPosterior(category="wide", models=[ModelPosterior(model="w" * 16, cost_usd=4.2e-7, quality_count=1)])
    both = GetPosteriorResponse(categories=[*ANSWERS["known"].categories, wide])
    headings = [line.split() for line in on_paper(both, 80) if line.startswith("model")]
    assert len(headings) == 2
    assert headings[0] == headings[1] == ["model", "share", "quality", "cost", "latency", "errors", "calls"]


def test_beliefs_are_json_in_base_units(cli: Cli, believer: Believer) -> None:
    document = cli("status", "--target", believer.target, "--json").document
    assert (document["revision"], document["computed_time"]) == (7, "2027-01-15T08:00:00Z")
    [category] = document["categories"]
    assert category["category"] == "summarization"
    assert category["models"][0] == {
        "model": "small",
        "share": 0.25,
        "quality": 0.8125,
        "quality_sd": 0.03125,
        "cost_usd": 0.00042,
        "latency_s": 0.5,
        "latency_p95_s": 1.0,
        "error_rate": 0.02,
        "outcome_count": 1234.4,
        "quality_count": 56.0,
        "excluded": None,
    }
    assert category["models"][2]["excluded"] == "disabled"


def test_category_profile_and_key_reach_the_server(cli: Cli, believer: Believer) -> None:
    cli("status", "--target", believer.target, "--category", "code", "--profile", "fast", "--api-key", "app.secret")
    assert believer.asked == GetPosteriorRequest(category="code", profile="fast")
    assert believer.metadata["authorization"] == "Bearer app.secret"


def test_where_nothing_is_known_it_says_what_to_try(cli: Cli, believer: Believer) -> None:
    ended = cli("status", "--target", believer.target, "--category", "other")
    assert (ended.code, "try  routeward route" in ended.out) == (0, True)


def test_a_refusal_is_told(cli: Cli, believer: Believer) -> None:
    ended = cli("status", "--target", believer.target, "--category", "forbidden", "--json")
    assert (ended.code, ended.document["error"]["reason"]) == (1, "API_KEY_INVALID")


BUDGETS = (
    BudgetStanding(
        name="drafts", category="summarization", usd_per_request=0.002, spent_usd=1.5, billed_count=1000, price=3.25
    ),
    BudgetStanding(name="everything", usd_per_period=40, period_end_time=Timestamp(seconds=86_400 * 20_000)),
)


def test_budgets_are_a_table_behind_the_models(cli: Cli, believer: Believer) -> None:
    believer.budgets = BUDGETS
    lines = [line.split() for line in cli("status", "--target", believer.target).out.splitlines() if line.strip()]
    first = next(place for place, line in enumerate(lines) if line[0] == "budget")
    assert lines[first] == ["budget", "amount", "spent", "used", "a", "request", "price"]
    assert lines[first + 2] == ["drafts", "$0.00200", "a", "request", "$1.50", "75%", "$0.00150", "3.25"]
    assert lines[first + 3] == ["everything", "$40.00", "to", "10-04", "00:00", "$0", "0%", "-", "0"]


def test_budgets_are_json(cli: Cli, believer: Believer) -> None:
    believer.budgets = BUDGETS
    assert cli("status", "--target", believer.target, "--json").document["budgets"][0] == {
        "name": "drafts",
        "category": "summarization",
        "profile": None,
        "usd_per_request": 0.002,
        "usd_per_period": None,
        "period_end_time": None,
        "spent_usd": 1.5,
        "billed_count": 1000,
        "target_usd": 0.0,
        "price": 3.25,
        "exhausted": False,
    }


def test_a_server_that_knows_no_budgets_has_none(cli: Cli, believer: Believer) -> None:
    assert cli("status", "--target", believer.target, "--json").document["budgets"] == []
