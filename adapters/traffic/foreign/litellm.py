"""LiteLLM: exports of the table of spend logs, and files of StandardLoggingPayload objects.

* The model is `custom_llm_provider/model`: the same family at two providers is two models.
* The category is what its routers say of a request, else its first tag that is not a user agent, else its model group
  where that is not just the model.
* The latency is `endTime - startTime`: `response_time` is that to the first token where an answer was streamed.
* Spend and tokens are 0 by default, which is unknown; a cost of 0 counts only where the model's prices are 0.
* Answers from a cache and calls to anything but a language model are left out.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapters.traffic import cells
from adapters.traffic.calls import Call
from adapters.traffic.fields import Column, Layout
from adapters.traffic.foreign.call import foreign_call, paid, timed
from adapters.traffic.plan import Plan, first
from adapters.traffic.reading import Found, Reading
from adapters.traffic.rows import Row
from adapters.traffic.source import Source
from bandit.signals import Status

COLUMNS: Final[Layout] = {
    "call_id": (Column("request_id"), Column("litellm_call_id"), Column("id")),
    "session": (Column("session_id"), Column("trace_id")),
    "time": (Column("startTime", "s"),),
    "answered": (Column("endTime", "s"),),
    "model": (Column("model"),),
    "category": (
        Column("metadata.routing_decision.request_type"),
        Column("metadata.routing_decision.tier"),
        Column("request_tags"),
        Column("model_group"),
    ),
    "input_tokens": (Column("prompt_tokens"),),
    "cached_input_tokens": (
        Column("metadata.usage_object.prompt_tokens_details.cached_tokens"),
        Column("metadata.usage_object.cache_read_input_tokens"),
        Column("metadata.additional_usage_values.cache_read_input_tokens"),
    ),
    "output_tokens": (Column("completion_tokens"),),
    "cost": (Column("spend", "usd"), Column("response_cost", "usd")),
    "latency": (Column("request_duration_ms", "ms"),),
    "status": (Column("status"), Column("metadata.status")),
}
_FIRST_TOKEN: Final = (Column("completionStartTime", "s"),)
_PRICES: Final = ("model_map_information.model_map_value", "metadata.model_map_information.model_map_value")
_ERRORS: Final = ("error_information", "metadata.error_information")
_NO_LANGUAGE_MODEL: Final = ("embedding", "image", "transcription", "speech", "moderation", "rerank", "mcp", "health")
_USER_AGENT: Final = "user-agent"


def matches(columns: frozenset[str]) -> bool:
    """Return whether these are the columns of spend logs, or the keys of payloads."""
    return {"call_type", "startTime", "model"} <= columns and bool({"spend", "response_cost"} & columns)


def calls(source: Source, reading: Reading) -> Iterator[Found]:
    """Yield the calls of a log."""
    plan = Plan.of(reading.layout(COLUMNS))
    return reading.usable(source.records(), lambda row: _call_of(row, plan, reading))


def _call_of(row: Row, plan: Plan, reading: Reading) -> tuple[Call, tuple[str, ...]]:
    kind = cells.text(row.get("call_type")).lower()
    if any(word in kind for word in _NO_LANGUAGE_MODEL):
        raise ValueError("no call to a language model")
    if cells.truth("cache_hit", row.get("cache_hit")):
        raise ValueError("answered from a cache")
    if "category" not in reading.column_map:
        row = {**row, "request_tags": _tag(row.get("request_tags")), "model_group": _group(row)}
    if "model" not in reading.column_map:
        row = {**row, "model": _model(row)}
    call, sources = foreign_call(row, plan, reading, {})
    column, cell = first(row, _FIRST_TOKEN)
    call = timed(paid(call, is_free=_is_free(row)), cells.instant(column.path, cell, 1e6), reading)
    if not cells.number("total_tokens", row.get("total_tokens"), 0.0, 1e9):
        call = call._replace(
            input_tokens=call.input_tokens or None,
            output_tokens=call.output_tokens or None,
        )
    return call._replace(status=_status(call.status, row)), sources


def _model(row: Row) -> str:
    provider, model = cells.text(row.get("custom_llm_provider")), cells.text(row.get("model"))
    return f"{provider}/{model}" if provider and model and not model.startswith(f"{provider}/") else model


def _group(row: Row) -> str:
    group, model = cells.text(row.get("model_group")), cells.text(row.get("model"))
    return "" if group in (model, model.partition("/")[2], _model(row)) else group


def _tag(cell: object) -> str:
    tags = cells.structure(cell)
    words = [cells.text(tag) for tag in tags] if isinstance(tags, list | tuple) else [cells.text(tags)]
    return next((word for word in words if word and not word.lower().startswith(_USER_AGENT)), "")


def _is_free(row: Row) -> bool:
    """Return whether the model's prices are there and are 0."""
    for path in _PRICES:
        prices = cells.structure(cells.cell_at(row, path))
        if isinstance(prices, Mapping):
            known = [prices.get(f"{side}_cost_per_token") for side in ("input", "output")]
            return all(not isinstance(one, bool) and isinstance(one, int | float) and one == 0 for one in known)
    return False


def _status(status: Status | None, row: Row) -> Status | None:
    if status is not Status.ERROR:
        return status
    for path in _ERRORS:
        said: Any = cells.structure(cells.cell_at(row, path))
        if isinstance(said, Mapping):
            code, name = cells.text(said.get("error_code")), cells.text(said.get("error_class")).lower()
            if code == "429" or "ratelimit" in name:
                return Status.RATE_LIMITED
            if code in ("408", "504") or "timeout" in name:
                return Status.TIMEOUT
    return status
