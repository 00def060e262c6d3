"""OpenTelemetry: calls are spans of generative AI, judgements are evaluations of them.

* The model is `provider/model` as requested: an answer names a version that a failed call never tells.
* The category is `routeward.category`, else the agent, the prompt or the operation.
* The conventions have no cost: it is known where an instrumentation wrote one all the same.
* A span without an error went well, as the conventions say.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from adapters.traffic import cells
from adapters.traffic.calls import Call
from adapters.traffic.foreign import otel_names
from adapters.traffic.foreign.call import foreign_call, timed
from adapters.traffic.foreign.judgements import Judgements
from adapters.traffic.foreign.spans import Evaluation, evaluations_of, logged_evaluations, spans_of
from adapters.traffic.plan import Plan
from adapters.traffic.reading import Found, Reading
from adapters.traffic.rows import BROKEN, Record, Row
from adapters.traffic.source import Source
from bandit.signals import Status

_PREFIXES: Final = ("gen_ai.", "llm.")
_FAILED: Final = {"2", "error", "status_code_error"}
_MODELS: Final = otel_names.COLUMNS["model"]


def matches(columns: frozenset[str]) -> bool:
    """Return whether these are lines of OTLP, or the columns of a table of spans."""
    is_otlp = bool({"resourceSpans", "resourceLogs"} & columns)
    has_attributes = bool(columns.intersection(otel_names.ATTRIBUTES))
    has_span = bool(columns.intersection(otel_names.TABLE["span.id"]))
    return is_otlp or (has_span and has_attributes) or any(column.startswith(_PREFIXES) for column in columns)


def calls(source: Source, reading: Reading) -> Iterator[Found]:
    """Yield the calls of a log; it is read once before for the evaluations, which may stand after their spans."""
    judgements, plan = _judgements(source, reading), Plan.of(reading.layout(otel_names.COLUMNS))
    for record in source.records():
        yield from reading.usable(_spans(record, reading), lambda row: _call_of(row, plan, reading, judgements))


def _spans(record: Record, reading: Reading) -> Iterator[Record]:
    if record.row is BROKEN:
        yield record
        return
    try:
        for span in spans_of(record.row):
            yield record._replace(row=span)
    except ValueError as error:
        reading.reject(str(error), record)


def _call_of(row: Row, plan: Plan, reading: Reading, judgements: Judgements) -> tuple[Call, tuple[str, ...]]:
    named = [column for column in plan.layout["model"] if cells.text(cells.cell_at(row, column.path))]
    if not named or row.get(otel_names.OPERATION) in otel_names.NO_CALL:
        raise ValueError("a span of no call to a language model")
    if named[0] in _MODELS[1:]:
        row = {**row, "routeward.model": _with_provider(row, named[0].path)}
    response, span = cells.text(row.get(otel_names.RESPONSE_ID)), cells.text(row.get("span.id"))
    values, judged_us = judgements.of((span, response))
    call, sources = foreign_call(row, plan, reading, values, status=_status(row), judged_us=judged_us)
    return timed(call, None, reading), sources


def _with_provider(row: Row, column: str) -> str:
    model = cells.text(cells.cell_at(row, column))
    provider = next((found for name in otel_names.PROVIDER if (found := cells.text(row.get(name)))), "")
    return f"{provider}/{model}" if provider and not model.startswith(f"{provider}/") else model


def _status(row: Row) -> Status:
    error = cells.text(row.get(otel_names.ERROR)).lower()
    if not error and cells.text(row.get("span.status")).lower() not in _FAILED:
        return Status.OK
    if "timeout" in error or error in ("408", "504"):
        return Status.TIMEOUT
    if "ratelimit" in error.replace("_", "") or error == "429":
        return Status.RATE_LIMITED
    return Status.CANCELLED if "cancel" in error else Status.ERROR


def _judgements(source: Source, reading: Reading) -> Judgements:
    found = Judgements()
    for record in source.records():
        try:
            for evaluation in logged_evaluations(record.row):
                _add(found, evaluation, record, reading)
        except ValueError as error:
            reading.reject(str(error), record)
        with suppress(ValueError):  # told when the calls are read
            for evaluation in evaluations_of(spans_of(record.row)):
                _add(found, evaluation, record, reading)
    return found


def _add(found: Judgements, evaluation: Evaluation, record: Record, reading: Reading) -> None:
    try:
        _judge(found, evaluation, reading)
    except ValueError as error:
        reading.reject(f"evaluation: {error}", record)


def _judge(found: Judgements, evaluation: Evaluation, reading: Reading) -> None:
    attributes = evaluation.attributes
    about = cells.text(attributes.get(otel_names.RESPONSE_ID)) or evaluation.span  # the span may be the judge's own
    source = cells.judge("name", attributes.get(otel_names.EVALUATION_NAME))
    value = reading.judgement(source, attributes.get(otel_names.EVALUATION_VALUE))
    if attributes.get(otel_names.EVALUATION_VALUE) is None:
        value = otel_names.LABELS.get(cells.text(attributes.get(otel_names.EVALUATION_LABEL)).lower())
    if about and value is not None:
        found.add(about, source, value, cells.instant("time", evaluation.time, 1e-3))
