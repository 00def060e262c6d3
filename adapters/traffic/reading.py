"""One reading of a log: from rows to calls by the layout of a format, and what is told of it meanwhile."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from adapters.traffic import cells
from adapters.traffic.calls import Call
from adapters.traffic.fields import ColumnMap, Layout
from adapters.traffic.log import LogReport
from adapters.traffic.rows import BROKEN, Record, Row
from bandit.signals import Kind

DEFAULT_CATEGORY: Final = "default"
ANY_SOURCE: Final = "any"
NOT_DRAWN: Final = (Kind.FORCED, Kind.FALLBACK, Kind.DEGRADED)
"""Kinds of decisions whose model was not drawn."""


class Found(NamedTuple):
    """A call, the record it was read from, and the sources of the judgements that the record has of it.

    Its category is empty where the log says none; it becomes `DEFAULT_CATEGORY`.
    """

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
    unusable_judgements: Counter[str] = field(default_factory=Counter)
    unusable_categories: Counter[str] = field(default_factory=Counter)

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
        """Return the name of a category, mended; an empty one where there is none, or none that can be made a name.

        What another program calls a category may be in any script; the call is as good as others all the same.
        """
        if not cells.text(cell):
            return ""
        try:
            return cells.name(column, cell, mended=True)
        except ValueError:
            self.unusable_categories[column] += 1
            return ""


def consistent(call: Call) -> Call:
    """Return a call with its propensity, where probabilities say it. Raises ValueError where a row contradicts itself.

    What a caller forced, what followed a failure and what was answered without a draw need not be among the drawn.
    """
    if call.kind in NOT_DRAWN:
        return call
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
