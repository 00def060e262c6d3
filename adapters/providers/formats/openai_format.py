"""OpenAI's chat completions, as OpenAI, Azure, OpenRouter, Groq, Together, Mistral, vLLM, Ollama, llama.cpp take them.

Source: https://platform.openai.com/docs/api-reference/chat. Requests and answers pass as they are, unknown fields too.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from adapters.providers.chat import Answer, Body, MarkedBody
from adapters.providers.endpoint import Endpoint, Format
from adapters.providers.errors import ProviderError, RequestRefusedError
from adapters.providers.formats.chat_format import StreamDecoder
from adapters.providers.formats.failures import explained, typed
from adapters.providers.formats.openai_answers import OpenAIDecoder, answer
from adapters.providers.formats.posts import headers_of
from adapters.providers.json_text import written
from adapters.providers.retry_after import retry_after_s
from adapters.providers.transport import HttpRequest

_SAID_ANEW: Final = ("stream", "stream_options")


class OpenAIFormat:
    """OpenAI's format, and Azure's, which differs in how the key is sent and where the older deployments are."""

    def request(self, endpoint: Endpoint, model: str, body: Body, *, stream: bool) -> HttpRequest:
        """Return what to send: the body as it came but for `model`, `stream`, and the usage asked for in streams."""
        sent: dict[str, Any] = {**body, "model": model}
        for name in _SAID_ANEW:
            sent.pop(name, None)
        if isinstance(body, MarkedBody):
            sent["messages"] = [_unmarked(message) for message in body["messages"]]
        if stream:
            sent["stream"] = True
            if options := _stream_options(endpoint, body.get("stream_options")):
                sent["stream_options"] = options
        headers = headers_of(endpoint, _key(endpoint), stream=stream)
        return HttpRequest(_address(endpoint, model), headers, written(sent))

    def answer(self, content: bytes, request_id: str) -> Answer:
        """Read a 200, as `ChatFormat.answer`."""
        return answer(content, request_id)

    def decoder(self, choices: int = 1) -> StreamDecoder:
        """Return what reads one stream, as `ChatFormat.decoder`."""
        return OpenAIDecoder(choices)

    def failure(self, status: int, headers: Mapping[str, str], content: bytes, now_s: float) -> ProviderError:
        """Return what a response that is no 200 means, as `ChatFormat.failure`."""
        return typed(status, explained(content), retry_after_s=retry_after_s(headers, now_s))


def _unmarked(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a message without marks for a cache; a text alone is no list of parts, which not every server reads."""
    parts = message["content"]
    if not isinstance(parts, list):
        return message
    plain = [{name: value for name, value in part.items() if name != "cache_control"} for part in parts]
    is_text = len(plain) == 1 and plain[0]["type"] == "text"
    return {**message, "content": plain[0]["text"] if is_text else plain}


def _stream_options(endpoint: Endpoint, options: Any) -> dict[str, Any]:
    if not isinstance(options, dict | None):
        raise RequestRefusedError("`stream_options` has to be an object", param="stream_options")
    others = {name: value for name, value in (options or {}).items() if name != "include_usage"}
    return others | {"include_usage": True} if endpoint.stream_usage else others


def _address(endpoint: Endpoint, model: str) -> str:
    base_url, query = endpoint.base_url, dict(endpoint.query)
    if endpoint.format is Format.AZURE:
        # Operators copy the bare host from Azure's portal, or the whole address from its documentation.
        base_url = base_url.removesuffix("/v1").removesuffix("/openai") + "/openai"
        base_url += f"/deployments/{quote(model, safe='')}" if endpoint.api_version else "/v1"
        query |= {"api-version": endpoint.api_version} if endpoint.api_version else {}
    return f"{base_url}/chat/completions" + (f"?{urlencode(query)}" if query else "")


def _key(endpoint: Endpoint) -> Mapping[str, str]:
    if not endpoint.key:
        return {}
    key = endpoint.key.reveal()
    return {"api-key": key} if endpoint.format is Format.AZURE else {"authorization": f"Bearer {key}"}
