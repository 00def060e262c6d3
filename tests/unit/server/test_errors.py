"""Every failure has a reason of the contract, a status code, and fits on the wire."""

import inspect

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from routeward.v1.error_reason_pb2 import ErrorReason
from server import errors
from server.errors import Code, ServiceError, Violation
from server.statuses import status_code, text, trailing_metadata

WIRE_BYTES = 8 * 1024

EXAMPLES = [
    errors.InvalidFieldError([Violation("input_tokens", "is 0 to 7")]),
    errors.MalformedMessageError("Route"),
    errors.MessageTooLargeError(262_144),
    errors.ApiKeyInvalidError(),
    errors.ForeignDecisionError(),
    errors.DecisionIdInvalidError(),
    errors.DecisionExpiredError(604_800.0),
    errors.DecisionAheadError(95.0),
    errors.DecisionNotLoggedError(),
    errors.AdminRequiredError("checkout"),
    errors.VersionConflictError("gpt-4o", 6, 7),
    errors.ManagedByFileError("gpt-4o"),
    errors.RegistryInconsistentError("models", "no model is enabled"),
    errors.EntryUnreadableError("model", "gpt-4o"),
    errors.CategoryUnknownError("poetry"),
    errors.ModelUnknownError("gpt-9"),
    errors.ProfileUnknownError("cheap"),
    errors.NoEligibleModelError({"gpt-4o": "max_cost_usd"}),
    errors.OverloadedError(1.0),
    errors.BudgetExhaustedError("drafts", 3600.0),
    errors.ScoreNameLimitError("judge-9", 7),
    errors.FeedbackUnavailableError(1.5),
    errors.LogUnavailableError(1.0),
    errors.SpoolExhaustedError(1.0),
    errors.RegistryUnavailableError(1.0),
    errors.ShuttingDownError(),
    errors.DefectError("8f14e45f"),
]


def details(error):
    """What a client reads from the trailing metadata."""
    found = {}
    metadata = dict(trailing_metadata(error))
    status = Status.FromString(metadata["grpc-status-details-bin"])
    for detail in status.details:
        for kind in (ErrorInfo, BadRequest, RetryInfo):
            if detail.Is(kind.DESCRIPTOR):
                found[kind] = message = kind()
                detail.Unpack(message)
    return status, found, metadata


def test_there_is_an_error_for_every_reason_and_a_reason_for_every_error():
    classes = {one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, ServiceError)} - {
        ServiceError
    }
    assert classes == {type(error) for error in EXAMPLES}
    reasons = {f"ERROR_REASON_{error.reason}" for error in EXAMPLES}
    assert reasons == set(ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: error.reason)
def test_an_error_carries_its_reason_and_what_is_dynamic_about_it(error):
    status, found, _ = details(error)
    assert status.code == error.code == status_code(error).value[0]
    assert status.message == text(error)
    assert (found[ErrorInfo].reason, found[ErrorInfo].domain) == (error.reason, "routeward.dev")
    assert dict(found[ErrorInfo].metadata) == error.metadata


def test_codes_are_the_canonical_ones():
    assert {code.name: code.value for code in Code}.items() <= {c.name: c.value[0] for c in grpc.StatusCode}.items()


def test_violations_are_listed_field_by_field():
    _, found, _ = details(errors.InvalidFieldError([Violation("a", "is 1"), Violation("b[2]", "is 2")]))
    listed = [(one.field, one.description) for one in found[BadRequest].field_violations]
    assert listed == [("a", "is 1"), ("b[2]", "is 2")]


def test_an_error_that_passes_says_when_to_retry():
    _, found, metadata = details(errors.FeedbackUnavailableError(1.5))
    assert found[RetryInfo].retry_delay.ToMilliseconds() == 1500
    assert metadata["grpc-retry-pushback-ms"] == "1500"


def test_an_error_that_stays_says_nothing_of_retrying():
    _, found, metadata = details(errors.DecisionIdInvalidError())
    assert RetryInfo not in found
    assert "grpc-retry-pushback-ms" not in metadata


@pytest.mark.parametrize(
    "error",
    [
        errors.NoEligibleModelError({f"{'m' * 60}{number:04}": "context_length" for number in range(1000)}),
        errors.InvalidFieldError(
            [Violation(f"signals[{i}].outcome.input_tokens", "is 0 to 100000000") for i in range(500)]
        ),
    ],
    ids=lambda error: error.reason,
)
def test_even_the_longest_error_fits_into_the_metadata_of_an_answer(error):
    size = len(text(error)) + sum(len(key) + len(value) for key, value in trailing_metadata(error))
    assert size < WIRE_BYTES
    assert text(error).endswith("...")


def test_an_error_that_exhausted_something_for_good_tells_clients_not_to_retry():
    metadata = dict(trailing_metadata(errors.ScoreNameLimitError("judge-8", 7)))
    assert metadata["grpc-retry-pushback-ms"] == "-1"


def test_each_of_64_models_is_named_with_what_excluded_it():
    exclusions = {f"provider-{number:02}/some-model-of-usual-length": "max_latency" for number in range(64)}
    _, found, _ = details(errors.NoEligibleModelError(exclusions))
    assert dict(found[ErrorInfo].metadata) == exclusions


def test_an_id_of_a_replica_with_other_keys_is_told_to_be_possible():
    assert "Another replica may have given it, with other keys" in errors.DecisionIdInvalidError().message
