"""How the fields of a layout are read from a row: prepared once, because there are many rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from adapters.traffic import cells
from adapters.traffic.fields import NUMBERS, SCORE, TIMES, Column, Field, Layout
from adapters.traffic.rows import Row
from bandit.signals import THUMB, Status

_WHOLE: Final = ("requested_tokens", "input_tokens", "cached_input_tokens", "output_tokens")
_INSTANT: Final = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
_NOWHERE: Final = Column("")
_READ: Final[dict[str, Callable[[str, object], object]]] = {
    "kind": cells.kind,
    "probabilities": cells.probabilities,
    "eligible": cells.names,
}


class _Scaled(NamedTuple):
    """A column of numbers: its range in its own unit, and what it is multiplied with."""

    column: Column
    low: float
    high: float
    scale: float


class _Number(NamedTuple):
    """An attribute of `Call`, or a source of judgements, and the columns that may have it."""

    attribute: str
    columns: tuple[_Scaled, ...]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The fields of a layout, by the way in which they are read."""

    layout: Layout
    _numbers: tuple[_Number, ...]
    _judgements: tuple[_Number, ...]

    @classmethod
    def of(cls, layout: Layout) -> "Plan":
        """Prepare the reading of rows."""
        numbers = [_number(one.attribute, layout[name], one, name) for name, one in NUMBERS.items() if name in layout]
        scores = [
            _number(name if name.startswith(SCORE) else SCORE + name, columns, NUMBERS["quality"], name)
            for name, columns in layout.items()
            if name == "quality" or name.startswith(SCORE)
        ]
        return cls(layout, tuple(one for one in numbers if one.attribute != "quality"), tuple(scores))

    def first(self, row: Row, field: str) -> tuple[Column, object]:
        """Return the first column of a field that says something, and what."""
        return first(row, self.layout.get(field, ()))

    def attributes(self, row: Row) -> dict[str, Any]:
        """Return what a row knows of a call besides its names and its quality. Raises ValueError with the reason."""
        found: dict[str, Any] = {}
        for name in ("call_id", "session"):
            if name in self.layout:
                found[name] = cells.text(self.first(row, name)[1])
        for name, read in _READ.items():
            if name in self.layout:
                column, cell = self.first(row, name)
                found[name] = None if cell is None else read(column.path, cell)
        for name, described in TIMES.items():
            if name in self.layout:
                column, cell = self.first(row, name)
                time = None if cell is None else cells.instant(column.path, cell, _INSTANT.get(column.unit))
                found[described.attribute] = time
        found["status"] = self._status(row)
        _read_numbers(row, self._numbers, found)
        return found

    def judgements(self, row: Row) -> dict[str, float]:
        """Return a row's judgements by source. Raises ValueError with the reason for which one is none."""
        found: dict[str, float] = {}
        _read_numbers(row, self._judgements, found)
        column, cell = self.first(row, "thumb")
        up = cells.thumb(column.path, cell)
        if up is not None:
            found[THUMB] = float(up)
        return found

    def _status(self, row: Row) -> Status | None:
        column, cell = self.first(row, "status")
        known = cells.status(column.path, cell)
        if known is not None:
            return known
        column, cell = self.first(row, "error")
        failed = cells.truth(column.path, cell)
        return None if failed is None else (Status.ERROR if failed else Status.OK)


def first(row: Row, columns: Iterable[Column]) -> tuple[Column, object]:
    """Return the first column that says something, and what; the last one and None where none does."""
    column = _NOWHERE
    for column in columns:
        cell = _cell(row, column.path)
        if cell is not None:
            return column, cell
    return column, None


def _cell(row: Row, path: str) -> object:
    """Return what a column says; None where that is unknown."""
    cell = row.get(path)
    if cell is None and "." in path:
        cell = cells.cell_at(row, path)
    if cell is None or cell != cell or (isinstance(cell, str) and not cells.text(cell)):
        return None
    return cell


def _number(attribute: str, columns: Iterable[Column], described: Field, field: str) -> _Number:
    scaled = []
    for column in columns:
        scale = described.units.get(column.unit, 1.0)
        scaled.append(_Scaled(column, described.low / scale, described.high / scale, scale))
    return _Number(attribute, tuple(scaled), field in _WHOLE)


def _read_numbers(row: Row, numbers: Iterable[_Number], found: dict[str, Any]) -> None:
    for attribute, columns, is_whole in numbers:
        for column, low, high, scale in columns:
            cell = _cell(row, column.path)
            if cell is not None:
                value = cells.number(column.path, cell, low, high)
                if value is not None:
                    found[attribute] = round(value * scale) if is_whole else value * scale
                break
