"""Which error a failed response is."""

import json

import pytest

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
)
from adapters.providers.formats.openai_format import OpenAIFormat
from bandit.signals import Status


def failure(status: int, body: object, **headers: str) -> ProviderError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return OpenAIFormat().failure(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, content, 0.0
    )


def error(message: str = "", **fields: object) -> dict[str, object]:
    return {"error": {"message": message} | fields}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (204, MalformedAnswerError),
        (301, MalformedAnswerError),
        (307, MalformedAnswerError),
        (400, RequestRefusedError),
        (401, CredentialRefusedError),
        (402, CredentialRefusedError),
        (403, CredentialRefusedError),
        (404, ModelMissingError),
        (405, ModelMissingError),
        (408, ProviderFaultError),
        (413, RequestRefusedError),
        (418, RequestRefusedError),
        (422, RequestRefusedError),
        (429, RateLimitedError),
        (498, ProviderFaultError),
        (500, ProviderFaultError),
        (502, ProviderFaultError),
        (503, ProviderFaultError),
        (504, ProviderFaultError),
        (529, ProviderFaultError),
        (599, ProviderFaultError),
        (999, ProviderFaultError),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"null", error("m", type="invalid_request_error"), {"detail": "m"}])
def test_a_status_means_an_error_whatever_the_body(status, expected, body):
    found = failure(status, body)
    assert type(found) is expected
    assert found.http_status == status


# As the servers of the day answer, by name.
@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, error("API key not valid", code="invalid_api_key"), CredentialRefusedError),
        (400, error("gone", code="model_decommissioned", type="invalid_request_error"), ModelMissingError),
        (404, error("none", code="DeploymentNotFound"), ModelMissingError),
        (429, error("no money", code="insufficient_quota", type="insufficient_quota"), RateLimitedError),
        (403, error("slow down", code="rate_limit_exceeded"), RateLimitedError),
        (400, error("bad call", code="tool_use_failed", type="invalid_request_error"), UnfitAnswerError),
        (404, error("no such File object", param="file_id", type="invalid_request_error"), RequestRefusedError),
        (404, error("no such model", param="model", type="invalid_request_error"), ModelMissingError),
        (403, error("flagged", code=403, metadata={"flagged_input": "x", "reasons": ["y"]}), RequestRefusedError),
        (400, [error("Bad value", code=400, status="INVALID_ARGUMENT")], RequestRefusedError),
        (503, error("Loading model", code=503, type="unavailable_error"), ProviderFaultError),
        (500, error("overloaded", type="invalid_request_error"), ProviderFaultError),
    ],
)
def test_what_a_body_says_is_plainer_than_its_status(status, body, expected):
    assert type(failure(status, body)) is expected


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (error("too long", code="context_length_exceeded", type="invalid_request_error"), "context_length_exceeded"),
        (error("too long", type="exceed_context_size_error", code=400), "context_length_exceeded"),
        (error("This model's maximum context length is 8 tokens.", code=400), "context_length_exceeded"),
        (error("flagged", code=403, metadata={"flagged_input": "x"}), "content_filter"),
        (error("stopped", code="content_filter"), "content_filter"),
        (error("odd", type="invalid_request_error", code=None), "invalid_request_error"),
        ({"detail": "odd"}, ""),
        ({"detail": [{"type": "missing", "loc": ["body", "messages"], "msg": "Field required"}]}, "missing"),
    ],
)
def test_a_refused_request_has_openais_code_for_it(body, code):
    refused = failure(400, body)
    assert isinstance(refused, RequestRefusedError)
    assert refused.code == code
    assert (refused.status, refused.is_failure) == (Status.CANCELLED, False)


@pytest.mark.parametrize(
    "body",
    [
        error("no reasoning here", code="unsupported_parameter", param="top_k.depth"),
        error("not that much", code="unsupported_value", param="top_k.depth"),
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "top_k", "depth"], "msg": "Extra inputs"}]},
        error("too long", code="context_length_exceeded", param="top_k.depth"),
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_what_this_model_cannot_do_another_one_may(status, body):
    refused = failure(status, body)
    assert isinstance(refused, UnsupportedRequestError)
    assert (refused.elsewhere, refused.param) == (True, "top_k.depth")
    assert not failure(400, error("wrong", code="invalid_value")).elsewhere


@pytest.mark.parametrize(
    "body",
    [
        error("the reason", param="messages"),
        {"error": "the reason"},
        {"object": "error", "message": "the reason", "code": 400},
        {"message": "the reason", "request_id": "1"},
        {"detail": "the reason"},
        {"detail": [{"loc": ["body", "messages"], "msg": "the reason", "type": "missing"}]},
        {"object": "error", "message": {"detail": [{"msg": "the reason"}]}},
        [error("the reason")],
        b"the reason",
    ],
)
def test_the_reason_is_found_in_whatever_form_it_comes(body):
    assert str(failure(400, body)).endswith("(400): the reason")


def test_a_redirect_says_what_to_do_and_not_where_it_leads():
    found = failure(302, b"http://10.0.0.1/secret", location="http://10.0.0.1/secret")
    assert "base_url" in str(found)
    assert "10.0.0.1" not in str(found)


def test_no_more_than_200_bytes_of_a_body_are_shown():
    for body in (error("é" * 10_000, code="é" * 10_000, param="é" * 10_000), b"\xff" * 10_000, "é" * 10_000):
        found = failure(400, body)
        assert isinstance(found, RequestRefusedError)
        shown = str(found).partition("(400): ")[2]
        assert all(len(text.encode()) <= 200 for text in (shown, found.code, found.param))


@pytest.mark.parametrize("status", [429, 503, 529])
def test_how_long_to_wait_is_read_of_every_failure_of_the_provider(status):
    assert failure(status, b"", retry_after="7").retry_after_s == 7.0
    assert failure(status, b"", retry_after_ms="250").retry_after_s == 0.25
    assert failure(status, b"").retry_after_s is None
