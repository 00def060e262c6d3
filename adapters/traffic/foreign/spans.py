"""Spans and their evaluations, from OTLP in JSON or from flat tables, in one flat form.

A span is a row of its attributes by name, with what it says itself under `span.id`, `span.trace`, `span.parent`,
`span.name`, `span.start` and `span.end` (nanoseconds since 1970, or a time), and `span.status`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from adapters.traffic import cells
from adapters.traffic.foreign import otel_names
from adapters.traffic.rows import Row

_DEPTH: Final = 8
"""Values of attributes in one another that are read."""


class Evaluation(NamedTuple):
    """The attributes of an evaluation, when it was, and the span it hangs on."""

    attributes: Row
    time: object
    span: str


def spans_of(row: Row) -> Iterator[Row]:
    """Yield the spans of a row: of a line of OTLP all that it holds, of a table one.

    Raises ValueError where it has something else in their place, or a time that there cannot be.
    """
    if "resourceSpans" not in row and "resourceLogs" not in row:
        yield _span_of_table(row)
        return
    for scope in _scopes(row, "resourceSpans", ("scopeSpans", "instrumentationLibrarySpans")):
        for span in _listed(scope, "spans"):
            yield _span(span)


def logged_evaluations(row: Row) -> Iterator[Evaluation]:
    """Yield the evaluations among the records of logs that a row holds. Raises ValueError as `spans_of` does."""
    for scope in _scopes(row, "resourceLogs", ("scopeLogs", "instrumentationLibraryLogs")):
        for record in _listed(scope, "logRecords"):
            attributes = _attributes(record.get("attributes"))
            name = record.get("eventName") or attributes.get("event.name")
            if name == otel_names.EVALUATION:
                yield Evaluation(attributes, record.get("timeUnixNano"), cells.text(record.get("spanId")))


def evaluations_of(spans: Iterable[Row]) -> Iterator[Evaluation]:
    """Yield the evaluations of spans: their events, and spans that stand for an event."""
    for span in spans:
        if span.get("span.name") == otel_names.EVALUATION:
            yield Evaluation(span, span.get("span.start"), cells.text(span.get("span.parent")))
        events = span.get("span.events")
        for name, attributes, time in events if isinstance(events, list) else ():
            if name == otel_names.EVALUATION:
                yield Evaluation(attributes, time, cells.text(span.get("span.id")))


def _span(span: Mapping[str, Any]) -> Row:
    status = span.get("status")
    return {
        **_attributes(span.get("attributes")),
        "span.id": span.get("spanId"),
        "span.trace": span.get("traceId"),
        "span.parent": span.get("parentSpanId"),
        "span.name": span.get("name"),
        "span.start": span.get("startTimeUnixNano"),
        "span.end": span.get("endTimeUnixNano"),
        "span.status": status.get("code") if isinstance(status, Mapping) else None,
        "span.events": [
            (event.get("name"), _attributes(event.get("attributes")), event.get("timeUnixNano"))
            for event in _objects(span.get("events"))
        ],
    }


def _span_of_table(row: Row) -> Row:
    found: dict[str, object] = dict(row)
    for column in otel_names.ATTRIBUTES:
        found |= _attributes(cells.structure(row.get(column)))
    for name, columns in otel_names.TABLE.items():
        found[name] = next((row[column] for column in columns if row.get(column) is not None), None)
    if found["span.end"] is None:
        found["span.end"] = _end(found["span.start"], found.pop("span.duration"))
    found["span.events"] = list(_events_of_table(row))
    return found


def _end(start: object, duration: object) -> object:
    """Return when a span ended that says how many nanoseconds it took."""
    length = cells.number("duration", duration, 0.0, 1e18)
    began = cells.instant("start", start, 1e-3)
    if length is None or began is None:
        return None
    return datetime(1970, 1, 1) + timedelta(microseconds=began + round(length / 1e3))  # noqa: DTZ001 -- read as UTC


def _events_of_table(row: Row) -> Iterator[tuple[object, Row, object]]:
    columns = (otel_names.EVENT_NAMES, otel_names.EVENT_ATTRIBUTES, otel_names.EVENT_TIMES)
    names, attributes, times = (_list(row.get(column)) for column in columns)
    for place, name in enumerate(names):
        known = attributes[place] if place < len(attributes) else None
        yield name, _attributes(known), times[place] if place < len(times) else None
    for column in otel_names.EVENTS:
        for event in _objects(cells.structure(row.get(column))):
            time = event.get("timestamp", event.get("timeUnixNano"))
            yield event.get("name"), _attributes(event.get("attributes")), time


def _scopes(row: Row, top: str, inner: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    for resource in _listed(row, top):
        for name in inner:
            yield from _listed(resource, name)


def _listed(row: Row, name: str) -> Sequence[Mapping[str, Any]]:
    """Return the objects that a row lists. Raises ValueError where it lists something else."""
    cell = cells.structure(row.get(name))
    if cell is None:
        return ()
    if not isinstance(cell, list | tuple) or not all(isinstance(one, Mapping) for one in cell):
        raise ValueError(f"{name} is no list of objects")
    return cell


def _objects(found: object) -> Iterator[Mapping[str, Any]]:
    return (one for one in _list(found) if isinstance(one, Mapping))


def _list(found: object) -> list[Any]:
    known = cells.structure(found)
    return list(known) if isinstance(known, list | tuple) else []


def _attributes(found: object) -> dict[str, Any]:
    """Return attributes by name, from the list of OTLP or from an object."""
    known = cells.structure(found)
    if isinstance(known, Mapping):
        return {str(name): value for name, value in known.items()}
    return {str(one.get("key")): _value(one.get("value")) for one in _objects(known)}


def _value(found: object, depth: int = _DEPTH) -> object:
    """Return the value of an attribute of OTLP."""
    if not isinstance(found, Mapping) or depth == 0:
        return None
    for name, value in found.items():
        if name == "arrayValue" and isinstance(value, Mapping):
            return [_value(one, depth - 1) for one in _objects(value.get("values"))]
        if name == "kvlistValue" and isinstance(value, Mapping):
            inner = _objects(value.get("values"))
            return {str(one.get("key")): _value(one.get("value"), depth - 1) for one in inner}
        if name in ("stringValue", "intValue", "doubleValue", "boolValue"):
            return value
    return None
