"""What Google's Gemini API answers, and what it says when it fails."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.providers.chat import Answer, Usage
from adapters.providers.errors import (
    CredentialRefusedError,
    MalformedAnswerError,
    ProviderError,
    ProviderFaultError,
    RequestRefusedError,
    excerpt,
)
from adapters.providers.formats.completions import (
    CONTENT_FILTER,
    LENGTH,
    STOP,
    TOOL_CALLS,
    Choice,
    Spent,
    Told,
    compact,
    completion,
    tool_call,
)
from adapters.providers.formats.failures import CONTEXT_LENGTH, Report, explained, typed
from adapters.providers.json_text import count, field, read, text
from adapters.providers.retry_after import MAX_RETRY_AFTER_S

_FINISH: Final = {
    "MAX_TOKENS": LENGTH,
    "SAFETY": CONTENT_FILTER,
    "RECITATION": CONTENT_FILTER,
    "LANGUAGE": CONTENT_FILTER,
    "BLOCKLIST": CONTENT_FILTER,
    "PROHIBITED_CONTENT": CONTENT_FILTER,
    "SPII": CONTENT_FILTER,
    "MODEL_ARMOR": CONTENT_FILTER,
    "IMAGE_SAFETY": CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": CONTENT_FILTER,
    "IMAGE_RECITATION": CONTENT_FILTER,
}
"""Every other reason is a stop, or a fault."""

_FAULTS: Final = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
    }
)
"""The model wrote something that the API could not read: no answer, and another attempt may give one."""

_TOO_LONG: Final = "exceeds the maximum number of tokens"
_BAD_KEYS: Final = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_SERVICE_BLOCKED", "SERVICE_DISABLED"})


def read_answer(content: bytes, request_id: str, created: int) -> Answer:
    """Read a response. Raises MalformedAnswerError, RequestRefusedError for a prompt that is blocked, or its error."""
    response = read(content)
    check(response, request_id)
    candidates = field(response, "candidates")
    if not isinstance(candidates, list) or not candidates:
        raise MalformedAnswerError("the provider sent JSON that holds no candidate", request_id=request_id)
    about = told(response, created, request_id)
    choices = [_choice(candidate, about.id, index) for index, candidate in enumerate(candidates)]
    return completion(about, choices, spent(field(response, "usageMetadata")) or Spent(), request_id)


def check(response: Any, request_id: str = "") -> None:
    """Raise what a response reports instead of an answer."""
    if isinstance(field(response, "error"), dict):
        failure = _typed(_status(response), response, request_id=request_id)
        failure.http_status = 200
        raise failure
    blocked = field(response, "promptFeedback", "blockReason")
    if blocked and not field(response, "candidates"):
        message = f"the provider blocks the prompt: {excerpt(text(blocked))}"
        raise RequestRefusedError(
            message, code=CONTENT_FILTER, param="messages", http_status=200, request_id=request_id
        )


def told(response: Any, created: int, request_id: str = "") -> Told:
    """Return what a response tells of itself."""
    return Told(text(field(response, "responseId")) or request_id, created, text(field(response, "modelVersion")))


def parts(candidate: Any) -> list[Any]:
    """Return the parts of a candidate; a blocked one has none."""
    found = field(candidate, "content", "parts")
    return found if isinstance(found, list) else []


def written_call(part: Any, fallback_id: str) -> dict[str, Any] | None:
    """Return the call of a tool that a part is, with its signature where Google's own endpoint puts it; else None."""
    made = field(part, "functionCall")
    if not isinstance(made, dict):
        return None
    arguments = made.get("args", {})
    if not isinstance(arguments, dict):
        raise MalformedAnswerError("the provider sent a tool call whose arguments are no object")
    call = tool_call(text(made.get("id")) or fallback_id, text(made.get("name")), compact(arguments))
    if signature := text(field(part, "thoughtSignature")):
        call["extra_content"] = {"google": {"thought_signature": signature}}
    return call


def call_id(response_id: str, index: int, position: int) -> str:
    """Return an id for a call that came without one: no two calls of a conversation share it."""
    return f"call_{response_id}_{index}_{position}"


def finish_reason(reason: str, *, has_calls: bool) -> str:
    """Return OpenAI's word for why the model stopped. Raises ProviderFaultError where there is no answer."""
    if reason in _FAULTS:
        raise ProviderFaultError(f"the model gave no answer that the provider can read: {reason}", http_status=200)
    return _FINISH.get(reason, TOOL_CALLS if has_calls else STOP)


def spent(usage: Any) -> Spent | None:
    """Read an account of tokens; None where there is none. What it leaves out is zero, as everywhere in the API."""
    if not isinstance(usage, dict):
        return None
    prompt, cached, said, thoughts = (
        count(usage.get(name, 0))
        for name in ("promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    )
    output = None if said is None or thoughts is None else said + thoughts
    return Spent(Usage(prompt, cached, output), thoughts)


def _choice(candidate: Any, response_id: str, index: int) -> Choice:
    said, thought = "", ""
    calls: list[dict[str, Any]] = []
    for part in parts(candidate):
        call = written_call(part, call_id(response_id, index, len(calls)))
        if call is not None:
            calls.append(call)
        elif field(part, "thought") is True:
            thought += text(field(part, "text"))
        else:
            said += text(field(part, "text"))
    reason = finish_reason(text(field(candidate, "finishReason")), has_calls=bool(calls))
    return Choice(said, thought, calls, reason)


def read_failure(status: int, content: bytes, *, retry_after_s: float | None = None) -> ProviderError:
    """Return what a response that is no 200 means."""
    try:
        document = read(content)
    except MalformedAnswerError:
        return typed(status, explained(content), retry_after_s=retry_after_s)
    # Where no stream of events was begun, the error is the only element of a list.
    return _typed(status, document[0] if isinstance(document, list) and document else document, retry_after_s)


def _typed(status: int, document: Any, retry_after_s: float | None = None, request_id: str = "") -> ProviderError:
    said, kind = text(field(document, "error", "message")), text(field(document, "error", "status"))
    details = field(document, "error", "details")
    details = details if isinstance(details, list) else []
    reasons = {field(detail, "reason") for detail in details if isinstance(field(detail, "reason"), str)}
    if status == 400 and (reasons & _BAD_KEYS or kind == "FAILED_PRECONDITION"):
        message = f"the provider does not accept the key or its account (400): {excerpt(said)}"
        return CredentialRefusedError(message, http_status=400, request_id=request_id)
    waits_s = _retry_delay_s(details) if retry_after_s is None else retry_after_s
    code = CONTEXT_LENGTH if status == 400 and _TOO_LONG in said else kind
    return typed(status, Report(message=said, code=code), retry_after_s=waits_s, request_id=request_id)


def _status(response: Any) -> int:
    """Return the status of an error within a 200; unknown ones are faults."""
    code = field(response, "error", "code")
    return code if type(code) is int and 400 <= code < 600 else 500


def _retry_delay_s(details: list[Mapping[str, Any]]) -> float | None:
    """Return what a `google.rpc.RetryInfo` asks for: a text such as "34.5s"."""
    for detail in details:
        delay = text(field(detail, "retryDelay"))
        try:
            seconds = float(delay[:32].removesuffix("s"))
        except ValueError:
            continue
        if seconds >= 0:
            return min(seconds, MAX_RETRY_AFTER_S)
    return None
