"""One reading of a log: from rows to calls by the layout of a format, and what is told of it meanwhile."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from adapters.traffic import cells
from adapters.traffic.calls import Call
from adapters.traffic.fields import NUMBERS, SCORE, TIMES, Column, ColumnMap, Field, Layout
from adapters.traffic.log import LogReport
from adapters.traffic.rows import BROKEN, Record, Row
from bandit.signals import THUMB, Status

DEFAULT_CATEGORY: Final = "default"
ANY_SOURCE: Final = "any"
_SCALES: Final = ((1.0 + 1e-3), 1e-3)
_WHOLE: Final = ("requested_tokens", "input_tokens", "cached_input_tokens", "output_tokens")
_INSTANT: Final = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}


class Found(NamedTuple):
    """A call, the record it was read from, and the sources of the judgements that the record has of it."""

    record: Record
    call: Call
    sources: tuple[str, ...] = ()


@dataclass(slots=True)
class Reading:
    """What rows are read with, and what is counted while they are.

    `quality_source` is `any` for the mean of a call's judgements, or the one source that counts. `namespace` is the one
    to read of logs that name it; empty where they have only one.
    """

    report: LogReport
    column_map: ColumnMap = field(default_factory=dict)
    quality_source: str = ANY_SOURCE
    namespace: str = ""
    without_category: int = 0
    unusable_judgements: Counter[str] = field(default_factory=Counter)

    def layout(self, of_format: Layout) -> Layout:
        """Return where fields are: as the user says, otherwise as the format does."""
        return {**of_format, **{name: (column,) for name, column in self.column_map.items()}}

    def reject(self, reason: str, record: Record) -> None:
        """Count a row that is left out."""
        self.report.reject(reason, record.line, record.file)

    def usable(self, records: Iterable[Record], read: Callable[[Row], tuple[Call, tuple[str, ...]]]) -> Iterator[Found]:
        """Yield what can be read of each record, and count the others by reason."""
        for record in records:
            try:
                if record.row is BROKEN:
                    raise ValueError("not a row of the log's format")
                call, sources = read(record.row)
            except ValueError as error:
                self.reject(str(error), record)
            else:
                yield Found(record, call, sources)

    def quality(self, judgements: Mapping[str, float]) -> float | None:
        """Return the quality that a call's judgements by source say."""
        if self.quality_source != ANY_SOURCE:
            return judgements.get(self.quality_source)
        return sum(judgements.values()) / len(judgements) if judgements else None

    def judgement(self, source: str, cell: object) -> float | None:
        """Return a judgement that another program wrote; one outside of 0 to 1 is counted and unknown."""
        try:
            return cells.number(source, cell, 0.0, 1.0)
        except ValueError:
            self.unusable_judgements[source] += 1
            return None

    def category(self, column: str, cell: object) -> str:
        """Return the name of a category, mended; `default` where there is none."""
        if not cells.text(cell):
            self.without_category += 1
            return DEFAULT_CATEGORY
        return cells.name(column, cell, mended=True)


def read_texts(row: Row, layout: Layout) -> dict[str, Any]:
    """Return identity, session, kind, status, probabilities and eligible models, as attributes of a `Call`."""
    found: dict[str, Any] = {
        "call_id": cells.text(first(row, layout.get("call_id", ()))[1]),
        "session": cells.text(first(row, layout.get("session", ()))[1]),
    }
    for name, read in (
        ("kind", cells.kind),
        ("probabilities", cells.probabilities),
        ("eligible", cells.names),
    ):
        if name in layout:
            column, cell = first(row, layout[name])
            found[name] = read(column.path, cell)
    found["status"] = _status(row, layout)
    return found


def read_numbers(row: Row, layout: Layout) -> dict[str, Any]:
    """Return everything that is measured, and every time, as attributes of a `Call`."""
    found: dict[str, Any] = {}
    for name, described in NUMBERS.items():
        if name in layout and name != "quality":
            value = _number(described, *first(row, layout[name]))
            found[described.attribute] = round(value) if value is not None and name in _WHOLE else value
    for name, described in TIMES.items():
        if name in layout:
            column, cell = first(row, layout[name])
            found[described.attribute] = cells.instant(column.path, cell, _INSTANT.get(column.unit))
    return found


def read_judgements(row: Row, layout: Layout) -> dict[str, float]:
    """Return a row's judgements by source."""
    found: dict[str, float] = {}
    for name in layout:
        if name == "quality" or name.startswith(SCORE):
            value = _number(NUMBERS["quality"], *first(row, layout[name]))
            if value is not None:
                found[name if name.startswith(SCORE) else SCORE + name] = value
    if "thumb" in layout:
        column, cell = first(row, layout["thumb"])
        up = cells.thumb(column.path, cell)
        if up is not None:
            found[THUMB] = float(up)
    return found


def first(row: Row, columns: Iterable[Column]) -> tuple[Column, object]:
    """Return the first column that says something, and what; an unknown one where none does."""
    column = Column("")
    for column in columns:
        cell = cells.cell_at(row, column.path)
        if cell is not None and (cell == cell) and (not isinstance(cell, str) or cells.text(cell)):
            return column, cell
    return column, None


def consistent(call: Call) -> Call:
    """Check what a row says of the draw. Raises ValueError where it contradicts itself."""
    if call.propensity == 0.0:
        raise ValueError("propensity is 0, and yet the model was drawn")
    if call.probabilities is None:
        if call.eligible is not None and call.model not in call.eligible:
            raise ValueError("the model is not among the eligible ones")
        return call
    drawn = call.probabilities.get(call.model, 0.0)
    if drawn == 0.0:
        raise ValueError("probabilities say that the model could not be drawn")
    if call.propensity is None:
        return call._replace(propensity=drawn)
    if abs(call.propensity - drawn) > 1e-3 * drawn + 1e-6:
        raise ValueError("propensity is another than that of the model among the probabilities")
    return call


def _number(described: Field, column: Column, cell: object) -> float | None:
    scale = described.units.get(column.unit, 1.0)
    value = cells.number(column.path, cell, described.low / scale, described.high / scale)
    return None if value is None else value * scale


def _status(row: Row, layout: Layout) -> Status | None:
    column, cell = first(row, layout.get("status", ()))
    known = cells.status(column.path, cell)
    if known is not None:
        return known
    column, cell = first(row, layout.get("error", ()))
    failed = cells.truth(column.path, cell)
    return None if failed is None else (Status.ERROR if failed else Status.OK)
