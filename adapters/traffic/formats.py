"""Logs in any format that is known here: which one it is tell the columns of its first rows."""

import reprlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from adapters.traffic import full_information, generic
from adapters.traffic.calls import BATCH, Call, Calls, batches
from adapters.traffic.errors import LogError
from adapters.traffic.fields import FIELDS, SCORE, ColumnMap
from adapters.traffic.findings import Findings
from adapters.traffic.foreign import langfuse, litellm, otel
from adapters.traffic.log import LogReport, Progress
from adapters.traffic.own import reader as own
from adapters.traffic.reading import ANY_SOURCE, DEFAULT_CATEGORY, Found, Reading
from adapters.traffic.source import LogFile, Source, source_of
from bandit.signals import THUMB

PROGRESS_STEPS: Final = 1000
_SHOWN_COLUMNS: Final = 40
_DAILY_SUMS: Final = frozenset({"date", "model", "requests", "usage"})


class Reader(NamedTuple):
    """What can read a format: its name, whether a file has its columns, and the calls of a log in it.

    `batches` reads a log in columns at once; it returns None where that cannot be done. `has_namespaces` tells whether
    its calls are of tenants.
    """

    name: str
    matches: Callable[[frozenset[str]], bool]
    calls: Callable[[Source, Reading], Iterator[Found]]
    batches: Callable[[Source, Reading, int, Progress | None], Iterator[Calls] | None] | None = None
    has_namespaces: bool = False


READERS: Final = (
    Reader("routeward", own.matches, own.calls, own.batches, has_namespaces=True),
    Reader("litellm", litellm.matches, litellm.calls),
    Reader("langfuse", langfuse.matches, langfuse.calls),
    Reader("otel", otel.matches, otel.calls),
    Reader("full-information", full_information.matches, full_information.calls),
    Reader("generic", generic.matches, generic.calls),
)
"""In the order in which they are tried: the first that matches reads the log."""


@dataclass(slots=True)
class FileLog:
    """A log in files; `report` is complete when it has been read to its end."""

    source: Source
    reader: Reader
    column_map: ColumnMap
    quality_source: str
    report: LogReport
    namespace: str = ""

    def calls(self, progress: Progress | None = None) -> Iterator[Call]:
        """Read every usable call in the order of the log. Raises LogError where it cannot be read on."""
        reading = self._begun()
        report = self.report = reading.report
        findings, shown = Findings(report), 0
        for found in self.reader.calls(self.source, reading):
            if progress is not None and int(found.record.done * PROGRESS_STEPS) > shown:
                shown = int(found.record.done * PROGRESS_STEPS)
                progress(shown, PROGRESS_STEPS)
            if findings.is_new(found):
                report.line, report.file = found.record.line, found.record.file
                yield found.call if found.call.category else found.call._replace(category=DEFAULT_CATEGORY)
        if progress is not None and shown < PROGRESS_STEPS:
            progress(PROGRESS_STEPS, PROGRESS_STEPS)
        findings.conclude(reading)

    def batches(self, size: int = BATCH, progress: Progress | None = None) -> Iterator[Calls]:
        """Read them in columns."""
        reading = self._begun()
        found = self.reader.batches and self.reader.batches(self.source, reading, size, progress)
        if not found:
            yield from batches(self.calls(progress), size)
            return
        self.report = reading.report
        yield from found
        Findings(reading.report).conclude(reading)

    def _begun(self) -> Reading:
        return Reading(LogReport(self.reader.name), self.column_map, self.quality_source, self.namespace)


def open_log(
    path: Path,
    *,
    column_map: ColumnMap | None = None,
    quality_source: str = ANY_SOURCE,
    fmt: str | None = None,
    namespace: str = "",
) -> FileLog:
    """Open a file or a folder.

    `column_map` says for fields where they are and in which unit, `quality_source` which judgements count (`any`,
    `thumb` or `score:NAME`), `fmt` names the format where it is not to be found by the columns, `namespace` what to
    read of routeward's own logs where they are of several.

    Raises LogError where it cannot be read, or no format fits: with the columns that are there, and what is missing.
    """
    if quality_source not in (ANY_SOURCE, THUMB) and not quality_source.startswith(SCORE):
        raise LogError(f"quality source {quality_source} is none of {ANY_SOURCE}, {THUMB}, {SCORE}NAME")
    mapped, source = dict(column_map or {}), source_of(path)
    reader = _reader(source, mapped, fmt)
    if namespace and not reader.has_namespaces:
        raise LogError(f"{path} is in format {reader.name}, which has no namespaces: '{namespace}' names nothing in it")
    return FileLog(source, reader, mapped, quality_source, LogReport(reader.name), namespace)


def _reader(source: Source, column_map: ColumnMap, fmt: str | None) -> Reader:
    known = {reader.name: reader for reader in READERS}
    if fmt is not None:
        if fmt not in known:
            raise LogError(f"format {fmt} is not known; known: {', '.join(known)}")
        return known[fmt]
    found: dict[str, tuple[Reader, str]] = {}
    for file in source.files:
        if file.columns:
            reader = _reader_of(file, column_map)
            found.setdefault(reader.name, (reader, file.name))
    if not found:
        raise LogError(f"{source.path} holds no row that can be read")
    if len(found) > 1:
        several = ", ".join(f"{name} ({file})" for name, (_, file) in found.items())
        raise LogError(f"{source.path} holds files of several formats, {several}; keep each in a folder of its own")
    [(reader, _)] = found.values()
    return reader


def _reader_of(file: LogFile, column_map: ColumnMap) -> Reader:
    heads = {column.path: column.path.partition(".")[0] for column in column_map.values()}
    gone = [path for path, head in heads.items() if not {path, head} & file.columns]
    shown = _listed(file.columns)
    if gone:
        raise LogError(f"{file.name} has no column {', '.join(gone)}; it has {shown}")
    columns = file.columns.union(*map(generic.named, column_map))
    for reader in READERS:
        if reader.matches(columns):
            return reader
    if columns >= _DAILY_SUMS:
        raise LogError(f"{file.name} has sums by day and model, as OpenRouter's activity has; give single calls")
    lacking = "what was measured of a call" if "model" in columns else "the model of a call"
    raise LogError(
        f"{file.name} is in no format that is known: there is no column that says {lacking}. It has {shown}. "
        f"Name yours, as in --map model=COLUMN --map latency=COLUMN:ms (fields: {', '.join(FIELDS)})"
    )


def _listed(columns: frozenset[str]) -> str:
    names = [reprlib.repr(name)[1:-1] for name in sorted(columns)]
    more = f" and {len(names) - _SHOWN_COLUMNS} more" if len(names) > _SHOWN_COLUMNS else ""
    return f"the columns {', '.join(names[:_SHOWN_COLUMNS])}{more}"
