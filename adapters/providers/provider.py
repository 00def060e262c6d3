"""A model behind HTTP: a format, a transport and an endpoint make a `server.ports.Provider`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Final

from adapters.providers.answer_stream import HttpAnswerStream
from adapters.providers.chat import Answer, Body, Timeouts
from adapters.providers.content_type import EVENT_STREAM, JSON, check_content_type
from adapters.providers.endpoint import Endpoint, Format, Upstream
from adapters.providers.errors import (
    AnswerTooLargeError,
    MalformedAnswerError,
    ProviderError,
    ProviderTimeoutError,
    excerpt,
)
from adapters.providers.formats.anthropic_format import AnthropicFormat
from adapters.providers.formats.chat_format import ChatFormat
from adapters.providers.formats.gemini_format import GeminiFormat
from adapters.providers.formats.openai_format import OpenAIFormat
from adapters.providers.formats.request_fields import choices
from adapters.providers.transport import HttpResponse, Transport

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""What is read of a whole answer."""

MAX_EXPLANATION_BYTES: Final = 64 * 1024
"""What is read of a response that is no 200."""

EXPLANATION_S: Final = 2.0
"""How long that is waited for: the status alone says most."""

_REQUEST_IDS: Final = ("x-request-id", "request-id", "apim-request-id")


class HttpProvider:
    """One model at one endpoint. Every exception that leaves is a ProviderError, or that of being cancelled.

    `clock` gives the seconds since 1970, which dates in `Retry-After` are counted from.
    """

    def __init__(
        self, chat_format: ChatFormat, transport: Transport, endpoint: Endpoint, model: str, clock: Callable[[], float]
    ) -> None:
        self._format = chat_format
        self._transport = transport
        self._endpoint = endpoint
        self._model = model
        self._clock = clock

    async def complete(self, body: Body, timeouts: Timeouts) -> Answer:
        """Return the whole answer; being cancelled ends the call."""
        request = self._format.request(self._endpoint, self._model, body, stream=False)
        async with self._transport.send(request, timeouts) as response:
            await self._check_status(response)
            check_content_type(response.headers, JSON)
            content = await _content(response)
        return self._answer(content, _request_id(response))

    async def stream(self, body: Body, timeouts: Timeouts) -> HttpAnswerStream:
        """Return the answer as soon as the provider accepted the request; the caller closes it."""
        request = self._format.request(self._endpoint, self._model, body, stream=True)
        decoder = self._format.decoder(choices(body))
        deadline_s = asyncio.get_running_loop().time() + timeouts.first_token_s
        async with AsyncExitStack() as exchange:
            try:
                async with asyncio.timeout_at(deadline_s):
                    response = await exchange.enter_async_context(self._transport.send(request, timeouts))
                    await self._check_stream(response)
            except TimeoutError:
                raise ProviderTimeoutError("first_token", timeouts.first_token_s) from None
            return HttpAnswerStream(
                response.chunks(),
                decoder,
                timeouts,
                deadline_s,
                exchange.pop_all(),
                key=self._endpoint.key,
                request_id=_request_id(response),
            )

    async def _check_stream(self, response: HttpResponse) -> None:
        await self._check_status(response)
        if check_content_type(response.headers, EVENT_STREAM, JSON) == JSON:
            self._answer(await _content(response), _request_id(response))  # raises what it reports
            raise MalformedAnswerError("the provider sent a whole answer instead of a stream")

    async def _check_status(self, response: HttpResponse) -> None:
        if response.status != 200:
            content = self._masked(await _explanation(response))
            failure = self._format.failure(response.status, response.headers, content, self._clock())
            failure.request_id = failure.request_id or _request_id(response)
            raise failure

    def _answer(self, content: bytes, request_id: str) -> Answer:
        """Read an answer; what is said of it in an error does not hold the key."""
        try:
            return self._format.answer(content, request_id)
        except ProviderError:
            masked = self._masked(content)
            if masked == content:
                raise
        return self._format.answer(masked, request_id)

    def _masked(self, content: bytes) -> bytes:
        return content if self._endpoint.key is None else self._endpoint.key.masked(content)


def providers(
    transport: Transport,
    endpoints: Mapping[str, Endpoint],
    upstreams: Mapping[str, Upstream],
    clock: Callable[[], float],
) -> dict[str, HttpProvider]:
    """Return a provider for each model id of `upstreams`, whose endpoints have to be there."""
    connect = connector(transport, endpoints, clock)
    return {model: connect(upstream) for model, upstream in upstreams.items()}


def connector(
    transport: Transport, endpoints: Mapping[str, Endpoint], clock: Callable[[], float]
) -> Callable[[Upstream], HttpProvider]:
    """Return what makes a provider for a model; its endpoint has to be one of these, by name."""
    formats: Mapping[Format, ChatFormat] = {
        Format.OPENAI: OpenAIFormat(),
        Format.AZURE: OpenAIFormat(),
        Format.ANTHROPIC: AnthropicFormat(clock),
        Format.GEMINI: GeminiFormat(clock),
    }

    def connect(upstream: Upstream) -> HttpProvider:
        endpoint = endpoints[upstream.provider]
        return HttpProvider(formats[endpoint.format], transport, endpoint, upstream.name, clock)

    return connect


async def _content(response: HttpResponse) -> bytes:
    """Return a whole body. Raises AnswerTooLargeError."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.chunks():
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            raise AnswerTooLargeError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
        pieces.append(piece)
    return b"".join(pieces)


async def _explanation(response: HttpResponse) -> bytes:
    """Return the beginning of a body, as much as came."""
    content = bytearray()
    try:
        async with asyncio.timeout(EXPLANATION_S):
            await _gather(response.chunks(), content)
    except (TimeoutError, ProviderError):
        pass
    return bytes(content[:MAX_EXPLANATION_BYTES])


async def _gather(pieces: AsyncIterator[bytes], content: bytearray) -> None:
    async for piece in pieces:
        content += piece
        if len(content) >= MAX_EXPLANATION_BYTES:
            return


def _request_id(response: HttpResponse) -> str:
    for name in _REQUEST_IDS:
        if (value := response.headers.get(name)) is not None:
            return excerpt(value)
    return ""
