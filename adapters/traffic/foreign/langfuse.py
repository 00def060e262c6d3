"""Langfuse: observations and scores as its exports and its API write them, in one folder.

* Calls are the observations of type GENERATION.
* The latency is `end_time - start_time`: the column `latency` is in milliseconds in exports set up before April 2026.
* A score belongs to its observation; one of a trace to the trace's only generation, and to none where there are more.
* Only numeric scores from 0 to 1 and boolean ones are judgements; one of a category is the category's number.
* A cost of 0 counts only where its parts are there: without a price Langfuse writes 0.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from adapters.traffic import cells
from adapters.traffic.calls import Call
from adapters.traffic.errors import LogError
from adapters.traffic.fields import Column, Layout
from adapters.traffic.foreign.call import foreign_call, paid, timed
from adapters.traffic.foreign.judgements import Judgements
from adapters.traffic.plan import Plan, first
from adapters.traffic.reading import Found, Reading
from adapters.traffic.rows import Row
from adapters.traffic.source import LogFile, Source
from bandit.signals import Status

COLUMNS: Final[Layout] = {
    "call_id": (Column("id"),),
    "session": (Column("session_id"), Column("sessionId"), Column("trace_id"), Column("traceId")),
    "time": (Column("start_time"), Column("startTime")),
    "answered": (Column("end_time"), Column("endTime")),
    "model": (Column("provided_model_name"), Column("providedModelName"), Column("model")),
    "category": (
        Column("metadata.category"),
        Column("prompt_name"),
        Column("promptName"),
        Column("trace_name"),
        Column("traceName"),
        Column("name"),
    ),
    "cost": (
        Column("total_cost", "usd"),
        Column("totalCost", "usd"),
        Column("calculatedTotalCost", "usd"),
    ),
}
_FIRST_TOKEN: Final = (Column("completion_start_time"), Column("completionStartTime"))
_USAGE: Final = (Column("usage_details"), Column("usageDetails"), Column("usage"))
_COSTS: Final = (Column("cost_details"), Column("costDetails"))
_TRACE: Final = (Column("trace_id"), Column("traceId"))
_OBSERVATION: Final = (Column("observation_id"), Column("observationId"))
_TYPE: Final = (Column("data_type"), Column("dataType"))
_TIME: Final = (Column("timestamp"), Column("created_at"), Column("createdAt"))


def matches(columns: frozenset[str]) -> bool:
    """Return whether these are observations, scores or traces."""
    return is_of_observations(columns) or is_of_scores(columns) or is_of_traces(columns)


def is_of_observations(columns: frozenset[str]) -> bool:
    """Return whether the rows are observations."""
    return {"id", "type"} <= columns and bool({"start_time", "startTime"} & columns) and _has_trace(columns)


def is_of_scores(columns: frozenset[str]) -> bool:
    """Return whether the rows are scores."""
    return {"id", "name", "value"} <= columns and _has_trace(columns)


def is_of_traces(columns: frozenset[str]) -> bool:
    """Return whether the rows are traces, which say nothing that is needed."""
    return {"id", "timestamp", "bookmarked", "public"} <= columns and not is_of_observations(columns)


def _has_trace(columns: frozenset[str]) -> bool:
    return bool({"trace_id", "traceId"} & columns)


def calls(source: Source, reading: Reading) -> Iterator[Found]:
    """Yield the generations with their scores. Raises LogError where there are no observations."""
    observations = tuple(file for file in source.files if is_of_observations(file.columns))
    if not observations:
        raise LogError(f"{source.path} has no observations of Langfuse; give the folder with observations and scores")
    judgements = _judgements(source, observations, reading)
    plan = Plan.of(reading.layout(COLUMNS))
    return reading.usable(source.records(observations), lambda row: _call_of(row, plan, reading, judgements))


def _call_of(row: Row, plan: Plan, reading: Reading, judgements: Judgements) -> tuple[Call, tuple[str, ...]]:
    if cells.text(row.get("type")).upper() != "GENERATION":
        raise ValueError("an observation that is no generation")
    values, judged_us = judgements.of((cells.text(row.get("id")), _trace(row)))
    usage = _numbers(row, _USAGE)
    known = {
        "input_tokens": _tokens(usage, "input"),
        "output_tokens": _tokens(usage, "output"),
        "cached_input_tokens": _tokens(usage, "cache", among="input"),
        "status": _status(row, plan),
        "judged_us": judged_us,
    }
    mapped = {name: value for name, value in known.items() if name not in reading.column_map}
    call, sources = foreign_call(row, plan, reading, values, **mapped)
    column, cell = first(row, _FIRST_TOKEN)
    call = paid(call, is_free=bool(_numbers(row, _COSTS)))
    return timed(call, cells.instant(column.path, cell), reading), sources


def _status(row: Row, plan: Plan) -> Status | None:
    """Return how a generation went; one without an end may still be under way."""
    if cells.text(row.get("level")).upper() == "ERROR":
        return Status.ERROR
    return None if first(row, plan.layout["answered"])[1] is None else Status.OK


def _judgements(source: Source, observations: tuple[LogFile, ...], reading: Reading) -> Judgements:
    scores = tuple(file for file in source.files if is_of_scores(file.columns) and file not in observations)
    found, of_traces = Judgements(), set[str]()
    for record in source.records(scores):
        row = record.row
        about = cells.text(first(row, _OBSERVATION)[1])
        if not about:
            about = _trace(row)
            of_traces.add(about)
        try:
            _add(found, about, row, reading)
        except ValueError as error:
            reading.reject(f"score: {error}", record)
    generations = Counter(
        trace
        for record in (source.records(observations) if of_traces else ())
        if cells.text(record.row.get("type")).upper() == "GENERATION" and (trace := _trace(record.row)) in of_traces
    )
    ambiguous = {trace for trace, count in generations.items() if count > 1}
    if ambiguous:
        said = (
            f"scores of {len(ambiguous):,} traces with several generations are left out: it is unknown which they judge"
        )
        reading.report.notes.append(said)
    found.forget(ambiguous)
    return found


def _add(found: Judgements, about: str, row: Row, reading: Reading) -> None:
    if cells.text(first(row, _TYPE)[1]).upper() not in ("", "NUMERIC", "BOOLEAN"):
        raise ValueError("neither numeric nor boolean")
    source = cells.judge("name", row.get("name"))
    value = reading.judgement(source, row.get("value"))
    column, cell = first(row, _TIME)
    if about and value is not None:
        found.add(about, source, value, cells.instant(column.path, cell))


def _trace(row: Row) -> str:
    return cells.text(first(row, _TRACE)[1])


def _numbers(row: Row, columns: tuple[Column, ...]) -> Mapping[str, float]:
    """Return an object of numbers; one that holds others is left out."""
    found = cells.structure(first(row, columns)[1])
    if not isinstance(found, Mapping):
        return {}
    return {str(key): float(one) for key, one in found.items() if isinstance(one, int | float) and 0 <= one < 1e9}


def _tokens(usage: Mapping[str, float], part: str, *, among: str = "") -> int | None:
    """Return the sum of the parts with a word in their names, as Langfuse adds them up."""
    named = ((name.lower(), number) for name, number in usage.items())
    parts = [number for name, number in named if part in name and among in name and "cost" not in name]
    return round(sum(parts)) if parts else None
