"""The whole service: OpenAI's client, the edge, the call loop, a transport, and models that speak OpenAI's API."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import openai
import pytest

from adapters.providers.endpoint import Endpoint, Format, Upstream
from adapters.providers.secret import Secret
from bandit.signals import Status
from tests.integration.providers.upstreams.openai import KEY, Failure, OpenAIUpstream, openai_upstream
from tests.integration.server.gateway.whole import Running, running

HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]


@dataclass
class Whole:
    """A service, the models it calls, and a client."""

    client: openai.AsyncOpenAI
    acme: OpenAIUpstream
    globex: OpenAIUpstream
    service: Running


@pytest.fixture
async def whole() -> AsyncIterator[Whole]:
    async with openai_upstream() as acme, openai_upstream() as globex:
        endpoints = {
            name: Endpoint(name, Format.OPENAI, f"{upstream.url}/v1", Secret(KEY))
            for name, upstream in (("acme", acme), ("globex", globex))
        }
        upstreams = {"small": Upstream("acme", "fake-small"), "large": Upstream("globex", "fake-large")}
        async with (
            running(endpoints, upstreams) as service,
            openai.AsyncOpenAI(
                base_url=f"http://{service.address}/v1", api_key="any", max_retries=0, timeout=20.0
            ) as client,
        ):
            yield Whole(client, acme, globex, service)


async def test_an_answer_comes_from_the_model_and_its_outcome_is_stored_under_its_decision(whole):
    raw = await whole.client.chat.completions.with_raw_response.create(model="auto", messages=HELLO)
    assert raw.parse().choices[0].message.content
    outcomes = await whole.service.outcomes()
    outcome = outcomes[whole.service.nonce(raw.headers["x-routeward-decision-id"])]
    assert (outcome.status, outcome.output_tokens) == (Status.OK, raw.parse().usage.completion_tokens)
    assert raw.headers["x-routeward-category"].startswith("auto-")


async def test_a_stream_comes_through_whole_and_reports_its_first_token_and_its_tokens(whole):
    stream = await whole.client.chat.completions.create(model="auto/chat", messages=HELLO, stream=True)
    parts = [part async for part in stream]
    assert "".join(part.choices[0].delta.content or "" for part in parts)
    assert parts[-1].choices[0].finish_reason == "stop"
    [outcome] = (await whole.service.outcomes()).values()
    assert outcome.status is Status.OK
    assert outcome.time_to_first_token_us is not None
    assert outcome.output_tokens is not None


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_model_that_fails_is_not_noticed_where_another_one_answers(whole, streamed):
    broken = Failure(500, '{"error":{"message":"down","type":"server_error"}}')
    whole.acme.failure = broken
    kinds = set()
    for _ in range(4):
        raw = await whole.client.chat.completions.with_raw_response.create(
            model="auto/chat", messages=HELLO, stream=streamed
        )
        assert raw.headers["x-routeward-model"] == "large"
        kinds.add((raw.headers["x-routeward-kind"], raw.headers["x-routeward-attempts"] != "1"))
        if streamed:
            assert [part async for part in raw.parse()]
    assert kinds <= {("SAMPLED", False), ("FALLBACK", True)}
    assert whole.globex.received


async def test_where_every_model_fails_the_caller_gets_the_last_failure_and_each_attempt_is_recorded(whole):
    whole.acme.failure = whole.globex.failure = Failure(
        429, '{"error":{"message":"slow down"}}', {"retry-after": "120"}
    )
    hurried = {"x-routeward-timeout-seconds": "10"}
    with pytest.raises(openai.RateLimitError) as raised:
        await whole.client.chat.completions.create(model="auto/chat", messages=HELLO, extra_headers=hurried)
    attempts = int(raised.value.response.headers["x-routeward-attempts"])
    assert attempts == 2
    assert int(raised.value.response.headers["retry-after"]) >= 119
    outcomes = await whole.service.outcomes()
    assert {outcome.status for outcome in outcomes.values()} == {Status.RATE_LIMITED}
    assert whole.service.nonce(raised.value.response.headers["x-routeward-decision-id"]) in outcomes


async def test_a_caller_who_leaves_ends_the_call_to_the_model(whole):
    whole.acme.gate = whole.globex.gate = asyncio.Event()
    asking = asyncio.create_task(whole.client.chat.completions.create(model="small", messages=HELLO))
    await asyncio.wait_for(whole.acme.begun.wait(), 20)
    asking.cancel()
    await asyncio.wait([asking])
    await asyncio.wait_for(whole.acme.abandoned.wait(), 20)
    [outcome] = (await whole.service.outcomes()).values()
    assert outcome.status is Status.CANCELLED


async def test_no_prompt_and_no_key_is_kept_or_logged(whole):
    secret = [{"role": "system", "content": "a canary sings"}, {"role": "user", "content": "another canary"}]
    await whole.client.chat.completions.create(model="auto", messages=secret)
    whole.acme.failure = whole.globex.failure = Failure(400, '{"error":{"message":"no"}}')
    with pytest.raises(openai.BadRequestError) as raised:
        await whole.client.chat.completions.create(model="auto", messages=secret)
    outcomes = await whole.service.outcomes()
    decisions = [decision async for decision in whole.service.store.decisions()]
    assert len(outcomes) == len(decisions) == 2
    everything = f"{outcomes} {decisions} {whole.service.log.getvalue()} {raised.value.response.text}"
    assert "canary" not in everything
    assert KEY not in everything
