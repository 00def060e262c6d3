"""Answers chats, whole or in streams, in the dialect of their callers."""

from collections.abc import AsyncIterator, Callable, Mapping

from adapters.providers.chat import Usage
from adapters.providers.errors import ProviderError
from server.credentials import Principal
from server.errors import CategoryUnknownError
from server.gateway.chats import Chat, Chats, Served, Streaming
from server.http.chat_replies import served_headers
from server.http.chat_requests import ChatRequests, Wish
from server.http.dialect import Dialect, EventWriter
from server.http.exchange import Events, Incoming, Reply
from server.http.json_bodies import parsed
from server.http.openai_errors import ApiError

Explain = Callable[[Exception], ApiError]
"""Says what a caller is told of an exception."""


class Completions:
    """Answers requests for chat completions. The clock, in microseconds, is an argument."""

    def __init__(
        self, chats: Chats, requests: ChatRequests, clock: Callable[[], int], explain: Explain, dialect: Dialect
    ) -> None:
        self._chats = chats
        self._requests = requests
        self._clock = clock
        self._explain = explain
        self._dialect = dialect

    async def answer(self, incoming: Incoming, body: bytes, caller: Principal) -> Reply | Events:
        """Return a model's answer. Raises RequestError, ServiceError, CallFailedError."""
        wish = self._requests.read(self._dialect.request(parsed(body)), incoming.headers, caller, self._clock())
        try:
            return await self._asked(wish, caller)
        except CategoryUnknownError as error:
            raise CategoryUnknownError(wish.chat.call.category, wish.category_field) from error

    async def _asked(self, wish: Wish, caller: Principal) -> Reply | Events:
        chat = wish.chat
        if wish.is_streamed:
            streaming = await self._chats.stream(chat, caller)

            def on_end(usage: Usage) -> None:
                self._answered(chat, streaming.served, usage, caller)

            return ChatEvents(streaming, self._dialect.events(wish), on_end, self._explain)
        served, answer = await self._chats.complete(chat, caller)
        self._answered(chat, served, answer.usage, caller)
        try:
            return Reply(200, self._dialect.answer(answer), served_headers(served))
        except ProviderError as error:
            raise served.failed(error) from error

    def _answered(self, chat: Chat, served: Served, usage: Usage, caller: Principal) -> None:
        self._requests.answered(chat, served, usage, caller, self._clock())


class ChatEvents:
    """The events of a streamed answer. `on_end` hears of a complete one."""

    def __init__(
        self, streaming: Streaming, writer: EventWriter, on_end: Callable[[Usage], None], explain: Explain
    ) -> None:
        self.headers: Mapping[str, str] = served_headers(streaming.served)
        self._streaming = streaming
        self._writer = writer
        self._on_end = on_end
        self._explain = explain

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the events; one that tells an error is the last."""
        usage = Usage()
        try:
            async for chunk in self._streaming:
                if chunk.usage is not None:
                    usage = chunk.usage
                if told := self._writer.chunk(chunk):
                    yield told
        except Exception as error:  # noqa: BLE001 - the status is sent: whatever fails now can only be told here
            yield self._writer.failed(self._explain(self._known(error)))
            return
        self._on_end(usage)
        yield self._writer.end()

    async def aclose(self) -> None:
        """Give up what is still to come."""
        await self._streaming.aclose()

    def _known(self, error: Exception) -> Exception:
        return self._streaming.served.failed(error) if isinstance(error, ProviderError) else error
