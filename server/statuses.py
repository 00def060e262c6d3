"""How a failed call looks on the wire: status code, text, and google.rpc.Status with its details."""

from collections.abc import Iterator, Mapping
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from server.errors import Code, ServiceError

DOMAIN: Final = "routeward.dev"
MAX_VIOLATIONS: Final = 32
MAX_METADATA_BYTES: Final = 5000
"""What is sent of an error's violations and metadata: trailing metadata has room for about 8 KiB in all."""

NEVER_RETRY: Final = "-1"
"""Pushback that tells clients not to repeat a call that exhausted something for good, or for long."""

LONGEST_PUSHBACK_S: Final = 10.0
"""gRPC waits as long as it is told, and so to the end of the call's deadline: then nobody learns why."""

MAX_CHARACTERS: Final = 512

Metadata = tuple[tuple[str, str | bytes], ...]

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


def status_code(error: ServiceError) -> grpc.StatusCode:
    """Return the status code of a failed call."""
    return _CODES[error.code]


def text(error: ServiceError) -> str:
    """Return what people read, cut to what fits."""
    message = error.message
    return message if len(message) <= MAX_CHARACTERS else message[: MAX_CHARACTERS - 3] + "..."


def trailing_metadata(error: ServiceError) -> Metadata:
    """Return google.rpc.Status with its details, and when to retry where that is known."""
    status = Status(code=error.code, message=text(error), details=map(_packed, _details(error)))
    metadata: Metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    if error.retry_after_s is not None and error.retry_after_s <= LONGEST_PUSHBACK_S:
        metadata += (("grpc-retry-pushback-ms", str(round(error.retry_after_s * 1e3))),)
    elif error.code is Code.RESOURCE_EXHAUSTED:
        metadata += (("grpc-retry-pushback-ms", NEVER_RETRY),)
    return metadata


def _details(error: ServiceError) -> list[Message]:
    metadata = dict(fitting(error.metadata))
    details: list[Message] = [ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)]
    if error.violations:
        violations = [
            BadRequest.FieldViolation(field=field, description=rule)
            for field, rule in error.violations[:MAX_VIOLATIONS]
        ]
        details.append(BadRequest(field_violations=violations))
    if error.retry_after_s is not None:
        delay = Duration(nanos=0)
        delay.FromNanoseconds(round(error.retry_after_s * 1e9))
        details.append(RetryInfo(retry_delay=delay))
    return details


def fitting(metadata: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the entries of metadata that have room."""
    room = MAX_METADATA_BYTES
    for key, value in metadata.items():
        room -= len(key.encode()) + len(value.encode())
        if room < 0:
            return
        yield key, value


def _packed(detail: Message) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed
