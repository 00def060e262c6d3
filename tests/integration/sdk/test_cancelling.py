"""Calls that are given up: reported as cancelled, and never kept from ending."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from routeward import AsyncClient, Client, Status, errors


@pytest.mark.parametrize("giving_up", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_call_that_is_given_up_is_cancelled(router, giving_up):
    with Client(router.target) as client, pytest.raises(giving_up), client.call("code") as call:
        raise giving_up
    assert router.signals(call.decision)["outcome"].status is Status.CANCELLED


def test_giving_up_passes_to_no_other_model(router):
    def work(client: Client) -> None:
        for attempt in client.attempts("summarization"):
            with attempt:
                raise KeyboardInterrupt

    with Client(router.target) as client, pytest.raises(KeyboardInterrupt):
        work(client)
    assert len(router.feedback_requests) == 1


async def test_a_cancelled_task_is_reported_before_the_client_closes(router):
    calls = []
    begun = asyncio.Event()

    async def work(client: AsyncClient) -> None:
        async with client.call("code") as call:
            calls.append(call)
            begun.set()
            await asyncio.Event().wait()

    async with AsyncClient(router.target) as client:
        task = asyncio.create_task(work(client))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert router.signals(calls[0].decision)["outcome"].status is Status.CANCELLED


async def test_cancelling_does_not_wait_for_a_server_that_does_not_answer(router, caplog):
    client = AsyncClient(router.target, feedback_timeout=0.3)
    with router.failing(errors.DeadlineExceededError, method="Feedback"):
        with pytest.raises(asyncio.CancelledError):
            async with client.call("code"):
                raise asyncio.CancelledError
        assert router.attempts == 1
        await client.close()
    assert router.attempts == 2
    assert "was not reported" in caplog.text


async def test_a_call_that_times_out_in_asyncio_is_reported_as_what_the_caller_says(router):
    calls = []

    async def work(client: AsyncClient) -> None:
        async with client.call("code") as call:
            calls.append(call)
            call.status(Status.TIMEOUT)
            await asyncio.Event().wait()

    async with AsyncClient(router.target) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(work(client), 0.1)
    assert router.signals(calls[0].decision)["outcome"].status is Status.TIMEOUT


async def test_a_generator_that_is_left_early_reports_a_cancelled_call(router):
    calls = []

    async def stream(client: AsyncClient) -> AsyncGenerator[str, None]:
        async with client.call("code") as call:
            calls.append(call)
            call.first_token()
            yield "first"
            yield "second"

    async with AsyncClient(router.target) as client:
        tokens = stream(client)
        assert await anext(tokens) == "first"
        await tokens.aclose()
    outcome = router.signals(calls[0].decision)["outcome"]
    assert outcome.status is Status.CANCELLED
    assert outcome.time_to_first_token_s is not None


async def test_many_calls_run_at_once(router):
    async def one(client: AsyncClient, number: int) -> None:
        async with client.call("code", input_tokens=number) as call:
            call.tokens(input=number)

    async with AsyncClient(router.target) as client:
        await asyncio.gather(*(one(client, number) for number in range(50)))
    assert sorted(request.input_tokens for request in router.route_requests) == list(range(50))
    assert len(router.feedback_requests) == 50


async def test_a_cancelled_question_is_not_answered_by_the_fallback(router):
    async with AsyncClient(router.target, fallback="small") as client:
        with router.failing(errors.DeadlineExceededError), pytest.raises(TimeoutError):
            await asyncio.wait_for(client.route("code", timeout=30), 0.1)
