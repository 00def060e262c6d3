"""A store as a log of calls, also while a server is running on it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from adapters.ledger import StoreError
from adapters.sql import timeline
from adapters.sql.logged import logged_decisions
from adapters.sql.marks import RETAINED, mark
from adapters.sql.registry import all_models
from adapters.sql.sqlite.inspection import facts_of, read_only
from adapters.sql.timeline import DrawnFrom
from adapters.traffic.calls import BATCH, Call, Calls, batches
from adapters.traffic.errors import LogError
from adapters.traffic.log import LogReport, Progress, Rejected
from adapters.traffic.own.decision import ANY, LoggedDecision, require_quality_source
from adapters.traffic.own.soundness import sound
from bandit.catalogue import Model

PER_MILLE: Final = 1000
FORMAT: Final = "routeward store"
SHOWN: Final = 5
"""Namespaces that a message names."""
_SQLITE: Final = b"SQLite format 3\0"


class Extent(NamedTuple):
    """What a store holds: its namespaces, the times of its decisions, and the time before which rows were dropped.

    Decisions of a time that there cannot be are not among them; `impossible` counts them by namespace.
    """

    namespaces: Sequence[str] = ()
    oldest_us: int = 0
    newest_us: int = -1
    retained_us: int = 0
    impossible: Mapping[str, int] = {}

    def left_out(self, namespace: str) -> int:
        """Return how many decisions of a namespace, or of all, have a time that there cannot be."""
        return self.impossible.get(namespace, 0) if namespace else sum(self.impossible.values())


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
        raise LogError(f"{file} is not a file" if file.exists() else f"{file} does not exist")
    with _told_as_log_errors():
        if facts_of(file).version is None:
            return Extent()
        with read_only(file) as connection:
            oldest_us, newest_us = timeline.span(connection) or (0, -1)
            retained_us, impossible = mark(connection, RETAINED), timeline.impossible(connection)
            return Extent(timeline.namespaces(connection), oldest_us, newest_us, retained_us, impossible)


def next_time_of(file: Path, start_us: int) -> int | None:
    """Return the time of the first decision of a store at `start_us` or later; None without any. Raises LogError."""
    with _told_as_log_errors(), read_only(file) as connection:
        return timeline.next_time(connection, start_us)


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
        found = logged_decisions(page)
        yield from found if not namespace else (one for one in found if one.namespace == namespace)
        if progress is not None:
            progress((start_us - since_us) * PER_MILLE // (until_us - since_us), PER_MILLE)


def models_of(file: Path) -> Sequence[Model]:
    """Return the models that a store knows, with their prices. Raises LogError."""
    with _told_as_log_errors():
        if facts_of(file).version is None:
            return ()
        with read_only(file) as connection:
            return all_models(connection)


class StoreLog:
    """The decisions of one namespace as a `Log`.

    Each reading reads up to the decision that was the newest when the store was opened, and says of it what is known by
    then. What no log can have is left out as it is of files; its line is its place among the decisions.
    """

    def __init__(self, file: Path, extent: Extent, namespace: str, quality_source: str) -> None:
        self._file = file
        self._extent = extent
        self._namespace = namespace
        self._quality_source = require_quality_source(quality_source)
        self.report = LogReport(FORMAT)

    def calls(self, progress: Progress | None = None) -> Iterator[Call]:
        """Read every call. Raises LogError where it cannot be read on."""
        report = self.report = LogReport(FORMAT)
        oldest_us, end_us = self._extent.oldest_us, self._extent.newest_us + 1
        found = decisions_of(self._file, oldest_us, end_us, namespace=self._namespace, progress=progress)
        for place, decision in enumerate(found, start=1):
            try:
                call = sound(decision).as_call(self._quality_source)
            except ValueError as error:
                report.reject(str(error), place)
                continue
            report.used += 1
            known = [name for name, value in zip(Call._fields, call, strict=True) if value is not None and value != ""]
            report.knows.update(known)
            report.sources.update(decision.judgements.keys())
            yield call
        if left_out := self._extent.left_out(self._namespace):
            report.rejected.setdefault("time_us is out of range", Rejected()).count += left_out

    def batches(self, size: int = BATCH, progress: Progress | None = None) -> Iterator[Calls]:
        """Read them in columns."""
        return batches(self.calls(progress), size)


def store_log(file: Path, *, namespace: str = "", quality_source: str = ANY) -> StoreLog:
    """Open a store as a log of one namespace, which may be left out where there is only one.

    Raises LogError for what is no store, or one of a newer version, and for a namespace that it does not have.
    """
    extent = extent_of(file)
    if not namespace and len(extent.namespaces) > 1:
        raise LogError(f"{file} has several namespaces; choose one: {shown(extent.namespaces)}")
    require_namespace(file, extent, namespace)
    return StoreLog(file, extent, namespace, quality_source)


def require_namespace(file: Path, extent: Extent, namespace: str) -> None:
    """Raise LogError for a namespace that a store does not have."""
    if namespace and namespace not in extent.namespaces:
        raise LogError(f"{file} has no namespace '{namespace}'; it has {shown(extent.namespaces) or 'none'}")


def shown(names: Sequence[str]) -> str:
    """Return the first names of many, for a message."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


@contextmanager
def _told_as_log_errors() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise LogError(str(error)) from error
