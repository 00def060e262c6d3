"""Google's Gemini API as a format of chats."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from adapters.providers.chat import Answer, Body
from adapters.providers.endpoint import Endpoint
from adapters.providers.errors import ProviderError
from adapters.providers.formats.gemini_answer import read_answer, read_failure
from adapters.providers.formats.gemini_request import generate_request
from adapters.providers.formats.gemini_stream import ResponseDecoder
from adapters.providers.formats.posts import post
from adapters.providers.retry_after import retry_after_s
from adapters.providers.transport import HttpRequest

_VERSIONS: Final = ("v1beta", "v1", "v1alpha")


class GeminiFormat:
    """Speaks to models at `/v1beta/models`. The clock says when answers were made, in seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def request(self, endpoint: Endpoint, model: str, body: Body, *, stream: bool) -> HttpRequest:
        """Return what to send. Raises RequestRefusedError, with the `param`, for what the API has no words for."""
        translated = generate_request(body)
        verb = "streamGenerateContent" if stream else "generateContent"
        path = f"/models/{quote(model.removeprefix('models/'), safe='')}:{verb}"
        query = "alt=sse" if stream else ""
        return post(endpoint, _VERSIONS, path, translated, key_header="x-goog-api-key", stream=stream, query=query)

    def answer(self, content: bytes, request_id: str) -> Answer:
        """Read a 200. Raises MalformedAnswerError, or what the API reports within it."""
        return read_answer(content, request_id, int(self._clock()))

    def decoder(self, choices: int = 1) -> ResponseDecoder:
        """Return what reads one stream, as `ChatFormat.decoder`."""
        return ResponseDecoder(self._clock, choices)

    def failure(self, status: int, headers: Mapping[str, str], content: bytes, now_s: float) -> ProviderError:
        """Return what a response that is no 200 means."""
        return read_failure(status, content, retry_after_s=retry_after_s(headers, now_s))
