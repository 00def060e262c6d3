"""What servers that speak OpenAI's format say when they fail, and which error that is."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from adapters.providers.errors import (
    CredentialRefusedError,
    MalformedAnswerError,
    ModelMissingError,
    ProviderError,
    ProviderFaultError,
    RateLimitedError,
    RequestRefusedError,
    UnfitAnswerError,
    UnsupportedRequestError,
    excerpt,
)
from adapters.providers.json_text import field, read, text

CONTEXT_LENGTH: Final = "context_length_exceeded"
"""OpenAI's code for a prompt that is too long, given to what llama.cpp, vLLM and others say of it too."""

CONTENT_FILTER: Final = "content_filter"
"""Azure's code for a prompt that its filter stops, given to what OpenRouter says of it too."""

_BY_CODE: Final[Mapping[str, type[ProviderError]]] = {
    "invalid_api_key": CredentialRefusedError,
    "authentication_error": CredentialRefusedError,
    "permission_error": CredentialRefusedError,
    "model_not_found": ModelMissingError,
    "model_decommissioned": ModelMissingError,
    "DeploymentNotFound": ModelMissingError,
    "insufficient_quota": RateLimitedError,
    "rate_limit_exceeded": RateLimitedError,
    "rate_limit_error": RateLimitedError,
    "server_error": ProviderFaultError,
    "internal_error": ProviderFaultError,
    "internal_server_error": ProviderFaultError,
    "overloaded_error": ProviderFaultError,
    # Groq answers 400 where its model, not the caller, wrote an invalid call of a tool or invalid JSON.
    "tool_use_failed": UnfitAnswerError,
    "json_validate_failed": UnfitAnswerError,
    CONTEXT_LENGTH: UnsupportedRequestError,
    "unsupported_parameter": UnsupportedRequestError,
    "unsupported_value": UnsupportedRequestError,
    "unknown_parameter": UnsupportedRequestError,
    "extra_forbidden": UnsupportedRequestError,  # Mistral, and whoever else checks by pydantic
    CONTENT_FILTER: RequestRefusedError,
    "content_policy_violation": RequestRefusedError,
}
"""By `code` or `type`: what is plainer than a status, or comes without one."""

_VAGUE: Final = frozenset({"invalid_request_error", "BadRequestError"})
"""Types that say less than a status does, and count where there is none."""

_BY_STATUS: Final[Mapping[int, type[ProviderError]]] = {
    401: CredentialRefusedError,
    402: CredentialRefusedError,  # the account of the operator is empty
    403: CredentialRefusedError,
    404: ModelMissingError,
    405: ModelMissingError,  # as 404: the address is wrong
    410: ModelMissingError,
    408: ProviderFaultError,
    409: ProviderFaultError,
    425: ProviderFaultError,
    429: RateLimitedError,
    498: ProviderFaultError,  # Groq: no capacity
    499: ProviderFaultError,
}
"""Every other 4xx is the fault of the request, every 5xx that of the provider."""

_SENTENCES: Final[Mapping[type[ProviderError], str]] = {
    CredentialRefusedError: "the provider does not accept the key",
    ModelMissingError: "the provider does not have the model, or the address is wrong",
    RateLimitedError: "the provider wants fewer calls",
    ProviderFaultError: "the provider reports a fault of its own",
    UnfitAnswerError: "the model wrote a call of a tool, or JSON, that is none",
    RequestRefusedError: "the provider does not accept the request",
    UnsupportedRequestError: "the model, or its server, cannot do what the request asks for",
    MalformedAnswerError: "the provider answers with a status that it should not",
}


class Report(NamedTuple):
    """What a provider says of a failure; what it does not say is empty. `status` is the one in the body."""

    message: str = ""
    code: str = ""
    kind: str = ""
    param: str = ""
    status: int | None = None


def reported(document: Any) -> Report | None:
    """Return the error that a document reports instead of an answer, or within one; None where it reports none."""
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if isinstance(error, dict):
        return _report(error)
    if error:
        return Report(message=text(error), code=text(document.get("code")))
    return _report(document) if document.get("object") == "error" or document.get("type") == "error" else None


def explained(content: bytes) -> Report:
    """Return what the body of a failed response says, whatever its form."""
    try:
        document = read(content)
    except MalformedAnswerError:
        return Report(message=excerpt(content))
    if isinstance(document, list) and document:
        document = document[0]  # Gemini's
    return reported(document) or (_report(document) if isinstance(document, dict) else Report())


def typed(status: int, report: Report, *, retry_after_s: float | None = None, request_id: str = "") -> ProviderError:
    """Return the error that a status and a report mean; a status of 200 is none, then the report alone decides."""
    if 300 <= status < 400:
        message = f"the provider redirects ({status}), which is refused: `base_url` has to be the address itself"
        return MalformedAnswerError(message, http_status=status, request_id=request_id)
    kind = _kind(status, report)
    message = f"{_SENTENCES[kind]} ({status})" + (f": {excerpt(report.message)}" if report.message else "")
    if issubclass(kind, RequestRefusedError):
        code, param = excerpt(report.code or report.kind), excerpt(report.param)
        return kind(message, code=code, param=param, http_status=status, request_id=request_id)
    return kind(message, http_status=status, retry_after_s=retry_after_s, request_id=request_id)


def _kind(status: int, report: Report) -> type[ProviderError]:
    if status >= 500 or status < 200:
        return ProviderFaultError
    said = _BY_CODE.get(report.code) or _BY_CODE.get(report.kind)
    if not said and status == 404 and report.param not in ("", "model"):
        return RequestRefusedError  # what the request names is not there: a file, say
    if said or status != 200:
        return said or _by_status(status)
    return RequestRefusedError if report.kind in _VAGUE else _by_status(report.status or 500)


def _by_status(status: int) -> type[ProviderError]:
    other = MalformedAnswerError if status < 400 else RequestRefusedError if status < 500 else ProviderFaultError
    return _BY_STATUS.get(status, other)


def _report(error: Mapping[str, Any]) -> Report:
    message, detail = _said(error)
    code, kind = error.get("code"), text(error.get("type"))
    # OpenRouter's answer, with 403, to what its moderation stops.
    is_flagged = field(error, "metadata", "flagged_input") is not None
    is_too_long = kind == "exceed_context_size_error" or "maximum context length" in message
    known = CONTENT_FILTER if is_flagged else CONTEXT_LENGTH if is_too_long else ""
    return Report(
        message=message,
        code=known or text(code) or text(field(detail, "type")),
        kind=kind,
        param=text(error.get("param")) or _place(field(detail, "loc")),
        status=code if type(code) is int and 400 <= code < 600 else None,
    )


def _said(error: Mapping[str, Any]) -> tuple[str, Any]:
    """Return what is said for people, and the first of the details that FastAPI gives, and others within `message`."""
    said = error.get("message") or error.get("detail")
    details = said if isinstance(said, list) else field(said, "detail")
    if isinstance(details, list) and details:
        return text(field(details[0], "msg")), details[0]
    return text(said), None


def _place(steps: Any) -> str:
    """Return the name of a field from the steps to it, of which the first says that it is in the body."""
    return ".".join(map(str, steps[1:])) if isinstance(steps, list) else ""
