"""What a page of a store's rows says, as decisions of the own log."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from adapters.sql.timeline import Decided, Page
from adapters.traffic.calls import Call
from adapters.traffic.own.decision import Judgement, LoggedDecision, overall
from bandit.records import SignalRecord
from bandit.signals import SCALE, Kind, Outcome, Score, Status

DRAWN: Final = (Kind.SAMPLED, Kind.BASELINE)
"""Kinds of decisions whose model was drawn, so that there is a probability with which it was."""
_PER_US: Final = 1e6
_PER_NANO: Final = 1e9


class _Observed(NamedTuple):
    """The fields of a `Call` that signals tell of, in its order; they are its last."""

    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    first_token_s: float | None = None
    status: Status | None = None
    quality: float | None = None
    answered_us: int | None = None
    judged_us: int | None = None


def logged_decisions(page: Page) -> Iterable[LoggedDecision]:
    """Return what is on a page, in the order of time, namespace and nonce."""
    found = {key: _decided(one, page) for key, one in page.decisions.items()}
    unlogged = page.signals.keys() - found.keys()
    for key in unlogged:
        if records := [record for record in page.signals[key] if record.fact is not None]:
            found[key] = _unlogged(records, page)
    if not unlogged:
        return found.values()
    return sorted(found.values(), key=lambda one: (one.call.time_us, one.namespace, one.call.call_id))


def _decided(one: Decided, page: Page) -> LoggedDecision:
    kind, drawn_from = Kind(one.kind), page.drawn_from.get((one.namespace, one.distribution))
    observed, judgements = _observed(page.signals.get((one.namespace, one.nonce), ()))
    call = Call(
        one.category,
        one.model,
        one.decided_us,
        one.nonce.hex(),
        one.session_id,
        kind,
        one.propensity if kind in DRAWN else None,
        drawn_from.probabilities if drawn_from and kind in DRAWN else None,
        None,
        drawn_from and drawn_from.answer_value_usd,
        drawn_from and drawn_from.second_value_usd,
        one.input_tokens,
        *observed,
    )
    revision = drawn_from and drawn_from.revision
    return LoggedDecision(
        call, one.namespace, "", one.reason, one.profile, revision, one.request_id, one.client, judgements
    )


def _unlogged(records: Sequence[SignalRecord], page: Page) -> LoggedDecision:
    """Return a decision that only its signals tell of: a fallback, or one that the decision log had no room for.

    A fallback serves the request of its parent, and shares what is known of that.
    """
    first, facts = records[0], records[0].decision
    observed, judgements = _observed(records)
    call = Call(
        facts.category,
        facts.model,
        facts.decided_us,
        first.nonce.hex(),
        "",
        facts.kind,
        first.propensity if facts.kind in DRAWN else None,
        None,
        None,
        None,
        None,
        facts.input_tokens,
        *observed,
    )
    logged = LoggedDecision(call, first.namespace, first.parent.hex(), judgements=judgements)
    parent = page.decisions.get((first.namespace, first.parent))
    return logged if parent is None else _sharing(logged, _decided(parent, page))


def _sharing(fallback: LoggedDecision, parent: LoggedDecision) -> LoggedDecision:
    call = fallback.call._replace(
        session=parent.call.session,
        answer_value_usd=parent.call.answer_value_usd,
        second_value_usd=parent.call.second_value_usd,
    )
    return parent._replace(call=call, parent=fallback.parent, judgements=fallback.judgements)


def _observed(records: Sequence[SignalRecord]) -> tuple[_Observed, dict[str, Judgement]]:
    """Return what was observed and not taken back; judgements in the order of their sources."""
    if not records:
        return _Observed(), {}
    outcome, answered_us, judgements = Outcome(Status.OK), None, dict[str, Judgement]()
    for record in sorted(records, key=_signal):
        fact = record.fact
        if isinstance(fact, Outcome):
            outcome, answered_us = fact, record.observed_us
        elif fact is not None:
            value = fact.value / SCALE if isinstance(fact, Score) else float(fact.up)
            judgements[record.signal] = Judgement(value, record.observed_us)
    quality, judged_us = overall(judgements)
    return _Observed(
        outcome.input_tokens,
        outcome.cached_input_tokens,
        outcome.output_tokens,
        None if outcome.cost_nano_usd is None else outcome.cost_nano_usd / _PER_NANO,
        None if outcome.latency_us is None else outcome.latency_us / _PER_US,
        None if outcome.time_to_first_token_us is None else outcome.time_to_first_token_us / _PER_US,
        None if answered_us is None else outcome.status,
        quality,
        answered_us,
        judged_us,
    ), judgements


def _signal(record: SignalRecord) -> str:
    return record.signal
