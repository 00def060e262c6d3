"""Under which names spans say what a call is and how it went: data, newest names first.

`gen_ai.*` is from the semantic conventions for generative AI of OpenTelemetry, all of it still in development: names
were and will be changed, so every name that was ever written is kept. `llm.*` is from OpenInference. `routeward.*` is
what this project adds to a span. `span.*` is not written by anybody: the reader puts there what a span itself says.
"""

from typing import Final

from adapters.traffic.fields import Column, Layout

COLUMNS: Final[Layout] = {
    "call_id": (Column("routeward.decision_id"), Column("gen_ai.response.id"), Column("span.id")),
    "session": (
        Column("gen_ai.conversation.id"),
        Column("session.id"),
        Column("span.trace"),
    ),
    "time": (Column("span.start", "ns"),),
    "answered": (Column("span.end", "ns"),),
    "category": (
        Column("routeward.category"),
        Column("gen_ai.agent.name"),
        Column("gen_ai.prompt.name"),
        Column("gen_ai.operation.name"),
        Column("llm.request.type"),
    ),
    "model": (
        Column("routeward.model"),
        Column("gen_ai.request.model"),
        Column("gen_ai.response.model"),
        Column("llm.model_name"),
        Column("llm.request.model"),
    ),
    "kind": (Column("routeward.kind"),),
    "propensity": (Column("routeward.propensity"),),
    "probabilities": (Column("routeward.probabilities"),),
    "eligible": (Column("routeward.eligible"),),
    "input_tokens": (
        Column("gen_ai.usage.input_tokens"),
        Column("gen_ai.usage.prompt_tokens"),
        Column("llm.token_count.prompt"),
        Column("llm.usage.prompt_tokens"),
    ),
    "cached_input_tokens": (
        Column("gen_ai.usage.cache_read.input_tokens"),
        Column("gen_ai.usage.cache_read_input_tokens"),
        Column("llm.token_count.prompt_details.cache_read"),
    ),
    "output_tokens": (
        Column("gen_ai.usage.output_tokens"),
        Column("gen_ai.usage.completion_tokens"),
        Column("llm.token_count.completion"),
        Column("llm.usage.completion_tokens"),
    ),
    "cost": (Column("gen_ai.usage.cost", "usd"), Column("llm.cost.total", "usd")),
    "first_token": (Column("gen_ai.response.time_to_first_chunk", "s"),),
}
PROVIDER: Final = ("gen_ai.provider.name", "gen_ai.system", "llm.provider")
OPERATION: Final = "gen_ai.operation.name"
NO_CALL: Final = frozenset(
    {"embeddings", "execute_tool", "invoke_agent", "create_agent", "invoke_workflow", "retrieval", "rerank"}
)
"""Operations that are no call to a language model, though they may name one."""
ERROR: Final = "error.type"
EVALUATION: Final = "gen_ai.evaluation.result"
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
EVALUATION_VALUE: Final = "gen_ai.evaluation.score.value"
EVALUATION_LABEL: Final = "gen_ai.evaluation.score.label"
RESPONSE_ID: Final = "gen_ai.response.id"
LABELS: Final = {"pass": 1.0, "fail": 0.0, "correct": 1.0, "incorrect": 0.0}
"""Labels that say as much as a value, where an evaluation has none."""
TABLE: Final = {
    "span.id": ("SpanId", "span_id", "spanId", "context.span_id"),
    "span.trace": ("TraceId", "trace_id", "traceId", "context.trace_id"),
    "span.parent": ("ParentSpanId", "parent_span_id", "parentSpanId", "parent_id"),
    "span.name": ("SpanName", "span_name", "name"),
    "span.start": ("Timestamp", "start_time", "startTime", "start_time_unix_nano", "startTimeUnixNano", "timestamp"),
    "span.end": ("end_time", "endTime", "end_time_unix_nano", "endTimeUnixNano"),
    "span.duration": ("Duration", "duration_ns", "durationNano"),
    "span.status": ("StatusCode", "status_code", "statusCode"),
}
"""Columns of flat tables of spans; a duration is in nanoseconds, and so is a time that is a number."""
ATTRIBUTES: Final = ("SpanAttributes", "span_attributes", "attributes", "Attributes")
EVENT_NAMES: Final = "Events.Name"
EVENT_ATTRIBUTES: Final = "Events.Attributes"
EVENT_TIMES: Final = "Events.Timestamp"
EVENTS: Final = ("events", "Events")
