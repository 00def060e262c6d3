"""Answers that arrive in parts."""

import asyncio

import pytest

from adapters.providers.chat import Usage
from adapters.providers.errors import ProviderFaultError, StreamBrokenError
from bandit.signals import Status
from server.gateway.chats import CallFailedError
from tests.unit.server.gateway.scripted import END, STREAM, chunk

CUT = StreamBrokenError("the stream ended before the answer was complete")


def all_do(desk, *steps):
    for provider in desk.providers.values():
        provider.does(*steps)


async def read(live):
    return [part async for part in live]


async def test_every_chunk_arrives_in_order_and_the_outcome_has_tokens_and_the_time_of_the_first(desk):
    all_do(desk, STREAM)
    live = await desk.stream()
    desk.seconds.now_s += 2.0
    assert await read(live) == list(STREAM)
    await live.aclose()
    (record,) = await desk.stored()
    assert (record.fact.status, record.fact.output_tokens) == (Status.OK, 100)
    assert (record.fact.time_to_first_token_us, record.fact.latency_us) == (0, 2_000_000)
    assert sum(provider.open_streams for provider in desk.providers.values()) == 0


@pytest.mark.parametrize("broken", [ProviderFaultError("503"), (CUT,), (chunk(), CUT)])
async def test_a_stream_that_breaks_before_its_first_token_is_followed_by_the_fallback(desk, broken):
    all_do(desk, broken)
    desk.providers["other"].does(STREAM)
    live = await desk.stream()
    assert live.served.model == "other"
    assert await read(live) == list(STREAM)
    await live.aclose()
    assert sum(provider.open_streams for provider in desk.providers.values()) == 0


async def test_after_its_first_token_the_error_reaches_the_caller_and_is_reported(desk):
    all_do(desk, (chunk(), chunk("he"), CUT))
    live = await desk.stream()
    parts = aiter(live)
    assert [await anext(parts), await anext(parts)] == [chunk(), chunk("he")]
    with pytest.raises(CallFailedError) as failed:
        await anext(parts)
    await live.aclose()
    assert failed.value.error is CUT
    assert sum(len(provider.calls) for provider in desk.providers.values()) == 1
    (record,) = await desk.stored()
    assert (record.fact.status, record.fact.time_to_first_token_us, record.fact.latency_us) == (Status.ERROR, 0, None)


async def test_a_caller_who_leaves_on_the_way_teaches_the_first_token_and_nothing_else(desk):
    all_do(desk, (chunk("he"), asyncio.Event()))
    live = await desk.stream()
    await anext(aiter(live))
    await live.aclose()
    await live.aclose()
    (record,) = await desk.stored()
    assert record.fact == (Status.CANCELLED, None, 0, None, None, None, None)
    assert sum(provider.open_streams for provider in desk.providers.values()) == 0


async def test_a_caller_who_leaves_after_the_last_token_has_had_the_answer(desk):
    all_do(desk, (chunk("hello"), END[0], asyncio.Event()))
    live = await desk.stream()
    parts = aiter(live)
    assert [await anext(parts), await anext(parts)] == [chunk("hello"), END[0]]
    await live.aclose()
    (record,) = await desk.stored()
    assert record.fact.status is Status.OK


async def test_an_answer_without_a_token_is_an_answer(desk):
    all_do(desk, END)
    live = await desk.stream()
    assert await read(live) == list(END)
    await live.aclose()
    (record,) = await desk.stored()
    assert (record.fact.status, record.fact.time_to_first_token_us) == (Status.OK, None)


async def test_a_caller_who_leaves_before_the_first_token_ends_the_stream(desk):
    all_do(desk, (chunk(), asyncio.Event()))
    waiting = asyncio.create_task(desk.stream())
    await desk.slow()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert sum(provider.open_streams for provider in desk.providers.values()) == 0
    (record,) = await desk.stored()
    assert record.fact.status is Status.CANCELLED


async def test_the_first_token_may_take_half_of_the_time_and_the_whole_answer_all_of_it(desk):
    all_do(desk, STREAM)
    live = await desk.stream(deadline_s=30.0)
    await read(live)
    (timeouts,) = [call for provider in desk.providers.values() for call in provider.calls]
    assert (timeouts.first_token_s, timeouts.total_s) == (15.0, 30.0)


async def test_what_a_broken_stream_said_that_it_billed_is_kept(desk):
    all_do(desk, (chunk("he"), END[1], CUT))
    live = await desk.stream()
    with pytest.raises(CallFailedError):
        await read(live)
    await live.aclose()
    (record,) = await desk.stored()
    assert (record.fact.status, record.fact.input_tokens, record.fact.output_tokens) == (Status.ERROR, 1000, 100)


async def test_what_is_counted_along_with_chunks_is_not_what_an_answer_used_that_was_left(desk):
    all_do(desk, (chunk("he")._replace(usage=Usage(1000, None, 3)), asyncio.Event()))
    live = await desk.stream()
    await anext(aiter(live))
    await live.aclose()
    (record,) = await desk.stored()
    assert (record.fact.status, record.fact.output_tokens) == (Status.CANCELLED, None)
