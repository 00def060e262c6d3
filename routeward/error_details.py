"""From the status of a failed call to the error that says what to do about it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from routeward import errors
from routeward.errors import RoutewardError, Violation
from routeward.v1 import error_reason_pb2, routing_service_pb2

DOMAIN: Final = "routeward.dev"
DETAILS_KEY: Final = "grpc-status-details-bin"
PUSHBACK_KEY: Final = "grpc-retry-pushback-ms"

BY_REASON: Final[Mapping[str, type[RoutewardError]]] = {
    "INVALID_FIELD": errors.InvalidFieldError,
    "MALFORMED_MESSAGE": errors.MalformedMessageError,
    "API_KEY_INVALID": errors.ApiKeyInvalidError,
    "FOREIGN_DECISION": errors.ForeignDecisionError,
    "DECISION_ID_INVALID": errors.DecisionIdInvalidError,
    "DECISION_EXPIRED": errors.DecisionExpiredError,
    "CATEGORY_UNKNOWN": errors.CategoryUnknownError,
    "MODEL_UNKNOWN": errors.ModelUnknownError,
    "PROFILE_UNKNOWN": errors.ProfileUnknownError,
    "NO_ELIGIBLE_MODEL": errors.NoEligibleModelError,
    "OVERLOADED": errors.OverloadedError,
    "SCORE_NAME_LIMIT": errors.ScoreNameLimitError,
    "STORE_UNAVAILABLE": errors.StoreUnavailableError,
    "SHUTTING_DOWN": errors.ShuttingDownError,
    "INTERNAL": errors.ServerError,
    "MESSAGE_TOO_LARGE": errors.MessageTooLargeError,
    "BUDGET_EXHAUSTED": errors.BudgetExhaustedError,
    "DECISION_NOT_LOGGED": errors.DecisionNotLoggedError,
    "SPOOL_FULL": errors.SpoolFullError,
    "ADMIN_REQUIRED": errors.AdminRequiredError,
    "VERSION_CONFLICT": errors.VersionConflictError,
    "MANAGED_BY_FILE": errors.ManagedByFileError,
    "REGISTRY_INCONSISTENT": errors.RegistryInconsistentError,
    "REGISTRY_ENTRY_UNREADABLE": errors.EntryUnreadableError,
    "DECISION_AHEAD": errors.DecisionAheadError,
}
"""Error of each ErrorReason of the contract, by its name without the prefix."""

BY_STATUS: Final[Mapping[grpc.StatusCode, type[RoutewardError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequestError,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidRequestError,
    grpc.StatusCode.UNAUTHENTICATED: errors.ApiKeyInvalidError,
    grpc.StatusCode.PERMISSION_DENIED: errors.CredentialError,
    grpc.StatusCode.NOT_FOUND: errors.NotFoundError,
    grpc.StatusCode.FAILED_PRECONDITION: errors.RefusedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.LimitReachedError,
    grpc.StatusCode.UNAVAILABLE: errors.UnavailableError,
    grpc.StatusCode.CANCELLED: errors.UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceededError,
}
"""Error of a status without a reason that this client knows; every other status is a ServerError."""

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_M = TypeVar("_M", bound=Message)


def error_of_status(
    code: grpc.StatusCode, message: str, trailing_metadata: Iterable[tuple[str, str | bytes]] = ()
) -> RoutewardError:
    """Return the error for a call that ended with this status and trailing metadata."""
    trailers = dict(trailing_metadata)
    details = _details(trailers.get(DETAILS_KEY, b""))
    info = _first(details, error_details_pb2.ErrorInfo)
    ours = info.domain == DOMAIN
    fields = _first(details, error_details_pb2.BadRequest).field_violations
    retry_after_s = _first(details, error_details_pb2.RetryInfo).retry_delay.ToTimedelta().total_seconds()
    pushback_ms = trailers.get(PUSHBACK_KEY, "")
    if not retry_after_s and pushback_ms.isdigit():
        retry_after_s = int(pushback_ms) / 1000
    return _error(
        code,
        message,
        reason=info.reason if ours else "",
        metadata=info.metadata if ours else {},
        violations=[Violation(violation.field, violation.description) for violation in fields],
        retry_after_s=retry_after_s or None,
    )


def error_of_item(item: routing_service_pb2.FeedbackError) -> RoutewardError:
    """Return the error for an item of a batch that was refused."""
    return _error(
        _CODES.get(item.code, grpc.StatusCode.UNKNOWN),
        item.message,
        reason=reason_name(item.reason),
        metadata=item.metadata,
        violations=[Violation(violation.field, violation.description) for violation in item.violations],
    )


def reason_name(reason: int) -> str:
    """Return the name of an ErrorReason as ErrorInfo carries it, "" where this client knows none."""
    value = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_number.get(reason)
    return value.name.removeprefix("ERROR_REASON_") if value is not None and reason else ""


def _error(
    code: grpc.StatusCode,
    message: str,
    *,
    reason: str,
    metadata: Mapping[str, str],
    violations: Sequence[Violation],
    retry_after_s: float | None = None,
) -> RoutewardError:
    kind = BY_REASON.get(reason) or BY_STATUS.get(code, errors.ServerError)
    return kind(
        message if reason else f"{code.name}: {message.rstrip('.') or 'no message'}. {kind.advice}",
        reason=reason,
        metadata=metadata,
        violations=violations,
        retry_after_s=retry_after_s,
    )


def _details(serialized: str | bytes) -> Sequence[any_pb2.Any]:
    """Read google.rpc.Status; what is not one has no details."""
    if isinstance(serialized, str):
        return ()
    try:
        return tuple(status_pb2.Status.FromString(serialized).details)
    except DecodeError:
        return ()


def _first(details: Sequence[any_pb2.Any], kind: type[_M]) -> _M:
    """Return the first detail of this kind, an empty one where there is none that can be read."""
    for detail in details:
        if detail.TypeName() == kind.DESCRIPTOR.full_name:
            try:
                return kind.FromString(detail.value)
            except DecodeError:
                break
    return kind()
