"""An answer that arrives in parts: bytes become events, events become chunks, and silence has an end."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

from adapters.providers.chat import Chunk, Timeouts
from adapters.providers.errors import ProviderError, ProviderTimeoutError, StreamBrokenError, UnreachableError
from adapters.providers.formats.chat_format import ServerSentEvent, StreamDecoder
from adapters.providers.secret import Secret
from adapters.providers.sse import EventParser

LINGER_S: Final = 2.0
"""How long more is waited for once an answer is complete: figures of usage, and the end, which frees the connection."""


class HttpAnswerStream:
    """An answer whose response has begun, as `AnswerStream`. It holds the exchange, and lets go of it where it ends.

    `deadline_s` is the time of the event loop by which the first token has to be there. What comes before a failure
    in the same piece is still returned, and once the answer is complete nothing fails any more.
    """

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        decoder: StreamDecoder,
        timeouts: Timeouts,
        deadline_s: float,
        exchange: AsyncExitStack,
        *,
        key: Secret | None = None,
        request_id: str = "",
    ) -> None:
        self._pieces = pieces
        self._decoder = decoder
        self._timeouts = timeouts
        self._deadline_s = deadline_s
        self._exchange = exchange
        self._key = key
        self._request_id = request_id
        self._parser = EventParser()
        self._chunks: deque[Chunk] = deque()
        self._has_token = False
        self._is_fresh = False
        self._is_over = False
        self._failure: ProviderError | None = None

    @property
    def request_id(self) -> str:
        """What the provider calls the request; empty where it does not say."""
        return self._request_id

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        while not self._chunks:
            if self._failure:
                raise self._failure
            if self._is_over:
                raise StopAsyncIteration
            await self._advance()
        return self._chunks.popleft()

    async def aclose(self) -> None:
        """Give up what is still to come and release the connection. Safe to call twice."""
        self._chunks.clear()
        await self._end(StreamBrokenError("the stream was closed before the answer was complete"))

    async def _advance(self) -> None:
        try:
            piece = await self._read()
            if piece is None:
                await self._end(StreamBrokenError("the stream ended before the answer was complete"))
                return
            for event in self._parser.feed(piece):
                self._take(event)
        except UnreachableError as error:
            await self._end(StreamBrokenError(f"the stream broke before the answer was complete: {error}"))
        except ProviderError as error:
            await self._end(error)
        except asyncio.CancelledError:
            await self.aclose()
            raise

    async def _end(self, failure: ProviderError) -> None:
        """Let go of the exchange; it failed unless the answer is complete, or the end was there before."""
        if not self._is_over and not self._decoder.is_complete:
            failure.request_id = failure.request_id or self._request_id
            self._failure = failure
        self._is_over = True
        await self._exchange.aclose()

    async def _read(self) -> bytes | None:
        if self._is_fresh:  # counted from here, not from the chunk: what the reader took its time for is not waiting
            self._is_fresh = False
            patience_s = LINGER_S if self._decoder.is_complete else self._timeouts.idle_s
            self._deadline_s = asyncio.get_running_loop().time() + patience_s
        try:
            async with asyncio.timeout_at(self._deadline_s):
                return await anext(self._pieces, None)
        except TimeoutError:
            pass
        if self._has_token:
            raise ProviderTimeoutError("idle", self._timeouts.idle_s)
        raise ProviderTimeoutError("first_token", self._timeouts.first_token_s)

    def _take(self, event: ServerSentEvent) -> None:
        was_complete = self._decoder.is_complete
        chunks = self._decoded(event)
        self._chunks.extend(chunks)
        self._has_token = self._has_token or any(chunk.has_token or chunk.finish_reason for chunk in chunks)
        if not was_complete and (self._decoder.is_complete or (chunks and self._has_token)):
            self._is_fresh = True

    def _decoded(self, event: ServerSentEvent) -> list[Chunk]:
        """Return what an event says; what is said of it in an error does not hold the key."""
        try:
            return list(self._decoder.feed(event))
        except ProviderError:
            masked = event.data if self._key is None else self._key.masked(event.data)
            if masked == event.data:
                raise
        return list(self._decoder.feed(event._replace(data=masked)))
