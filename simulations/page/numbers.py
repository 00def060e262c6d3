"""Every number of a document as long rows: which table, which row of it, which field, what value."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

HEADING: Final = ("document", "table", "row", "field", "value")
_NAMES: Final = ("name", "id", "category", "model", "policy")
"""Fields whose texts name an entry of a list."""


class Number(NamedTuple):
    """One number, or None for unknown; `row` is the path to it inside its table, parts joined by " / "."""

    table: str
    row: str
    field: str
    value: float | None


def numbers(document: Mapping[str, Any]) -> Iterator[Number]:
    """Yield every number of a document, unknown ones too."""
    for table, value in document.items():
        yield from _inside(table, (), value)


def as_csv(documents: Mapping[str, Mapping[str, Any]]) -> str:
    """Return documents, by their names, as one CSV; an empty value is unknown."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADING)
    for name, document in documents.items():
        writer.writerows((name, *number) for number in numbers(document))
    return text.getvalue()


def _inside(table: str, path: tuple[str, ...], value: Any) -> Iterator[Number]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _inside(table, (*path, str(name)), inner)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _inside(table, (*path, _name(inner, place)), inner)
    elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        *row, field = path or (table,)
        yield Number(table, " / ".join(row), field, value)


def _name(entry: Any, place: int) -> str:
    """Name an entry of a list by its own names, else by its place."""
    if not isinstance(entry, Mapping):
        return str(place)
    named = [str(entry[name]) for name in _NAMES if isinstance(entry.get(name), str)]
    return " / ".join(named) or str(place)
