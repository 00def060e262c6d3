"""What Feedback accepts, and what it makes of it."""

import asyncio

import pytest

from bandit.budget import Budget
from bandit.signals import SCALE, DecisionFacts, Kind, Outcome, Score, Status, Thumb
from bandit.sums import Moments, RowKey
from bandit.votes import SignalStatus
from server.credentials import Principal
from server.errors import (
    DecisionAheadError,
    DecisionExpiredError,
    DecisionIdInvalidError,
    ForeignDecisionError,
    InvalidFieldError,
    ScoreNameLimitError,
    Violation,
)
from server.learning import MAX_SCORE_NAMES, Learner
from server.requests import Call, Observation, Report
from server.writer import Writer

APPLIED, AMENDED = SignalStatus.APPLIED, SignalStatus.AMENDED


@pytest.fixture
async def learner_of():
    running = []

    async def build(parts):
        writer = Writer(parts.store, parts.publisher.namespaces, parts.metrics, parts.log.logger, lambda _: None)
        running.append((writer, asyncio.create_task(writer.run())))
        return Learner(
            parts.publisher.namespaces,
            parts.keys,
            writer,
            max_age_s=parts.settings.learning.max_feedback_age_s,
        )

    yield build
    for writer, task in running:
        writer.close()
        await task


@pytest.fixture
async def learner(parts, learner_of):
    return await learner_of(parts)


def thumb(decision_id, *, up=True, observed_us=None):
    return Report(decision_id, (Observation("thumb", Thumb(up), observed_us),))


def scores(decision_id, *names):
    return Report(decision_id, tuple(Observation(f"score:{name}", Score(name, SCALE)) for name in names))


async def told(learner, report, caller, now_us):
    return await learner.record(report.decision_id, len(report.observations), lambda: report, now_us, caller)


async def stored(parts):
    return [record async for record in parts.store.signals()]


async def test_a_signal_is_stored_with_what_the_decision_id_says(parts, learner):
    decision = parts.route(Call("chat", input_tokens=321))
    parts.clock.pass_s(60)
    report = thumb(decision.id, observed_us=parts.clock() - 7)._replace(rater="user-7")
    recorded = await told(learner, report, parts.caller, parts.clock())
    assert recorded.results == (("thumb", APPLIED),)
    assert recorded.revision == 1
    (record,) = await stored(parts)
    assert record.decision == DecisionFacts("chat", decision.model, Kind.SAMPLED, decision.decided_us, 321)
    assert (record.nonce, record.propensity, record.parent) == (decision.nonce, decision.propensity, b"")
    assert (record.client, record.rater) == ("checkout", "user-7")
    assert (record.observed_us, record.received_us) == (parts.clock() - 7, parts.clock())


async def test_a_signal_without_a_time_was_observed_when_it_arrived(parts, learner):
    await told(learner, thumb(parts.route(Call("chat")).id), parts.caller, parts.clock())
    (record,) = await stored(parts)
    assert record.observed_us == parts.clock()


async def test_feedback_to_a_fallback_counts_for_its_model(parts, learner):
    decision = parts.route(Call("chat"))
    await told(learner, thumb(decision.fallback_ids[0]), parts.caller, parts.clock())
    (record,) = await stored(parts)
    assert record.decision.model == decision.option.fallbacks[0]
    assert (record.decision.kind, record.parent) == (Kind.FALLBACK, decision.nonce)


async def test_what_is_recorded_shows_in_the_next_snapshot(parts, learner):
    decision = parts.route(Call("chat"))
    await told(learner, thumb(decision.id), parts.caller, parts.clock())
    await parts.publisher.refresh(parts.namespace)
    key = RowKey("chat", decision.model, "quality", "thumb", decision.decided_us // 10_000_000)
    assert parts.namespace.sums.rows() == {key: Moments(1, SCALE, SCALE)}
    assert parts.namespace.published.snapshot.revision == 1


async def test_a_duplicate_answers_with_the_revision_it_is_part_of(parts, learner):
    report = thumb(parts.route(Call("chat")).id, observed_us=parts.clock())
    await told(learner, report, parts.caller, parts.clock())
    again = await told(learner, report, parts.caller, parts.clock())
    assert again.results == (("thumb", SignalStatus.DUPLICATE),)
    assert again.revision == 1


@pytest.mark.parametrize("forged", ["", "x", "A" * 124, "Ä" * 50, "a" * 4000])
async def test_a_garbled_decision_id_is_refused_and_nothing_is_recorded(parts, learner, forged):
    with pytest.raises(DecisionIdInvalidError):
        await told(learner, thumb(forged), parts.caller, parts.clock())
    assert await stored(parts) == []


async def test_every_forged_bit_of_a_decision_id_is_noticed(parts, learner):
    genuine = parts.route(Call("chat")).id
    for place, character in enumerate(genuine):
        forged = genuine[:place] + ("A" if character != "A" else "B") + genuine[place + 1 :]
        with pytest.raises(DecisionIdInvalidError):
            await told(learner, thumb(forged), parts.caller, parts.clock())
    assert await stored(parts) == []


async def test_an_expired_decision_is_refused_and_nothing_is_recorded(parts, learner):
    decision = parts.route(Call("chat"))
    parts.clock.pass_s(7 * 86_400 + 1)
    with pytest.raises(DecisionExpiredError) as refused:
        await told(learner, thumb(decision.id), parts.caller, parts.clock())
    assert refused.value.metadata == {"max_age_seconds": "604800"}
    assert await stored(parts) == []


async def test_a_decision_of_a_clock_that_is_ahead_is_refused_and_says_by_how_much_and_what_to_do(parts, learner):
    decision = parts.route(Call("chat"))
    parts.clock.pass_s(-95)
    with pytest.raises(DecisionAheadError, match=r"95 s in the future .*NTP") as refused:
        await told(learner, thumb(decision.id), parts.caller, parts.clock())
    assert refused.value.metadata == {"ahead_seconds": "95"}
    assert await stored(parts) == []


async def test_a_decision_of_another_namespace_is_refused_and_nothing_is_recorded(parts, learner):
    decision = parts.route(Call("chat"))
    with pytest.raises(ForeignDecisionError):
        await told(learner, thumb(decision.id), Principal("globex"), parts.clock())
    assert await stored(parts) == []


async def test_an_eighth_score_name_is_refused_and_the_others_still_work(parts, learner):
    names = [f"judge-{number}" for number in range(MAX_SCORE_NAMES)]
    await told(learner, scores(parts.route(Call("chat")).id, *names), parts.caller, parts.clock())
    with pytest.raises(ScoreNameLimitError) as refused:
        await told(learner, scores(parts.route(Call("chat")).id, "judge-0", "judge-9"), parts.caller, parts.clock())
    assert refused.value.metadata == {"name": "judge-9"}
    recorded = await told(learner, scores(parts.route(Call("chat")).id, "judge-0"), parts.caller, parts.clock())
    assert recorded.results == (("score:judge-0", APPLIED),)


async def test_score_names_are_remembered_over_a_restart(parts, learner):
    names = [f"judge-{number}" for number in range(MAX_SCORE_NAMES)]
    await told(learner, scores(parts.route(Call("chat")).id, *names), parts.caller, parts.clock())
    parts.namespace.score_names.clear()
    parts.namespace.stale = True
    await parts.publisher.refresh(parts.namespace)
    assert parts.namespace.score_names == set(names)


async def test_a_retraction_reserves_no_score_name(parts, learner):
    for number in range(MAX_SCORE_NAMES + 1):
        report = Report(parts.route(Call("chat")).id, (Observation(f"score:never-{number}", None),))
        await told(learner, report, parts.caller, parts.clock())
    names = [f"judge-{number}" for number in range(MAX_SCORE_NAMES)]
    recorded = await told(learner, scores(parts.route(Call("chat")).id, *names), parts.caller, parts.clock())
    assert {status for _, status in recorded.results} == {APPLIED}


async def test_reports_of_a_batch_fail_alone_and_keep_their_order(parts, learner):
    good, other = parts.route(Call("chat")), parts.route(Call("chat"))
    refused = InvalidFieldError([Violation("items[2].signals", "has 1 to 16 entries")])
    reports = [thumb(good.id), thumb("forged"), refused, scores(other.id, "judge"), thumb(good.id, up=False)]
    first, forged, broken, third, amended = await learner.record_each(reports, parts.clock(), parts.caller)
    assert first.results == (("thumb", APPLIED),)
    assert isinstance(forged, DecisionIdInvalidError)
    assert broken is refused
    assert third.results == (("score:judge", APPLIED),)
    assert amended.results == (("thumb", SignalStatus.SUPERSEDED),)
    assert len(await stored(parts)) == 2


async def test_a_batch_of_nothing_but_errors_answers_each(parts, learner):
    results = await learner.record_each([thumb("x"), thumb("y")], parts.clock(), parts.caller)
    assert [type(result) for result in results] == [DecisionIdInvalidError] * 2


OUTCOME = Outcome(Status.OK, 1_500_000, input_tokens=900, output_tokens=90)


def own_tokens(parts):
    """Those of a decision, a fallback of it, and one more call."""
    decision = parts.route(Call("chat", input_tokens=321, profile="frugal"))
    further, further_id = parts.router.further(decision, "large")
    tokens = [decision.token, *decision.fallback_tokens, further]
    return tokens, [decision.id, *decision.fallback_ids, further_id]


async def test_what_the_process_itself_observed_is_recorded_as_if_its_ids_were_verified(parts_of, learner_of):
    budget = Budget("tight", usd_per_request=2e-4)
    recorded, rows = [], []
    for way in ("verified", "own"):
        parts = await parts_of(budgets=(budget,))
        learner = await learner_of(parts)
        tokens, ids = own_tokens(parts)
        observation = Observation("outcome", OUTCOME, parts.clock() + 5)
        parts.clock.pass_s(30)
        for _ in range(2):
            if way == "own":
                each = [(token, observation) for token in tokens]
                recorded.append(await learner.record_own(each, parts.clock(), parts.caller))
            else:
                reports = [Report(id_, (observation,)) for id_ in ids]
                recorded.append(await learner.record_each(reports, parts.clock(), parts.caller))
        rows.append(await stored(parts))
        parts.clock.pass_s(-30)
    once, twice, own_once, own_twice = recorded
    assert (once, twice) == (own_once, own_twice)
    assert {status for one in twice for _, status in one.results} == {SignalStatus.DUPLICATE}
    assert len(rows[0]) == len(ids) > 3
    assert rows[0] == rows[1]
    assert all(one.bill is not None for one in rows[0])


@pytest.mark.parametrize(("age_s", "error"), [(8 * 86400.0, DecisionExpiredError), (-61.0, DecisionAheadError)])
async def test_what_the_process_itself_observed_is_as_late_or_early_as_anything_else(parts, learner, age_s, error):
    token = parts.route(Call("chat")).token
    fresh = token._replace(nonce=b"another  one", decided_us=parts.clock() + round(age_s * 1e6))
    each = [(one, Observation("outcome", OUTCOME)) for one in (token, fresh)]
    refused, stored_one = await learner.record_own(each, parts.clock() + round(age_s * 1e6), parts.caller)
    assert isinstance(refused, error)
    assert stored_one.results == (("outcome", APPLIED),)
    assert [record.nonce for record in await stored(parts)] == [fresh.nonce]
