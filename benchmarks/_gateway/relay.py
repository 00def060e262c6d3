"""The least that a gateway costs: `python -m benchmarks._gateway.relay SERVER CLIENT URL` prints its port.

A server of HTTP reads a request, a client of HTTP sends it on, the answer goes back as it came. Nothing is parsed.
Libraries that only this compares are imported where they are used, so that they need not be there.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

PATH: Final = "/v1/chat/completions"
HEADERS: Final = {"Content-Type": "application/json", "Authorization": "Bearer sk-bench"}
TIMEOUT_S: Final = 60.0


class Answered(NamedTuple):
    """What a client got."""

    status: int
    body: bytes


Post = Callable[[str, bytes], Awaitable[Answered]]
"""Sends a body to a URL."""


@asynccontextmanager
async def aiohttp_client(connections: int | None) -> AsyncIterator[Post]:
    """Yield what sends, over at most so many connections."""
    async with ClientSession(
        connector=TCPConnector(limit=connections or 0),
        timeout=ClientTimeout(total=TIMEOUT_S),
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
    ) as session:

        async def post(url: str, body: bytes) -> Answered:
            async with session.post(url, data=body, headers=HEADERS) as response:
                return Answered(response.status, await response.read())

        yield post


@asynccontextmanager
async def httpx_client(library: str, connections: int | None) -> AsyncIterator[Post]:
    """Yield what sends, over at most so many connections, by httpx or its successor httpx2."""
    httpx: Any = import_module(library)
    async with httpx.AsyncClient(
        limits=httpx.Limits(max_connections=connections), timeout=TIMEOUT_S, trust_env=False
    ) as client:

        async def post(url: str, body: bytes) -> Answered:
            response = await client.post(url, content=body, headers=HEADERS)
            return Answered(response.status_code, response.content)

        yield post


CLIENTS: Final[Mapping[str, Callable[[int | None], AbstractAsyncContextManager[Post]]]] = {
    "aiohttp": aiohttp_client,
    "httpx2": partial(httpx_client, "httpx2"),
    "httpx": partial(httpx_client, "httpx"),
}


async def serve_aiohttp(post: Post, url: str) -> None:
    """Relay until it is terminated."""

    async def relay(request: web.Request) -> web.Response:
        answer = await post(url, await request.read())
        return web.Response(body=answer.body, status=answer.status, content_type="application/json")

    application = web.Application()
    application.router.add_post(PATH, relay)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


async def serve_starlette(parser: str, post: Post, url: str) -> None:
    """Relay until it is terminated, by starlette on uvicorn with one of its parsers of HTTP."""
    uvicorn, applications, routing, responses = (
        import_module(name)
        for name in ("uvicorn", "starlette.applications", "starlette.routing", "starlette.responses")
    )

    async def relay(request: Any) -> Any:
        answer = await post(url, await request.body())
        return responses.Response(answer.body, status_code=answer.status, media_type="application/json")

    application = applications.Starlette(routes=[routing.Route(PATH, relay, methods=["POST"])])
    # With its protocol named, without which asyncio leaves Nagle on, and each answer waits 40 ms.
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(2048)
        print(listening.getsockname()[1], flush=True)
        config = uvicorn.Config(application, http=parser, loop="asyncio", lifespan="off", log_level="error")
        await uvicorn.Server(config).serve(sockets=[listening])


SERVERS: Final[Mapping[str, Callable[[Post, str], Awaitable[None]]]] = {
    "aiohttp": serve_aiohttp,
    "starlette+h11": partial(serve_starlette, "h11"),
    "starlette+httptools": partial(serve_starlette, "httptools"),
}

PACKAGES: Final[dict[str, tuple[str, ...]]] = {
    "starlette+h11": ("starlette", "uvicorn", "h11"),
    "starlette+httptools": ("starlette", "uvicorn", "httptools"),
}


def missing(library: str) -> list[str]:
    """Return the packages that a server or a client lacks here."""
    return [package for package in PACKAGES.get(library, (library,)) if find_spec(package) is None]


async def serve(server: str, client: str, base_url: str) -> None:
    """Relay to a base URL until it is terminated."""
    async with CLIENTS[client](None) as post:
        await SERVERS[server](post, f"{base_url}/chat/completions")


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
