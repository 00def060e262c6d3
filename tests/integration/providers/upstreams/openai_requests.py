"""What OpenAI refuses in a request, as far as tests need it: https://platform.openai.com/docs/api-reference/chat."""

import json
from collections.abc import Collection
from typing import Any

Json = dict[str, Any]
ROLES = {"system", "developer", "user", "assistant", "tool"}
PARTS = {"text", "image_url", "input_audio", "file"}
FIELDS = {
    *("model", "messages", "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls"),
    *("response_format", "temperature", "top_p", "n", "stop", "seed", "user", "metadata", "store", "logprobs"),
    *("max_tokens", "max_completion_tokens", "reasoning_effort", "service_tier", "logit_bias", "prompt_cache_key"),
}


class RefusedError(Exception):
    """A 4xx, with OpenAI's error object."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}


def check(raw: bytes, is_admitted: bool, deployment: str | None, models: Collection[str]) -> Json:
    """The body of a request. Raises RefusedError where OpenAI would."""
    if not is_admitted:
        raise RefusedError(401, "Incorrect API key provided: sk-upst***cdef.", code="invalid_api_key")
    try:
        body = json.loads(raw.decode())
    except ValueError:
        raise RefusedError(400, "We could not parse the JSON body of your request.") from None
    if deployment is not None:
        body["model"] = deployment
    if unknown := set(body) - FIELDS:
        raise RefusedError(400, f"Unrecognized request argument supplied: {min(unknown)}")
    if body.get("model") not in models:
        raise RefusedError(404, "The model does not exist or you do not have access to it.", code="model_not_found")
    if "stream_options" in body and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise RefusedError(400, message, param="stream_options")
    check_messages(body.get("messages"))
    return dict(body)


def check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise RefusedError(400, "Invalid 'messages': empty array.", param="messages", code="empty_array")
    for position, message in enumerate(messages):
        where = f"messages[{position}]"
        if message.get("role") not in ROLES:
            raise RefusedError(400, "Invalid value for 'role'.", param=f"{where}.role", code="invalid_value")
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part.get("type") not in PARTS:
                raise RefusedError(400, "Invalid value for 'type'.", param=f"{where}.content", code="invalid_value")
        if isinstance(content, str) and len(content.split()) > 1000:
            too_long = "This model's maximum context length is 1000 tokens."
            raise RefusedError(400, too_long, param="messages", code="context_length_exceeded")
