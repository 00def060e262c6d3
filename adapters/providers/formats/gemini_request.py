"""A request in the words of Google's Gemini API (https://ai.google.dev/api/generate-content)."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.providers.chat import Body
from adapters.providers.formats.conversation import Image, Part, Text, ToolCall, Turn, conversation
from adapters.providers.formats.request_fields import (
    check_fields,
    integer,
    json_mode,
    max_tokens,
    number,
    reasoning_effort,
    stops,
    unsupported,
)
from adapters.providers.formats.request_tools import Tool, Toolbox, toolbox

UNSIGNED: Final = "skip_thought_signature_validator"
"""Google's word for a call that no Gemini model made: newer ones want to see their signature on each turn's first."""

THINKING_TOKENS: Final = {
    "none": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 24576,
    "max": 24576,
}
"""What a `reasoning_effort` allows, as at Google's own endpoint in OpenAI's format, which knows none above high."""

_IMAGES: Final = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
}
"""By the end of an address; of others the API finds out itself."""

_TRANSLATED: Final = frozenset({"n", "seed", "frequency_penalty", "presence_penalty"})
_MODES: Final = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def generate_request(body: Body) -> dict[str, Any]:
    """Translate a chat completion request; the model is part of the address. Raises RequestRefusedError."""
    check_fields(body, _TRANSLATED)
    talk = conversation(body.get("messages"))
    request: dict[str, Any] = {"contents": [_content(turn) for turn in talk.turns]}
    if talk.instructions:
        request["systemInstruction"] = {"parts": [{"text": part.text} for part in talk.instructions]}
    request |= _tools(toolbox(body))
    if generation := _generation(body):
        request["generationConfig"] = generation
    return request


def _generation(body: Body) -> dict[str, Any]:
    given = {
        "maxOutputTokens": max_tokens(body),
        "temperature": number(body, "temperature", 0, 2),
        "topP": number(body, "top_p", 0, 1),
        "stopSequences": stops(body) or None,
        "candidateCount": _several(body),
        "seed": integer(body, "seed", -(2**31), 2**31 - 1),
        "frequencyPenalty": number(body, "frequency_penalty", -2, 2),
        "presencePenalty": number(body, "presence_penalty", -2, 2),
    }
    generation: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if (json := json_mode(body)) is not None:
        generation["responseMimeType"] = "application/json"
        if json.schema is not None:
            generation["responseJsonSchema"] = json.schema
    if (effort := reasoning_effort(body)) is not None:
        generation["thinkingConfig"] = {"thinkingBudget": THINKING_TOKENS[effort]}
    return generation


def _several(body: Body) -> int | None:
    """Return how many answers are wanted, where it is more than one: newer models do not want to hear of it."""
    wanted = integer(body, "n", 1, 8)
    return None if wanted == 1 else wanted


def _tools(box: Toolbox) -> dict[str, Any]:
    if not box.tools:
        return {}
    if box.at_most_one:
        raise unsupported("parallel_tool_calls", "must be true for this model's API")
    request: dict[str, Any] = {"tools": [{"functionDeclarations": [_tool(tool) for tool in box.tools]}]}
    if box.mode is not None:
        calling: dict[str, Any] = {"mode": _MODES[box.mode]}
        if box.name:
            calling["allowedFunctionNames"] = [box.name]
        request["toolConfig"] = {"functionCallingConfig": calling}
    return request


def _tool(tool: Tool) -> dict[str, Any]:
    declared: dict[str, Any] = {"name": tool.name}
    if tool.description:
        declared["description"] = tool.description
    if tool.parameters:
        declared["parametersJsonSchema"] = tool.parameters
    return declared


def _content(turn: Turn) -> dict[str, Any]:
    return {"role": "model" if turn.is_model else "user", "parts": _parts(turn.parts)}


def _parts(parts: Sequence[Part]) -> list[dict[str, Any]]:
    signed = False
    translated = []
    for part in parts:
        if isinstance(part, ToolCall):
            signature = part.signature or ("" if signed else UNSIGNED)
            signed = True
            translated.append(_call(part, signature))
        else:
            translated.append(_part(part))
    return translated


def _call(part: ToolCall, signature: str) -> dict[str, Any]:
    call: dict[str, Any] = {"functionCall": {"id": part.id, "name": part.name, "args": part.arguments}}
    return call | ({"thoughtSignature": signature} if signature else {})


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, Image):
        return _image(part)
    assert not isinstance(part, ToolCall)  # noqa: S101 - those are signed where their turn is known
    return {"functionResponse": {"id": part.call_id, "name": part.name, "response": {"output": part.text}}}


def _image(part: Image) -> dict[str, Any]:
    if not part.url:
        return {"inlineData": {"mimeType": part.media_type, "data": part.data}}
    media_type = _IMAGES.get(urlsplit(part.url).path.rpartition(".")[2].lower())
    return {"fileData": {"fileUri": part.url} | ({"mimeType": media_type} if media_type else {})}
