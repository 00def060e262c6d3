"""How a fake server answers a call that fails: with the status and the typed details of the contract."""

from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from routeward import errors
from routeward.error_details import BY_REASON, DETAILS_KEY, DOMAIN, PUSHBACK_KEY
from routeward.errors import RoutewardError, Violation
from routeward.v1 import error_reason_pb2
from routeward.v1 import routing_service_pb2 as pb

_STATUS: Final[Mapping[type[Exception], grpc.StatusCode]] = {
    errors.InvalidRequestError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.MessageTooLargeError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.CredentialError: grpc.StatusCode.PERMISSION_DENIED,
    errors.ApiKeyInvalidError: grpc.StatusCode.UNAUTHENTICATED,
    errors.NotFoundError: grpc.StatusCode.NOT_FOUND,
    errors.RefusedError: grpc.StatusCode.FAILED_PRECONDITION,
    errors.LimitReachedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.UnavailableError: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceededError: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.ServerError: grpc.StatusCode.INTERNAL,
}
_REASONS: Final = {kind: reason for reason, kind in BY_REASON.items()}


def failure(
    kind: type[RoutewardError],
    message: str = "",
    *,
    metadata: Mapping[str, str] | None = None,
    violations: Sequence[Violation] = (),
    retry_after_s: float | None = None,
) -> RoutewardError:
    """Return what a server says when it fails in this way. Raises ValueError for an error no server sends."""
    if not any(base in _STATUS for base in kind.__mro__):
        raise ValueError(f"{kind.__name__} is not an error that a server answers with")
    return kind(
        message or (kind.__doc__ or "").strip(),
        reason=_REASONS.get(kind, ""),
        metadata=metadata,
        violations=violations,
        retry_after_s=retry_after_s,
    )


def abort(context: grpc.ServicerContext, error: RoutewardError, *, final: bool = False) -> NoReturn:
    """End the call with this error; `final` tells the client not to repeat it."""
    status = status_pb2.Status(code=_code(error).value[0], message=str(error), details=_details(error))
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status.SerializeToString())]
    if final:
        trailers.append((PUSHBACK_KEY, "-1"))
    elif error.retry_after_s is not None:
        trailers.append((PUSHBACK_KEY, str(round(error.retry_after_s * 1000))))
    context.set_trailing_metadata(tuple(trailers))
    context.abort(_code(error), str(error))


def item_error(error: RoutewardError) -> pb.FeedbackError:
    """Return what a batch says of an item that failed with this error."""
    return pb.FeedbackError(
        code=_code(error).value[0],
        reason=error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{error.reason}"),
        message=str(error),
        metadata=error.metadata,
        violations=[pb.FieldViolation(field=v.field, description=v.description) for v in error.violations],
    )


def _code(error: RoutewardError) -> grpc.StatusCode:
    return next(_STATUS[base] for base in type(error).__mro__ if base in _STATUS)


def _details(error: RoutewardError) -> list[Any]:
    details: list[Any] = []
    if error.reason:
        info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
        details.append(_packed(info))
    if error.violations:
        fields = [{"field": v.field, "description": v.description} for v in error.violations]
        details.append(_packed(error_details_pb2.BadRequest(field_violations=fields)))
    if error.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(round(error.retry_after_s * 1e9))
        details.append(_packed(retry))
    return details


def _packed(message: Message) -> Any:
    detail = Any()
    detail.Pack(message)
    return detail
