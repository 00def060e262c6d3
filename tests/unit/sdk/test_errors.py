"""From the status of a failed call to a typed error."""

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from routeward import errors
from routeward.error_details import BY_REASON, BY_STATUS, error_of_item, error_of_status, reason_name
from routeward.errors import RoutewardError, Violation
from routeward.v1 import error_reason_pb2
from routeward.v1 import routing_service_pb2 as pb

REASONS = [name.removeprefix("ERROR_REASON_") for name, number in error_reason_pb2.ErrorReason.items() if number]
TREE = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RoutewardError)]


def packed(message: Message) -> any_pb2.Any:
    detail = any_pb2.Any()
    detail.Pack(message)
    return detail


def trailers(*details: Message) -> list[tuple[str, str | bytes]]:
    status = status_pb2.Status(code=3, message="wrong", details=[packed(detail) for detail in details])
    return [("grpc-status-details-bin", status.SerializeToString())]


def info(reason: str, domain: str = "routeward.dev", **metadata: str) -> Message:
    message: Message = error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata)
    return message


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_the_contract_has_an_error_of_its_own(reason):
    error = error_of_status(grpc.StatusCode.UNKNOWN, "what to do", trailers(info(reason, k="v")))
    assert type(error) is BY_REASON[reason]
    assert (error.reason, error.metadata, str(error)) == (reason, {"k": "v"}, "what to do")


def test_no_two_reasons_share_an_error_and_no_error_stands_for_an_unknown_reason():
    assert set(BY_REASON) == set(REASONS)
    assert len(set(BY_REASON.values())) == len(REASONS)


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_status_without_details_has_an_error_that_says_what_to_do(code):
    error = error_of_status(code, "connection refused.")
    kind = BY_STATUS.get(code, errors.ServerError)
    assert type(error) is kind
    assert str(error) == f"{code.name}: connection refused. {kind.advice}"
    assert kind.advice


@pytest.mark.parametrize("kind", TREE)
def test_the_tree_in_the_docstring_shows_every_error_under_its_parent(kind):
    tree = (errors.__doc__ or "").splitlines()
    depth = len(kind.__mro__) - len(RoutewardError.__mro__)
    line = next(line for line in tree if kind.__name__ in line.split())
    above = [candidate for candidate in tree[: tree.index(line)] if candidate.find("──") < line.find("──")]
    assert line.index(kind.__name__) == 4 * depth
    assert depth == 0 or kind.__mro__[1].__name__ in above[-1]


def test_a_reason_that_is_newer_than_the_client_keeps_its_name_and_falls_back_on_the_status():
    error = error_of_status(grpc.StatusCode.NOT_FOUND, "no such planet", trailers(info("PLANET_UNKNOWN")))
    assert type(error) is errors.NotFoundError
    assert error.reason == "PLANET_UNKNOWN"


def test_the_reason_of_another_domain_is_not_ours():
    error = error_of_status(grpc.StatusCode.UNAVAILABLE, "mesh", trailers(info("OVERLOADED", domain="proxy.example")))
    assert type(error) is errors.UnavailableError
    assert error.reason == ""


def test_violations_and_the_time_to_wait_are_kept():
    fields = error_details_pb2.BadRequest(field_violations=[{"field": "input_tokens", "description": "at least 0"}])
    retry = error_details_pb2.RetryInfo(retry_delay={"seconds": 1, "nanos": 500_000_000})
    error = error_of_status(grpc.StatusCode.INVALID_ARGUMENT, "bad", trailers(retry, fields, info("INVALID_FIELD")))
    assert error.violations == (Violation("input_tokens", "at least 0"),)
    assert error.retry_after_s == 1.5


@pytest.mark.parametrize(("pushback", "seconds"), [("250", 0.25), ("-1", None), ("soon", None), ("", None)])
def test_without_retry_info_the_pushback_says_how_long_to_wait(pushback, seconds):
    error = error_of_status(grpc.StatusCode.RESOURCE_EXHAUSTED, "", [("grpc-retry-pushback-ms", pushback)])
    assert error.retry_after_s == seconds


@pytest.mark.parametrize(
    "details",
    [
        b"\xff\xff",
        "text",
        status_pb2.Status(details=[any_pb2.Any(type_url="x/google.rpc.ErrorInfo", value=b"\xff")]).SerializeToString(),
        status_pb2.Status(details=[any_pb2.Any(type_url="x/unheard.Of", value=b"\x08\x01")]).SerializeToString(),
    ],
)
def test_details_that_cannot_be_read_leave_the_status(details):
    error = error_of_status(grpc.StatusCode.UNAVAILABLE, "gone", [("grpc-status-details-bin", details)])
    assert type(error) is errors.UnavailableError
    assert (error.reason, error.metadata, error.violations) == ("", {}, ())


def test_an_item_of_a_batch_fails_with_the_error_its_call_would_have_raised():
    item = pb.FeedbackError(
        code=3,
        reason=error_reason_pb2.ERROR_REASON_INVALID_FIELD,
        message="value: at most 1",
        metadata={"field": "value"},
        violations=[pb.FieldViolation(field="value", description="at most 1")],
    )
    error = error_of_item(item)
    assert type(error) is errors.InvalidFieldError
    assert (str(error), error.reason, error.metadata) == ("value: at most 1", "INVALID_FIELD", {"field": "value"})
    assert error.violations == (Violation("value", "at most 1"),)


@pytest.mark.parametrize("code", [5, 99])
def test_an_item_without_a_known_reason_falls_back_on_its_code(code):
    error = error_of_item(pb.FeedbackError(code=code, reason=error_reason_pb2.ErrorReason.ValueType(77)))
    assert type(error) is (errors.NotFoundError if code == 5 else errors.ServerError)
    assert error.reason == ""


def test_unspecified_is_no_reason():
    assert reason_name(error_reason_pb2.ERROR_REASON_UNSPECIFIED) == ""
