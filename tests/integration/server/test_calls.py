"""Calls over a real socket: what is answered, what is refused, what is stored."""

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from routeward.v1 import admin_service_pb2 as admin_pb
from routeward.v1 import routing_service_pb2 as pb
from routeward.v1.error_reason_pb2 import ERROR_REASON_DECISION_ID_INVALID, ERROR_REASON_INVALID_FIELD

UP, DOWN = pb.Signal(thumb=pb.THUMB_UP), pb.Signal(thumb=pb.THUMB_DOWN)
OUTCOME = pb.Signal(outcome=pb.Outcome(status=pb.STATUS_OK, input_tokens=900, output_tokens=100))
APPLIED, AMENDED = pb.SIGNAL_STATUS_APPLIED, pb.SIGNAL_STATUS_AMENDED
RETRACTED, DUPLICATE = pb.SIGNAL_STATUS_RETRACTED, pb.SIGNAL_STATUS_DUPLICATE


def statuses(response):
    return [result.status for result in response.results]


def observed(seconds, **fact):
    return pb.Signal(observed_time=Timestamp(seconds=seconds), **fact)


async def stored(running):
    return [record async for record in running.store.signals()]


async def test_a_decision_is_complete(client):
    decision = await client.route(input_tokens=1000, request_id="r-1", session_id="s-1")
    assert decision.model in {"small", "large", "other"}
    assert 0.0 < decision.propensity < 1.0
    assert decision.kind == pb.DECISION_KIND_SAMPLED
    assert decision.reason == pb.ROUTE_REASON_UNSPECIFIED
    assert len(decision.fallbacks) == 2
    ids = [decision.decision_id, *(one.decision_id for one in decision.fallbacks)]
    assert len(set(ids)) == 3
    assert max(map(len, ids)) <= 400
    forecast = decision.forecast
    assert 0.0 < forecast.quality < 1.0
    assert forecast.cost_usd > 0.0
    assert 0.0 < forecast.latency.ToTimedelta().total_seconds() < forecast.latency_p95.ToTimedelta().total_seconds()
    assert 0.0 < forecast.error_rate < 0.1


async def test_a_retried_feedback_counts_once(running, client):
    decision = await client.route()
    signals = observed(1_700_000_000, thumb=pb.THUMB_UP), OUTCOME
    first = await client.feedback(decision.decision_id, *signals)
    again = await client.feedback(decision.decision_id, *signals)
    assert statuses(first) == [APPLIED, APPLIED]
    assert statuses(again) == [DUPLICATE, DUPLICATE]
    assert (first.revision, again.revision) == (2, 2)
    assert len(await stored(running)) == 2


async def test_a_change_of_mind_amends_and_a_retraction_takes_back(running, client):
    decision = await client.route()
    answers = [
        await client.feedback(decision.decision_id, observed(100, thumb=pb.THUMB_UP)),
        await client.feedback(decision.decision_id, observed(200, thumb=pb.THUMB_DOWN)),
        await client.feedback(decision.decision_id, observed(300, retract=pb.Retract(signal="thumb"))),
    ]
    assert [statuses(answer) for answer in answers] == [[APPLIED], [AMENDED], [RETRACTED]]
    assert [answer.revision for answer in answers] == [1, 2, 3]
    assert (await running.store.load("default")).rows == {}


async def test_what_is_told_shows_in_the_posterior(running, client):
    decision = await client.route()
    recorded = await client.feedback(decision.decision_id, UP, OUTCOME)
    await running.publish()
    shown = await client.call(client.admin.GetPosterior, admin_pb.GetPosteriorRequest(category="chat"))
    assert shown.revision == recorded.revision
    (chat,) = shown.categories
    counts = {model.model: (model.outcome_count, model.quality_count) for model in chat.models}
    assert counts == {name: ((1.0, 1.0) if name == decision.model else (0.0, 0.0)) for name in counts}
    assert sum(model.probability for model in chat.models) == pytest.approx(1.0)


async def test_learning_moves_traffic_to_the_better_model(running, client):
    for number in range(60):
        model = ("small", "large", "other")[number % 3]
        forced = await client.route(model=model)
        assert forced.kind == pb.DECISION_KIND_FORCED
        fallback = await client.route(constraints=pb.Constraints(models=[model]))
        await client.feedback(fallback.decision_id, UP if model == "other" else DOWN)
    await running.publish()
    decision = await client.route(objective=pb.Objective(answer_value_usd=1.0))
    shown = [await client.route(objective=pb.Objective(answer_value_usd=1.0)) for _ in range(20)]
    assert sum(one.model == "other" for one in [decision, *shown]) >= 20


@pytest.mark.parametrize("method", ["Route", "Feedback", "FeedbackBatch"])
async def test_bytes_that_are_no_message_are_an_invalid_argument(client, method):
    failure = await client.raw(f"RoutingService/{method}", b"\xff\xff\xff\xff")
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
    assert failure.metadata == {"method": method}


@pytest.mark.parametrize(("size", "reason"), [(300_000, "MESSAGE_TOO_LARGE"), (4_000_000, "MESSAGE_TOO_LARGE")])
async def test_a_message_that_is_too_large_is_refused(client, size, reason):
    failure = await client.raw("RoutingService/Route", b"\x00" * size)
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_an_unknown_method_is_unimplemented(client):
    failure = await client.raw("RoutingService/Guess", b"")
    assert failure.code is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
async def test_a_number_that_is_none_is_refused_with_its_field(client, value):
    failure = await client.route(objective=pb.Objective(answer_value_usd=value))
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert failure.violations == ["objective.answer_value_usd"]


async def test_a_negative_latency_is_refused_and_nothing_of_the_report_is_recorded(running, client):
    decision = await client.route()
    bad = pb.Signal(outcome=pb.Outcome(status=pb.STATUS_OK))
    bad.outcome.latency.seconds = -1
    failure = await client.feedback(decision.decision_id, UP, bad)
    assert failure.violations == ["signals[1].outcome.latency"]
    assert await stored(running) == []


async def test_a_forged_decision_id_is_refused_and_nothing_is_recorded(running, client):
    decision = await client.route()
    last = decision.decision_id[-2]
    forged = decision.decision_id[:-2] + ("A" if last != "A" else "B") + decision.decision_id[-1]
    failure = await client.feedback(forged, UP)
    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "DECISION_ID_INVALID")
    assert await stored(running) == []


async def test_when_no_model_is_left_each_is_named_with_what_excluded_it(client):
    limits = pb.Constraints(capabilities=["tools"], max_cost_usd=1e-9)
    failure = await client.route(constraints=limits)
    assert (failure.code, failure.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NO_ELIGIBLE_MODEL")
    assert failure.metadata == {"small": "capabilities", "large": "max_cost_usd", "other": "max_cost_usd"}


async def test_the_least_violation_is_given_where_it_is_asked_for(client):
    limits = pb.Constraints(max_cost_usd=1e-9, on_infeasible=pb.ON_INFEASIBLE_LEAST_VIOLATION)
    decision = await client.route(constraints=limits)
    assert (decision.model, decision.reason) == ("small", pb.ROUTE_REASON_LEAST_VIOLATION)


async def test_items_of_a_batch_fail_alone(running, client):
    decision = await client.route()
    items = [
        pb.FeedbackRequest(decision_id=decision.decision_id, signals=[UP]),
        pb.FeedbackRequest(decision_id="forged", signals=[UP]),
        pb.FeedbackRequest(decision_id=decision.decision_id),
        pb.FeedbackRequest(decision_id=decision.fallbacks[0].decision_id, signals=[DOWN, OUTCOME]),
    ]
    batch = pb.FeedbackBatchRequest(items=items)
    first, forged, empty, last = (await client.call(client.routing.FeedbackBatch, batch)).results
    assert statuses(first.response) == [APPLIED]
    assert (forged.error.code, forged.error.reason) == (3, ERROR_REASON_DECISION_ID_INVALID)
    assert (empty.error.reason, empty.error.violations[0].field) == (ERROR_REASON_INVALID_FIELD, "items[2].signals")
    assert statuses(last.response) == [APPLIED, APPLIED]
    assert last.response.revision == 3
    assert len(await stored(running)) == 3


async def test_a_thousand_items_fit_into_a_batch_and_each_counts_once(running, client):
    decisions = [await client.route() for _ in range(250)]
    ids = [one.decision_id for decision in decisions for one in (decision, *decision.fallbacks)][:700]
    items = [pb.FeedbackRequest(decision_id=decision_id, signals=[UP]) for decision_id in ids]
    items += items[: 1000 - len(items)]
    response = await client.call(client.routing.FeedbackBatch, pb.FeedbackBatchRequest(items=items))
    found = [statuses(result.response)[0] for result in response.results]
    assert found[: len(ids)] == [APPLIED] * len(ids)
    assert set(found[len(ids) :]) <= {DUPLICATE}
    assert len(await stored(running)) == len(ids)
    assert await running.store.verify() == {}


async def test_decisions_are_logged_behind_the_answer(running, client):
    decision = await client.route(category="poetry", request_id="r-1")
    await running.log_decisions()
    rows = [row async for row in running.store.decisions()]
    assert [(row.category, row.model, row.request_id) for row in rows] == [("poetry", decision.model, "r-1")]
    assert "poetry" in (await running.store.load("default")).categories
