"""Every failure has a status, a type and a code that clients of OpenAI understand."""

import inspect
import json

import pytest

from adapters.providers import errors as provider_errors
from adapters.providers.errors import (
    CredentialRefusedError,
    ModelMissingError,
    ProviderError,
    ProviderFaultError,
    ProviderTimeoutError,
    RequestRefusedError,
    UnreachableError,
)
from server.errors import (
    ApiKeyInvalidError,
    BudgetExhaustedError,
    CategoryUnknownError,
    Code,
    DefectError,
    FeedbackUnavailableError,
    ForeignDecisionError,
    InvalidFieldError,
    ModelUnknownError,
    NoEligibleModelError,
    OverloadedError,
    ServiceError,
    Violation,
)
from server.http.call_headers import PARAMS
from server.http.openai_errors import _STATUSES, _UPSTREAM, of_provider, of_service


@pytest.mark.parametrize(
    ("error", "status", "kind", "code", "param"),
    [
        (InvalidFieldError([Violation("n", "is 1")]), 400, "invalid_request_error", "invalid_field", "n"),
        (ForeignDecisionError(), 403, "permission_error", "foreign_decision", None),
        (ModelUnknownError("x"), 404, "invalid_request_error", "model_not_found", "model"),
        (
            *(ModelUnknownError("x", "ab", "constraints.models"), 404),
            *("invalid_request_error", "model_not_found", "x-routeward-models"),
        ),
        (CategoryUnknownError("x"), 404, "invalid_request_error", "category_unknown", "x-routeward-category"),
        (OverloadedError(0.2), 429, "rate_limit_error", "overloaded", None),
        (FeedbackUnavailableError(2.5), 503, "server_error", "store_unavailable", None),
        (DefectError("i-1"), 500, "server_error", "internal", None),
    ],
)
def test_a_refusal_has_the_status_that_its_code_means(error, status, kind, code, param):
    told = of_service(error, PARAMS)
    assert (told.status, told.type, told.code, told.param) == (status, kind, code, param)
    assert json.loads(told.body())["error"]["message"] == error.message


def test_a_caller_without_a_key_is_told_how_clients_over_http_send_one():
    told = of_service(ApiKeyInvalidError())
    assert (told.status, told.type, told.code) == (401, "authentication_error", "invalid_api_key")
    assert "`api_key` of the client library" in told.message


def test_a_field_is_named_as_the_caller_wrote_it():
    told = of_service(InvalidFieldError([Violation("previous_decision_id", "names no decision")]), PARAMS)
    assert told.message == "x-routeward-previous-decision-id: names no decision"


@pytest.mark.parametrize("error", [CredentialRefusedError("401"), ModelMissingError("404")])
def test_what_only_the_operator_can_mend_is_not_to_be_repeated(error):
    assert of_provider(error, "small").headers == {"x-should-retry": "false"}


def test_callers_do_not_learn_where_providers_are():
    told = of_provider(UnreachableError("no connection to 10.0.0.7:8000: connection refused"), "small")
    assert told.message == "small: there is no connection to the provider"


def test_every_code_and_every_error_of_providers_is_in_the_table():
    assert set(_STATUSES) == set(Code)
    classes = [one for _, one in inspect.getmembers(provider_errors, inspect.isclass) if issubclass(one, ProviderError)]
    assert set(_UPSTREAM) == set(classes)


@pytest.mark.parametrize(("error", "seconds"), [(OverloadedError(0.2), "1"), (FeedbackUnavailableError(2.5), "3")])
def test_when_to_come_back_is_told_in_whole_seconds(error, seconds):
    assert of_service(error).headers == {"retry-after": seconds}


def test_a_spent_budget_tells_clients_not_to_insist():
    assert of_service(BudgetExhaustedError("team", 60.0)).headers == {"retry-after": "60", "x-should-retry": "false"}


@pytest.mark.parametrize(
    ("exclusions", "status", "code", "param"),
    [
        ({"a": "context_length", "b": "capabilities"}, 400, "context_length_exceeded", "messages"),
        ({"a": "max_output_tokens", "b": "capabilities"}, 400, "context_length_exceeded", "messages"),
        ({"a": "region", "b": "provider_key"}, 400, "no_eligible_model", None),
        ({"a": "provider_key", "b": "provider", "c": "disabled"}, 503, "no_callable_model", None),
        ({"a": "provider_key", "b": "model"}, 503, "no_callable_model", None),
        ({"a": "breaker", "b": "context_length"}, 503, "models_failing", None),
        ({}, 503, "no_callable_model", None),
    ],
)
def test_where_no_model_is_left_the_error_says_what_would_help(exclusions, status, code, param):
    told = of_service(NoEligibleModelError(exclusions))
    assert (told.status, told.code, told.param) == (status, code, param)


def test_without_any_key_the_models_and_the_remedy_are_named():
    message = of_service(NoEligibleModelError({"small": "provider_key", "large": "model"})).message
    assert message == "no model can be called (small: provider_key); `routeward doctor` says what to set"


def test_a_message_has_a_bounded_length():
    exclusions = {f"model-{number}": "region" for number in range(1000)}
    uncallable = {f"model-{number}": "provider" for number in range(1000)}
    assert len(of_service(NoEligibleModelError(exclusions)).message) <= 512
    assert len(of_service(NoEligibleModelError(uncallable)).message) <= 1024


def test_what_a_provider_says_of_a_request_is_handed_on():
    told = of_provider(RequestRefusedError("too long", code="context_length_exceeded", param="messages"), "small")
    assert (told.status, told.code, told.param, told.message) == (
        400,
        "context_length_exceeded",
        "messages",
        "small: too long",
    )


@pytest.mark.parametrize(
    ("error", "status"), [(ProviderTimeoutError("idle", 3.0), 504), (ProviderFaultError("down"), 502)]
)
def test_what_a_provider_fails_with_is_a_gateways_status(error, status):
    told = of_provider(error, "small")
    assert (told.status, told.type) == (status, "upstream_error")


def test_an_error_that_is_new_to_the_service_still_has_a_code_of_its_own():
    class NewError(ServiceError):
        code, reason = Code.FAILED_PRECONDITION, "SOMETHING_NEW"

    told = of_service(NewError("wait"))
    assert (told.status, told.code) == (400, "something_new")
