"""What Anthropic's Messages API answers, and what it says when it fails."""

from typing import Any, Final

from adapters.providers.chat import Answer, Usage
from adapters.providers.errors import (
    CredentialRefusedError,
    MalformedAnswerError,
    ProviderError,
    RequestRefusedError,
    UnsupportedRequestError,
)
from adapters.providers.formats.anthropic_words import ERROR_STATUSES, FINISH_REASONS
from adapters.providers.formats.completions import STOP, Choice, Spent, Told, compact, completion, tool_call
from adapters.providers.formats.failures import CONTEXT_LENGTH, Report, explained, reported, typed
from adapters.providers.json_text import count, field, read, text

_ONLY_HERE: Final = ("for this model", "does not support", "not supported", "Extra inputs are not permitted")
"""Of a field that this model, or the version of the API that the operator set, does not have."""

_TOO_LONG: Final = ("prompt is too long", "exceed context limit")
_NO_CREDIT: Final = "credit balance is too low"


def read_answer(content: bytes, request_id: str, created: int) -> Answer:
    """Read a message. Raises MalformedAnswerError, or the error that it is."""
    message = read(content)
    if (report := reported(message)) is not None:
        raise failure_within(report, request_id)
    blocks = field(message, "content")
    if field(message, "type") != "message" or not isinstance(blocks, list):
        raise MalformedAnswerError("the provider sent JSON that is no message", request_id=request_id)
    choice = Choice(
        text="".join(text(field(block, "text")) for block in blocks if field(block, "type") == "text"),
        reasoning="".join(text(field(block, "thinking")) for block in blocks if field(block, "type") == "thinking"),
        tool_calls=[_tool_call(block) for block in blocks if field(block, "type") == "tool_use"],
        finish_reason=finish_reason(field(message, "stop_reason")),
    )
    return completion(told(message, created), [choice], spent(field(message, "usage")), request_id)


def told(message: Any, created: int) -> Told:
    """Return what a message tells of itself."""
    return Told(text(field(message, "id")), created, text(field(message, "model")))


def finish_reason(stop_reason: Any) -> str:
    """Return OpenAI's word for why the model stopped."""
    return FINISH_REASONS.get(stop_reason, STOP) if isinstance(stop_reason, str) else STOP


def spent(usage: Any) -> Spent:
    """Read an account of tokens: those that the cache took or gave are not among its `input_tokens`."""
    fresh, cached = count(field(usage, "input_tokens")), count(field(usage, "cache_read_input_tokens"))
    kept = count(field(usage, "cache_creation_input_tokens"))
    prompt = None if fresh is None else fresh + (cached or 0) + (kept or 0)
    thoughts = count(field(usage, "output_tokens_details", "thinking_tokens"))
    return Spent(Usage(prompt, cached, count(field(usage, "output_tokens"))), thoughts)


def _tool_call(block: Any) -> dict[str, Any]:
    arguments = field(block, "input")
    if not isinstance(arguments, dict):
        raise MalformedAnswerError("the provider sent a tool call without arguments")
    return tool_call(text(field(block, "id")), text(field(block, "name")), compact(arguments))


def read_failure(
    status: int, content: bytes, *, retry_after_s: float | None = None, request_id: str = ""
) -> ProviderError:
    """Return what a response that is no 200 means."""
    return _typed(status, explained(content), retry_after_s, request_id)


def failure_within(report: Report, request_id: str = "") -> ProviderError:
    """Return what an error means that is reported within a 200."""
    failure = _typed(ERROR_STATUSES.get(report.kind, 500), report, None, request_id)
    failure.http_status = 200
    return failure


def _typed(status: int, report: Report, retry_after_s: float | None, request_id: str) -> ProviderError:
    """Return an error that says whose fault it is, where the API puts all down to the request."""
    if status == 400 and any(words in report.message for words in _TOO_LONG):
        report = report._replace(code=CONTEXT_LENGTH)
    error = typed(status, report, retry_after_s=retry_after_s, request_id=request_id)
    if not isinstance(error, RequestRefusedError):
        return error
    if _NO_CREDIT in report.message:
        return CredentialRefusedError(error.message, http_status=status, request_id=request_id)
    if any(words in report.message for words in _ONLY_HERE):
        return UnsupportedRequestError(
            error.message, code=error.code, param=error.param, http_status=status, request_id=request_id
        )
    return error
