"""Reading the own format back, row by row."""

from collections.abc import Iterable, Iterator
from typing import Final

from adapters.traffic.calls import Call
from adapters.traffic.errors import LogError
from adapters.traffic.own.rows import decision_of, is_own
from adapters.traffic.reading import Found, Reading
from adapters.traffic.rows import BROKEN, Record, Row
from adapters.traffic.source import Source

SHOWN: Final = 5
"""Namespaces that a message names."""


def matches(columns: frozenset[str]) -> bool:
    """Tell whether columns are those of this format."""
    return is_own(columns)


def calls(source: Source, reading: Reading) -> Iterator[Found]:
    """Yield the calls of one namespace, which need not be named where there is only one.

    Raises LogError where a second namespace begins, or where the log has none of that name.
    """

    def read(row: Row) -> tuple[Call, tuple[str, ...]]:
        decision = decision_of(row)
        return decision.as_call(reading.quality_source), tuple(decision.judgements)

    return reading.usable(_of_namespace(source.records(), reading.namespace), read)


def _of_namespace(records: Iterable[Record], wanted: str) -> Iterator[Record]:
    only, others = wanted, dict[str, None]()
    is_there = False
    for record in records:
        namespace = record.row.get("namespace")
        if record.row is not BROKEN and isinstance(namespace, str) and namespace:
            only = only or namespace
            if namespace != only:
                others[namespace] = None
                if not wanted:
                    raise LogError(f"the log is of several namespaces; choose one: {only}, {namespace}, ...")
                continue
            is_there = True
        yield record
        if len(others) > SHOWN:
            others.popitem()
    if wanted and not is_there:
        raise LogError(f"the log has no namespace '{wanted}'; it has {', '.join(others) or 'none'}")
