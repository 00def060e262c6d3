"""Routing and feedback over real gRPC, by both clients."""

from datetime import timedelta

import pytest

from routeward import (
    Constraints,
    DecisionKind,
    Feedback,
    FeedbackResult,
    Objective,
    Outcome,
    Retract,
    RoutewardError,
    Score,
    SignalResult,
    SignalStatus,
    Status,
    Thumb,
    errors,
    thumbs_down,
    thumbs_up,
)
from routeward.error_details import BY_REASON
from routeward.testing import FakeRouter

MODELS = {"code": "coder"}


def test_a_decision_names_model_fallbacks_and_forecast(client):
    decision = client.route("summarization", input_tokens=900)
    assert decision.kind is DecisionKind.SAMPLED
    assert [decision.model, *(fallback.model for fallback in decision.fallbacks)] == ["small", "large", "huge"]
    assert len({decision.decision_id, *(fallback.decision_id for fallback in decision.fallbacks)}) == 3
    assert decision.forecast is not None
    assert decision.forecast.latency_s == 1.0


def test_options_reach_the_server(client, router):
    previous = client.route("summarization")
    client.route(
        "summarization",
        input_tokens=900,
        cached_input_tokens=800,
        previous=previous,
        objective=Objective(second_value_usd=0.01),
        constraints=Constraints(models=["large"], max_latency_s=2.5),
    )
    request = router.route_requests[-1]
    assert request.previous_decision_id == previous.decision_id
    assert request.constraints.max_latency.ToTimedelta() == timedelta(seconds=2.5)
    assert request.objective.second_value_usd == 0.01
    assert not request.objective.HasField("answer_value_usd")


def test_a_named_model_is_forced(client):
    decision = client.route("summarization", model="coder")
    assert (decision.model, decision.kind) == ("coder", DecisionKind.FORCED)


def test_signals_are_stored_once_and_amended_and_taken_back(client, router):
    decision = client.route("code")
    first = client.feedback(decision, Outcome(Status.OK, latency_s=1.5), thumbs_up(), rater="anna-17")
    assert first.results == (
        SignalResult("outcome", SignalStatus.APPLIED),
        SignalResult("thumb", SignalStatus.APPLIED),
    )
    assert client.feedback(decision.decision_id, thumbs_up()).results[0].status is SignalStatus.DUPLICATE
    assert client.feedback(decision, thumbs_down()).results[0].status is SignalStatus.AMENDED
    assert client.feedback(decision, Retract("outcome")).results[0].status is SignalStatus.RETRACTED
    assert set(router.signals(decision)) == {"thumb"}
    assert router.feedback_requests[0].rater == "anna-17"


def test_signals_are_dated_by_the_clock_of_the_client_once(make_client, router, clock):
    decision = (client := make_client(clock=clock)).route("code")
    observed = clock.now()
    with router.failing(errors.UnavailableError, times=2):
        client.feedback(decision, thumbs_up())
    clock.passes(60)
    result = client.feedback(decision, Thumb(up=True, observed_time=observed))
    assert result.results[0].status is SignalStatus.DUPLICATE
    assert router.signals(decision) == {"thumb": Thumb(up=True, observed_time=observed)}


def test_a_batch_is_dated_by_the_clock_of_the_client(make_client, router, clock):
    decision = (client := make_client(clock=clock)).route("code")
    client.feedback_batch([Feedback(decision, (thumbs_up(),))])
    assert router.signals(decision) == {"thumb": Thumb(up=True, observed_time=clock.now())}


def test_a_batch_says_what_became_of_each_item(client, router):
    decision = client.route("code")
    stored, unknown, wrong = client.feedback_batch(
        [
            Feedback(decision, (thumbs_up(), Score("judge", 0.5))),
            Feedback("made-up", (thumbs_up(),)),
            Feedback(decision, (Score("judge", float("nan")),)),
        ]
    )
    assert isinstance(stored, FeedbackResult)
    assert [result.status for result in stored.results] == [SignalStatus.APPLIED] * 2
    assert isinstance(unknown, errors.DecisionIdInvalidError)
    assert isinstance(wrong, errors.InvalidFieldError)
    assert wrong.violations[0].field == "signals[0].score.value"
    assert set(router.signals(decision)) == {"thumb", "score:judge"}


def test_a_batch_may_be_larger_than_a_message(client):
    decision = client.route("code")
    judges = [Feedback(decision, (Score("judge", number / 2500),)) for number in range(2500)]
    results = client.feedback_batch(judges)
    assert len(results) == 2500
    assert all(isinstance(result, FeedbackResult) for result in results)


def test_a_batch_that_fails_as_a_whole_raises(client, router):
    decision = client.route("code")
    with router.failing(errors.StoreUnavailableError), pytest.raises(errors.StoreUnavailableError):
        client.feedback_batch([Feedback(decision, (thumbs_up(),))])


@pytest.mark.parametrize("kind", BY_REASON.values(), ids=BY_REASON)
def test_every_error_of_the_contract_arrives_as_itself(client, router, kind):
    with router.failing(kind, retry_after_s=0.5), pytest.raises(kind) as raised:
        client.route("code")
    assert type(raised.value) is kind
    assert BY_REASON[raised.value.reason] is kind
    assert raised.value.retry_after_s == 0.5
    assert isinstance(raised.value.__cause__, Exception)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ({"category": "poetry"}, errors.CategoryUnknownError),
        ({"category": "no spaces"}, errors.InvalidFieldError),
        ({"category": "code", "model": "gpt-9"}, errors.ModelUnknownError),
        ({"category": "code", "previous": "made-up"}, errors.DecisionIdInvalidError),
        ({"category": "code", "constraints": Constraints(models=["small"])}, errors.NoEligibleModelError),
        ({"category": "code", "objective": Objective(answer_value_usd=float("nan"))}, errors.InvalidFieldError),
    ],
)
def test_a_wrong_question_is_refused_with_its_reason(client, question, kind):
    with pytest.raises(kind):
        client.route(**question)


def test_a_wrong_report_is_refused_and_nothing_is_recorded(client, router):
    decision = client.route("code")
    for wrong in [(), (thumbs_up(), thumbs_down()), (Outcome(Status.OK, cost_usd=float("inf")),)]:
        with pytest.raises(errors.InvalidFieldError):
            client.feedback(decision, *wrong)
    with pytest.raises(errors.DecisionIdInvalidError):
        client.feedback("made-up", thumbs_up())
    assert router.feedback_requests == ()


def test_a_message_that_is_too_large_is_refused(client):
    with pytest.raises(errors.LimitReachedError, match="larger than max"):
        client.feedback("d" * 300_000, thumbs_up())


def test_the_api_key_is_shown(make_client):
    with FakeRouter(MODELS, api_key="open-sesame") as router:
        assert make_client(router.target, api_key="open-sesame").route("code").model == "coder"
        with pytest.raises(errors.ApiKeyInvalidError, match="authorization"):
            make_client(router.target, api_key="guess").route("code")


def test_target_and_key_come_from_the_environment(make_client, monkeypatch):
    with FakeRouter(MODELS, api_key="open-sesame") as router:
        monkeypatch.setenv("ROUTEWARD_TARGET", router.target)
        monkeypatch.setenv("ROUTEWARD_API_KEY", "open-sesame")
        assert make_client(router.target).route("code").model == "coder"


def test_a_closed_client_says_so(client):
    client.route("code")
    client.close()
    client.close()
    with pytest.raises(errors.ClientClosedError):
        client.route("code")


def test_an_unused_client_can_be_closed(client):
    client.close()
    with pytest.raises(RoutewardError):
        client.feedback("d-1", thumbs_up())
