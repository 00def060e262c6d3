"""Anthropic's Messages API as a format of chats."""

from collections.abc import Callable, Mapping
from typing import Final

from adapters.providers.chat import Answer, Body
from adapters.providers.endpoint import Endpoint
from adapters.providers.errors import ProviderError
from adapters.providers.formats.anthropic_answer import read_answer, read_failure
from adapters.providers.formats.anthropic_request import messages_request
from adapters.providers.formats.anthropic_stream import MessageDecoder
from adapters.providers.formats.posts import post
from adapters.providers.retry_after import retry_after_s
from adapters.providers.transport import HttpRequest

API_VERSION: Final = "2023-06-01"
"""Of the header `anthropic-version`; an operator's header of that name wins. 2026-10-21 has no temperature."""

_VERSIONS: Final = ("v1",)


class AnthropicFormat:
    """Speaks to models at `/v1/messages`. The clock says when answers were made, in seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def request(self, endpoint: Endpoint, model: str, body: Body, *, stream: bool) -> HttpRequest:
        """Return what to send. Raises RequestRefusedError, with the `param`, for what the API has no words for."""
        translated = messages_request(model, body, stream=stream)
        headers = {"anthropic-version": API_VERSION}
        return post(
            endpoint, _VERSIONS, "/messages", translated, key_header="x-api-key", stream=stream, headers=headers
        )

    def answer(self, content: bytes, request_id: str) -> Answer:
        """Read a 200. Raises MalformedAnswerError, or what the API reports within it."""
        return read_answer(content, request_id, int(self._clock()))

    def decoder(self, choices: int = 1) -> MessageDecoder:  # noqa: ARG002
        """Return what reads one stream, which never holds more than one answer."""
        return MessageDecoder(self._clock)

    def failure(self, status: int, headers: Mapping[str, str], content: bytes, now_s: float) -> ProviderError:
        """Return what a response that is no 200 means."""
        waits_s = retry_after_s(headers, now_s)
        return read_failure(status, content, retry_after_s=waits_s, request_id=headers.get("request-id", ""))
