"""How a failed call looks to a client of OpenAI: status, `{"error": {...}}`, headers.

One table for what the service refuses, one for what providers fail with. Nothing else is told to callers.
"""

import json
import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from adapters.providers.errors import (
    AnswerTooLargeError,
    CredentialRefusedError,
    MalformedAnswerError,
    ModelMissingError,
    ProviderError,
    ProviderFaultError,
    ProviderTimeoutError,
    RateLimitedError,
    RequestRefusedError,
    StreamBrokenError,
    UnfitAnswerError,
    UnreachableError,
    UnsupportedRequestError,
)
from bandit.eligibility import EJECTED
from server.errors import (
    SHOWN_NAMES,
    ApiKeyInvalidError,
    BudgetExhaustedError,
    Code,
    NoEligibleModelError,
    ServiceError,
)
from server.gateway.breaker import PROBE_EVERY_S
from server.http.exchange import NO_HEADERS
from server.statuses import MAX_CHARACTERS, text

WRONG_REQUEST: Final = "invalid_request_error"
SERVER: Final = "server_error"
UPSTREAM: Final = "upstream_error"

_STATUSES: Final[Mapping[Code, tuple[int, str]]] = {
    Code.INVALID_ARGUMENT: (400, WRONG_REQUEST),
    Code.NOT_FOUND: (404, WRONG_REQUEST),
    Code.PERMISSION_DENIED: (403, "permission_error"),
    Code.RESOURCE_EXHAUSTED: (429, "rate_limit_error"),
    Code.FAILED_PRECONDITION: (400, WRONG_REQUEST),
    Code.INTERNAL: (500, SERVER),
    Code.UNAVAILABLE: (503, SERVER),
    Code.UNAUTHENTICATED: (401, "authentication_error"),
}

_CODES: Final = {"API_KEY_INVALID": "invalid_api_key", "MODEL_UNKNOWN": "model_not_found"}
"""Reasons that OpenAI's clients know under a name of their own; the others go by the reason in lower case."""

_UPSTREAM: Final[Mapping[type[ProviderError], tuple[int, str, str]]] = {
    RequestRefusedError: (400, WRONG_REQUEST, "request_refused"),
    UnsupportedRequestError: (400, WRONG_REQUEST, "request_unsupported"),
    RateLimitedError: (429, "rate_limit_error", "rate_limit_exceeded"),
    ProviderTimeoutError: (504, UPSTREAM, "provider_timeout"),
    UnreachableError: (502, UPSTREAM, "provider_unreachable"),
    ProviderFaultError: (502, UPSTREAM, "provider_fault"),
    UnfitAnswerError: (502, UPSTREAM, "provider_answer_unfit"),
    CredentialRefusedError: (502, UPSTREAM, "provider_credential_refused"),
    ModelMissingError: (502, UPSTREAM, "provider_model_missing"),
    MalformedAnswerError: (502, UPSTREAM, "provider_answer_malformed"),
    AnswerTooLargeError: (502, UPSTREAM, "provider_answer_too_large"),
    StreamBrokenError: (502, UPSTREAM, "provider_stream_broken"),
    ProviderError: (502, UPSTREAM, "provider_error"),
}

NOBODY_TO_CALL: Final = frozenset({"provider_key", "provider", "disabled"})
"""Exclusions that only the operator can end."""

OPERATORS: Final = (CredentialRefusedError, ModelMissingError)
"""Failures that only the operator can mend, and no repetition."""

_NO_CONNECTION: Final = "there is no connection to the provider"
_SEND_A_KEY: Final = (
    "send an API key of routeward: as `api_key` of the client library, or in the header x-routeward-key"
)

_FAILING: Final = "every model that could serve this call fails at the moment; retry in a while"

_DO_NOT_RETRY: Final = {"x-should-retry": "false"}
"""What OpenAI's clients obey, which else repeat every 429 and 5xx."""


class ApiError(NamedTuple):
    """A failed call as OpenAI's clients read it; `param` names a field or a header."""

    status: int
    type: str
    message: str
    code: str
    param: str | None = None
    headers: Mapping[str, str] = NO_HEADERS

    def body(self) -> bytes:
        """Return the JSON."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return json.dumps({"error": error}).encode("ascii")


class RequestError(Exception):
    """A request that HTTP itself, or the shape of its body, forbids."""

    def __init__(self, status: int, message: str, code: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
        super().__init__(message)
        self.api_error = ApiError(status, WRONG_REQUEST, message, code, headers=headers)


def of_service(error: ServiceError, params: Mapping[str, str] = NO_HEADERS) -> ApiError:
    """Return what a caller is told of a refusal; `params` are the names that fields of a call have there."""
    if isinstance(error, NoEligibleModelError):
        return _no_model(error)
    status, kind = _STATUSES[error.code]
    param = params.get(error.field, error.field) or None
    headers = dict(_retry_after(error.retry_after_s))
    if isinstance(error, BudgetExhaustedError):
        headers |= _DO_NOT_RETRY
    return ApiError(status, kind, _told(error, params), _CODES.get(error.reason, error.reason.lower()), param, headers)


def _told(error: ServiceError, params: Mapping[str, str]) -> str:
    """Return what a caller over HTTP reads: of fields by the names that they have there."""
    if isinstance(error, ApiKeyInvalidError):
        return _SEND_A_KEY
    if error.violations:
        broken = "; ".join(f"{params.get(field, field)}: {rule}" for field, rule in error.violations)
        return broken[:MAX_CHARACTERS]
    return text(error)


def of_provider(error: ProviderError, model: str) -> ApiError:
    """Return what a caller is told where no model answered, and this one failed last."""
    known = next(kind for kind in type(error).__mro__ if kind in _UPSTREAM)
    status, kind, code = _UPSTREAM[known]
    param = None
    if isinstance(error, RequestRefusedError):
        code, param = error.code or code, error.param or None
    headers = _DO_NOT_RETRY if isinstance(error, OPERATORS) else _retry_after(error.retry_after_s)
    # Where providers are is the operator's affair, whose log has it.
    message = _NO_CONNECTION if isinstance(error, UnreachableError) else error.message
    return ApiError(status, kind, f"{model}: {message}", code, param, headers)


def _no_model(error: NoEligibleModelError) -> ApiError:
    """Say what would help: the operator, time, a shorter prompt, or other constraints."""
    why = {reason for reason in error.metadata.values() if reason != "model"}
    if why <= NOBODY_TO_CALL:
        each = sorted(f"{model}: {reason}" for model, reason in error.metadata.items() if reason != "model")
        shown = ", ".join([*each[:SHOWN_NAMES], *(["..."] if len(each) > SHOWN_NAMES else [])])
        message = f"no model can be called ({shown or 'none is configured'}); `routeward doctor` says what to set"
        return ApiError(503, SERVER, message, "no_callable_model", headers=_DO_NOT_RETRY)
    if EJECTED in why:
        return ApiError(503, SERVER, _FAILING, "models_failing", headers=_retry_after(PROBE_EVERY_S))
    if "context_length" in why or "max_output_tokens" in why:
        message = "the prompt and max_completion_tokens together are longer than any eligible model takes; shorten them"
        return ApiError(400, WRONG_REQUEST, message, "context_length_exceeded", "messages")
    excluded = ", ".join(f"{model}: {reason}" for model, reason in sorted(error.metadata.items()) if reason != "model")
    message = f"no model is left; loosen what limits the choice ({excluded})"[:MAX_CHARACTERS]
    return ApiError(400, WRONG_REQUEST, message, "no_eligible_model")


def _retry_after(seconds: float | None) -> Mapping[str, str]:
    return NO_HEADERS if seconds is None else {"retry-after": str(max(1, math.ceil(seconds)))}
