"""A hostile server, one that speaks OpenAI, the transport that is tested, and models that are called through both."""

from collections.abc import AsyncIterator, Callable

import pytest

from adapters.providers.aiohttp_transport import AiohttpTransport
from adapters.providers.chat import Timeouts
from adapters.providers.endpoint import Endpoint, Format, Upstream
from adapters.providers.provider import HttpProvider, providers
from adapters.providers.secret import Secret
from tests.integration.providers.hostile import HostileServer, hostile_server
from tests.integration.providers.upstreams.openai import OpenAIUpstream, openai_upstream

KEY = "sk-canary-8f14e45fceea167a5a36dedd4bea2543"
BODY = {"messages": [{"role": "user", "content": "a prompt that nobody else may read"}]}
TIMEOUTS = Timeouts(connect_s=0.3, first_token_s=0.3, idle_s=0.3, total_s=0.5)
"""Short, for peers that stall; everyone else answers at once."""


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    async with hostile_server() as running:
        yield running


@pytest.fixture
async def upstream() -> AsyncIterator[OpenAIUpstream]:
    async with openai_upstream() as running:
        yield running


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    opened = AiohttpTransport(frozenset({"127.0.0.1"}))
    yield opened
    await opened.close()


@pytest.fixture
def model(transport: AiohttpTransport) -> Callable[[str], HttpProvider]:
    """Return what makes a model of a base URL; its clock stands at 1970."""

    def at(url: str) -> HttpProvider:
        endpoint = Endpoint("acme", Format.OPENAI, url, Secret(KEY))
        return providers(transport, {"acme": endpoint}, {"m": Upstream("acme", "m")}, lambda: 0.0)["m"]

    return at


async def completed(model: HttpProvider, timeouts: Timeouts = TIMEOUTS) -> bytes:
    """Return a whole answer."""
    return (await model.complete(BODY, timeouts)).body


async def streamed(model: HttpProvider, timeouts: Timeouts = TIMEOUTS) -> bytes:
    """Return everything of a stream."""
    answer = await model.stream(BODY, timeouts)
    try:
        return b"".join([chunk.data async for chunk in answer])
    finally:
        await answer.aclose()
