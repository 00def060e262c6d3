"""Whatever a provider does, a call ends in time, with an answer or with an error that says what was wrong."""

import asyncio
import logging
import tracemalloc
from collections.abc import Iterator
from difflib import SequenceMatcher
from traceback import TracebackException

import pytest

from adapters.providers.chat import Timeouts
from adapters.providers.errors import (
    MAX_EXCERPT,
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
    UnreachableError,
)
from adapters.providers.transport import HttpRequest
from tests.integration.providers.behaviours import BEHAVIOURS
from tests.integration.providers.conftest import BODY, KEY, TIMEOUTS, completed, streamed
from tests.integration.providers.hostile import never_accepting
from tests.integration.providers.responses import MARK

HANGS_S = 10.0
"""Long after every deadline: who is not done by then never will be."""

PATIENT = Timeouts()
MB = 1024 * 1024

ANSWERS = {
    completed: (
        "plain_answer cookies duplicate_keys compressed_unasked interim_responses closed_unannounced kept_alive "
        "answer_instead_of_stream hesitating"
    ),
    streamed: "plain_stream split_at_every_byte carriage_returns two_ends byte_order_mark_in_stream hesitating",
}
ERRORS = {
    (completed, MalformedAnswerError): (
        "truncated_json empty_body page_of_html html_called_json wrong_content_type no_content_type wrong_charset "
        "utf_16 invalid_utf_8 byte_order_mark nul_bytes deep_nesting not_a_number a_list another_object no_choices "
        "choices_of_another_type no_http bad_status header_without_colon header_with_nul negative_length two_lengths "
        "bad_chunk_size huge_chunk_size broken_compression truncated_compression two_compressed_parts "
        "unknown_compression no_content not_modified redirect_301 redirect_302 redirect_307 redirect_308 "
        "endless_headers endless_header_line longer_than_announced plain_stream"
    ),
    (streamed, MalformedAnswerError): "event_of_broken_json event_of_nested_json answer_instead_of_stream no_http",
    (completed, UnreachableError): (
        "connection_closed reset_before_headers reset_within_body shorter_than_announced chunks_without_end"
    ),
    (streamed, UnreachableError): "connection_closed reset_before_headers",
    (streamed, StreamBrokenError): "reset_mid_stream stream_without_end empty_stream end_without_answer lines_of_json",
    (completed, ProviderTimeoutError): (
        "stalled_before_headers stalled_within_headers stalled_within_body dripping_body endless_interim_responses"
    ),
    (streamed, ProviderTimeoutError): (
        "stalled_before_headers stalled_after_headers stalled_mid_stream endless_comments endless_tokens"
    ),
    (completed, AnswerTooLargeError): "hundred_megabytes gzip_bomb",
    (streamed, AnswerTooLargeError): "huge_event",
    (completed, ProviderFaultError): (
        "failure_within_200 internal_error unavailable overloaded unknown_status failure_of_html "
        "failure_of_nested_json hundred_megabytes_of_failure protocol_switched"
    ),
    (streamed, ProviderFaultError): "failure_before_first_token failure_after_first_token internal_error",
    (completed, CredentialRefusedError): "unauthorized forbidden echoing_failure",
    (completed, ModelMissingError): "not_found",
    (completed, RequestRefusedError): "bad_request too_large unprocessable",
    (completed, RateLimitedError): (
        "retry_after_seconds retry_after_date retry_after_negative retry_after_huge retry_after_rubbish"
    ),
}
FAILING = [(name, ask, error) for (ask, error), names in ERRORS.items() for name in names.split()]
GREEDY = [("hundred_megabytes", completed), ("hundred_megabytes_of_failure", completed), ("gzip_bomb", completed)]
GREEDY += [("huge_event", streamed), ("endless_headers", completed), ("endless_header_line", completed)]


async def failure(asked) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await asyncio.wait_for(asked, HANGS_S)
    return raised.value


def related(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, and all that it came from."""
    if error:
        yield error
        yield from related(error.__cause__)
        yield from related(error.__context__)


def test_every_behaviour_has_an_expected_end() -> None:
    expected = {name for names in (*ANSWERS.values(), *ERRORS.values()) for name in names.split()}
    assert expected == set(BEHAVIOURS)
    assert len({name for name, _, _ in FAILING}) >= 40


@pytest.mark.parametrize(("name", "ask"), [(name, ask) for ask, names in ANSWERS.items() for name in names.split()])
async def test_what_is_right_in_spite_of_all_is_an_answer(name, ask, model, server) -> None:
    answer = await asyncio.wait_for(ask(model(server.url(name))), HANGS_S)
    assert (b"Hello" in answer) or (b'"Hel"' in answer and b'"lo"' in answer)


@pytest.mark.parametrize(("name", "ask", "expected"), FAILING)
async def test_what_is_wrong_is_a_typed_error_that_shows_little_of_it(
    name, ask, expected, model, server, caplog
) -> None:
    caplog.set_level(logging.DEBUG)
    error = await failure(ask(model(server.url(name))))
    assert type(error) is expected
    body = (MARK * 20).decode()
    assert SequenceMatcher(None, str(error), body, autojunk=False).find_longest_match().size <= MAX_EXCERPT
    assert len(str(error)) <= 2 * MAX_EXCERPT
    told = "".join(TracebackException.from_exception(error).format()) + caplog.text
    told += "".join(f"{one}{one!r}{one.args!r}{vars(one)!r}" for one in related(error))
    assert KEY not in told
    assert BODY["messages"][0]["content"] not in told
    assert b"Hello" in await asyncio.wait_for(completed(model(server.url("plain_answer"))), HANGS_S)
    assert server.requests["redirected"] == 0


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("seconds", 7.0), ("date", 7.0), ("negative", None), ("huge", 300.0), ("rubbish", None)],
)
async def test_how_long_a_provider_asks_to_be_left_alone_is_read_or_unknown(name, seconds, model, server) -> None:
    error = await failure(completed(model(server.url(f"retry_after_{name}"))))
    assert error.retry_after_s == seconds


async def test_a_peer_that_never_accepts_takes_the_time_to_connect(model) -> None:
    async with never_accepting() as url:
        error = await failure(completed(model(url)))
    assert isinstance(error, ProviderTimeoutError)
    assert error.phase == "connect"


async def test_nobody_listening_is_said_so(model) -> None:
    async with never_accepting() as url:
        pass
    error = await failure(completed(model(url)))
    assert type(error) is UnreachableError
    assert str(error) == f"no connection to {url.removeprefix('http://')}: connection refused"


@pytest.mark.parametrize("left_s", [0.0, -1.0])
async def test_no_time_left_is_not_time_without_end(left_s, model, server) -> None:
    error = await failure(completed(model(server.url("stalled_before_headers")), PATIENT._replace(total_s=left_s)))
    assert (type(error), str(error)) == (ProviderTimeoutError, "the provider took longer than 0.001 s (total)")
    async with never_accepting() as url:
        error = await failure(completed(model(url), PATIENT._replace(connect_s=left_s)))
    assert (type(error), str(error)) == (ProviderTimeoutError, "the provider took longer than 0.001 s (connect)")


@pytest.mark.parametrize(
    ("name", "ask", "phase"),
    [
        ("stalled_before_headers", completed, "total"),
        ("stalled_before_headers", streamed, "first_token"),
        ("stalled_after_headers", streamed, "first_token"),
        ("endless_comments", streamed, "first_token"),
        ("stalled_mid_stream", streamed, "idle"),
        ("endless_tokens", streamed, "total"),
    ],
)
async def test_a_timeout_tells_what_was_waited_for(name, ask, phase, model, server) -> None:
    error = await failure(ask(model(server.url(name))))
    assert isinstance(error, ProviderTimeoutError)
    assert error.phase == phase


@pytest.mark.parametrize(("name", "ask"), GREEDY)
async def test_memory_stays_flat_whatever_is_sent(name, ask, model, server) -> None:
    """By what is allocated, since pages once resident hide what comes later."""
    tracemalloc.start()
    try:
        await failure(ask(model(server.url(name)), PATIENT))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * MB


async def test_a_huge_body_passes_through_in_pieces(transport, server) -> None:
    request = HttpRequest(server.url("hundred_megabytes"), {}, b"")
    tracemalloc.start()
    try:
        async with transport.send(request, PATIENT) as response:
            sizes = [len(chunk) async for chunk in response.chunks()]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(sizes) == 100 * MB
    assert max(sizes) < MB
    assert peak < 10 * MB


async def test_a_request_that_was_cut_off_is_not_sent_again(model, server) -> None:
    broken = model(server.url("reset_before_headers"))
    await failure(completed(broken))
    assert server.requests["reset_before_headers"] == 1


async def test_connections_are_kept_where_they_were_read_to_the_end(model, server) -> None:
    kept = model(server.url("kept_alive"))
    for _ in range(3):
        await completed(kept)
    assert server.connections == 1


def test_timeouts_of_the_tests_are_far_from_what_counts_as_hanging() -> None:
    assert 10 * TIMEOUTS.total_s < HANGS_S
