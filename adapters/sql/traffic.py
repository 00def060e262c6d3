"""A store as a log of calls, also while a server is running on it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from adapters.ledger import StoreError
from adapters.sql import timeline
from adapters.sql.inspection import facts_of, read_only
from adapters.sql.marks import RETAINED, mark
from adapters.sql.timeline import Decided, DrawnFrom, Page
from adapters.traffic.calls import Call
from adapters.traffic.errors import LogError
from adapters.traffic.log import LogReport, Progress
from adapters.traffic.own.decision import ANY, Judgement, LoggedDecision, overall
from adapters.traffic.own.log import DecisionLog
from bandit.records import SignalRecord
from bandit.signals import SCALE, Kind, Outcome, Score

PER_MILLE: Final = 1000
DRAWN: Final = (Kind.SAMPLED, Kind.BASELINE)
"""Kinds of decisions whose model was drawn, so that there is a probability with which it was."""
SHOWN: Final = 5
"""Namespaces that a message names."""
_SQLITE: Final = b"SQLite format 3\0"
_PER_US: Final = 1e6
_PER_NANO: Final = 1e9


class Extent(NamedTuple):
    """What a store holds: its namespaces, the times of its decisions, and the time before which rows were dropped."""

    namespaces: Sequence[str] = ()
    oldest_us: int = 0
    newest_us: int = -1
    retained_us: int = 0


def is_store(path: Path) -> bool:
    """Tell whether a file is a database, by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def extent_of(file: Path) -> Extent:
    """Return what a store holds. Raises LogError for what is no store, or one of a newer version."""
    if not file.is_file():
        raise LogError(f"{file} is not a file")
    with _told_as_log_errors():
        if facts_of(file).version is None:
            return Extent()
        with read_only(file) as connection:
            oldest_us, newest_us = timeline.span(connection) or (0, -1)
            return Extent(timeline.namespaces(connection), oldest_us, newest_us, mark(connection, RETAINED))


def decisions_of(
    file: Path, since_us: int, until_us: int, *, namespace: str = "", progress: Progress | None = None
) -> Iterator[LoggedDecision]:
    """Yield the decisions from `since_us` up to before `until_us` in the order of time, with what became of them.

    Those of all namespaces, unless one is named. Each page is read in a transaction of its own, so that a server on
    the same file is not held up. Raises LogError.
    """
    start_us, drawn_from = since_us, dict[timeline.DecisionKey, DrawnFrom]()
    while start_us < until_us:
        with _told_as_log_errors(), read_only(file) as connection:
            page = timeline.page(connection, start_us, until_us, drawn_from)
        start_us, drawn_from = page.end_us, dict(page.drawn_from)
        found = _on(page)
        yield from found if not namespace else (one for one in found if one.namespace == namespace)
        if progress is not None:
            progress((start_us - since_us) * PER_MILLE // (until_us - since_us), PER_MILLE)


@contextmanager
def _told_as_log_errors() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise LogError(str(error)) from error


def _on(page: Page) -> Iterable[LoggedDecision]:
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
    key, kind = (one.namespace, one.nonce), Kind(one.kind)
    drawn_from = page.drawn_from.get((one.namespace, one.distribution))
    call = Call(
        category=one.category,
        model=one.model,
        time_us=one.decided_us,
        call_id=one.nonce.hex(),
        session=one.session_id,
        kind=kind,
        propensity=one.propensity if kind in DRAWN else None,
        probabilities=drawn_from.probabilities if drawn_from and kind in DRAWN else None,
        answer_value_usd=drawn_from and drawn_from.answer_value_usd,
        second_value_usd=drawn_from and drawn_from.second_value_usd,
        requested_tokens=one.input_tokens,
    )
    revision = drawn_from and drawn_from.revision
    logged = LoggedDecision(call, one.namespace, "", one.reason, one.profile, revision, one.request_id, one.client)
    return _with_signals(logged, page.signals.get(key, ()))


def _unlogged(records: Sequence[SignalRecord], page: Page) -> LoggedDecision:
    """Return a decision that only its signals tell of: a fallback, or one that the decision log had no room for.

    A fallback serves the request of its parent, and shares what is known of that.
    """
    first, (category, model, kind, decided_us, input_tokens) = records[0], records[0].decision
    call = Call(
        category=category,
        model=model,
        time_us=decided_us,
        call_id=first.nonce.hex(),
        kind=kind,
        propensity=first.propensity if kind in DRAWN else None,
        requested_tokens=input_tokens,
    )
    logged = LoggedDecision(call, first.namespace, first.parent.hex())
    parent = page.decisions.get((first.namespace, first.parent))
    if parent is not None:
        of_parent = _decided(parent, page)
        request = {name: getattr(of_parent.call, name) for name in ("session", "answer_value_usd", "second_value_usd")}
        logged = of_parent._replace(call=call._replace(**request), parent=logged.parent)
    return _with_signals(logged, records)


def _with_signals(logged: LoggedDecision, records: Sequence[SignalRecord]) -> LoggedDecision:
    """Add what was observed, and not taken back."""
    call, judgements = logged.call, dict[str, Judgement]()
    for record in sorted(records, key=lambda record: record.signal):
        if isinstance(record.fact, Outcome):
            call = _answered(call, record.fact, record.observed_us)
        elif record.fact is not None:
            value = record.fact.value / SCALE if isinstance(record.fact, Score) else float(record.fact.up)
            judgements[record.signal] = Judgement(value, record.observed_us)
    quality, judged_us = overall(judgements)
    return logged._replace(call=call._replace(quality=quality, judged_us=judged_us), judgements=judgements)


def _answered(call: Call, outcome: Outcome, observed_us: int) -> Call:
    def scaled(units: int | None, per: float) -> float | None:
        return None if units is None else units / per

    return call._replace(
        status=outcome.status,
        latency_s=scaled(outcome.latency_us, _PER_US),
        first_token_s=scaled(outcome.time_to_first_token_us, _PER_US),
        input_tokens=outcome.input_tokens,
        cached_input_tokens=outcome.cached_input_tokens,
        output_tokens=outcome.output_tokens,
        cost_usd=scaled(outcome.cost_nano_usd, _PER_NANO),
        answered_us=observed_us,
    )


def store_log(
    file: Path,
    *,
    namespace: str = "",
    since_us: int | None = None,
    until_us: int | None = None,
    quality_source: str = ANY,
) -> DecisionLog:
    """Open a store as a log of one namespace, which may be left out where there is only one.

    Each reading reads up to the decision that is the newest now. Raises LogError for what is no store, or one of a
    newer version, and for a namespace that it does not have.
    """
    extent = extent_of(file)
    if not namespace and len(extent.namespaces) > 1:
        raise LogError(f"{file} has several namespaces; choose one: {shown(extent.namespaces)}")
    require_namespace(file, extent, namespace)
    start_us = extent.oldest_us if since_us is None else max(since_us, extent.oldest_us)
    end_us = extent.newest_us + 1 if until_us is None else min(until_us, extent.newest_us + 1)

    def read(_: LogReport, progress: Progress | None) -> Iterator[LoggedDecision]:
        return decisions_of(file, start_us, end_us, namespace=namespace, progress=progress)

    return DecisionLog(read, "routeward store", quality_source=quality_source)


def require_namespace(file: Path, extent: Extent, namespace: str) -> None:
    """Raise LogError for a namespace that a store does not have."""
    if namespace and namespace not in extent.namespaces:
        raise LogError(f"{file} has no namespace '{namespace}'; it has {shown(extent.namespaces) or 'none'}")


def shown(names: Sequence[str]) -> str:
    """Return the first names of many, for a message."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
