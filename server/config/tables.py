"""Parts of a document that may be wrong: what has the wrong type, which is reported elsewhere, counts as absent."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from server.config.reference import REFERENCE

Tables = Mapping[str, Any]
"""A table of the document as it was read."""

_HUGE: Final = 1e300
"""TOML knows whole numbers that no float can hold."""


def table_of(document: Tables, name: str) -> Tables:
    """Return a table, empty if it is not there."""
    table = document.get(name)
    return table if isinstance(table, Mapping) else {}


def entries_of(table: Tables, name: str) -> Iterator[tuple[int, Tables]]:
    """Yield the tables of a list of tables, with their places."""
    entries = table.get(name)
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        if isinstance(entry, Mapping):
            yield index, entry


def tables_of(document: Tables, name: str) -> Mapping[str, Tables]:
    """Return the tables by name of a table."""
    return {key: one for key, one in table_of(document, name).items() if isinstance(one, Mapping)}


def text_of(document: Tables, table: str, name: str) -> str:
    """Return a text, or its default."""
    value = table_of(document, table).get(name)
    return value if isinstance(value, str) else str(REFERENCE.keys[table, name].default)


def number_of(document: Tables, table: str, name: str) -> float:
    """Return a number, or its default; not a number where it is of another type."""
    value = table_of(document, table).get(name, REFERENCE.keys[table, name].default)
    return float(max(min(value, _HUGE), -_HUGE)) if isinstance(value, int | float) else math.nan


def text_in(table: Tables, name: str, default: str = "") -> str:
    """Return a text of a table that was found, or what stands in for it."""
    value = table.get(name, default)
    return value if isinstance(value, str) else default
