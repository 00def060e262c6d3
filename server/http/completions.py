"""POST /v1/chat/completions: whole answers and streams of them."""

from collections.abc import AsyncIterator, Callable, Mapping

from adapters.providers.chat import Usage
from server.credentials import Principal
from server.gateway.chats import Chat, Chats, Served, Streaming
from server.http.chat_replies import DONE, event, served_headers
from server.http.chat_requests import ChatRequests
from server.http.exchange import Events, Incoming, Reply
from server.http.json_bodies import parsed
from server.http.openai_errors import ApiError

Explain = Callable[[Exception], ApiError]
"""Says what a caller is told of an exception."""


class Completions:
    """Answers requests for chat completions. The clock, in microseconds, is an argument."""

    def __init__(self, chats: Chats, requests: ChatRequests, clock: Callable[[], int], explain: Explain) -> None:
        self._chats = chats
        self._requests = requests
        self._clock = clock
        self._explain = explain

    async def answer(self, incoming: Incoming, body: bytes, caller: Principal) -> Reply | Events:
        """Return a model's answer. Raises RequestError, ServiceError, CallFailedError."""
        chat, is_streamed, includes_usage = self._requests.read(parsed(body), incoming.headers, caller, self._clock())
        if is_streamed:
            streaming = await self._chats.stream(chat, caller)

            def on_end(usage: Usage) -> None:
                self._answered(chat, streaming.served, usage, caller)

            return ChatEvents(streaming, on_end, self._explain, includes_usage=includes_usage)
        served, answer = await self._chats.complete(chat, caller)
        self._answered(chat, served, answer.usage, caller)
        return Reply(200, answer.body, served_headers(served))

    def _answered(self, chat: Chat, served: Served, usage: Usage, caller: Principal) -> None:
        self._requests.answered(chat, served, usage, caller, self._clock())


class ChatEvents:
    """The events of a streamed answer. `on_end` hears of a complete one."""

    def __init__(
        self, streaming: Streaming, on_end: Callable[[Usage], None], explain: Explain, *, includes_usage: bool
    ) -> None:
        self.headers: Mapping[str, str] = served_headers(streaming.served)
        self._streaming = streaming
        self._on_end = on_end
        self._explain = explain
        self._includes_usage = includes_usage

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the events; one that tells an error is the last, and no `[DONE]` follows it."""
        usage = Usage()
        try:
            async for chunk in self._streaming:
                if chunk.usage is not None:
                    usage = chunk.usage
                    if not (chunk.has_choices or self._includes_usage):
                        continue
                yield event(chunk.data)
        except Exception as error:  # noqa: BLE001 - the status is sent: whatever fails now can only be told here
            yield event(self._explain(error).body())
            return
        self._on_end(usage)
        yield DONE

    async def aclose(self) -> None:
        """Give up what is still to come."""
        await self._streaming.aclose()
