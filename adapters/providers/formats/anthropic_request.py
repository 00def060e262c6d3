"""A request in the words of Anthropic's Messages API (https://docs.anthropic.com/en/api/messages)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.providers.chat import Body
from adapters.providers.formats.anthropic_words import TOOL_CHOICES
from adapters.providers.formats.conversation import Image, Part, Text, ToolCall, Turn, conversation
from adapters.providers.formats.request_fields import (
    check_fields,
    json_mode,
    max_tokens,
    number,
    reasoning_effort,
    stops,
    unsupported,
)
from adapters.providers.formats.request_tools import Tool, Toolbox, toolbox

DEFAULT_MAX_TOKENS: Final = 4096
"""Sent where the caller names no bound: the API wants one, and refuses what is above the model's own highest. That is
4096 for Claude 3, of March 2024, and more for what came later.
"""

JSON_INSTRUCTION: Final = "Answer with one valid JSON object and nothing else: no text around it, no code fence."
"""Stands for `json_object`: the API has JSON by a schema, and none without."""

_IMAGES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")


def messages_request(model: str, body: Body, *, stream: bool) -> dict[str, Any]:
    """Translate a chat completion request.

    Temperatures above 1, the API's highest, become 1, as at Anthropic's own endpoint in OpenAI's format; so the
    default needs not be sent, which newer models refuse to hear of. Raises RequestRefusedError.
    """
    check_fields(body)
    talk = conversation(body.get("messages"))
    request: dict[str, Any] = {
        "model": model,
        "max_tokens": max_tokens(body) or DEFAULT_MAX_TOKENS,
        "messages": [_message(turn) for turn in talk.turns],
    }
    instructions = [_text(part) for part in talk.instructions]
    json = json_mode(body)
    if json is not None and json.schema is None:
        instructions.append({"type": "text", "text": JSON_INSTRUCTION})
    if instructions:
        request["system"] = instructions
    request |= _sampling(body) | _tools(toolbox(body)) | _output(body, json.schema if json else None)
    if stream:
        request["stream"] = True
    return request


def _sampling(body: Body) -> dict[str, Any]:
    limited = {"temperature": number(body, "temperature", 0, 2), "top_p": number(body, "top_p", 0, 1)}
    sampling: dict[str, Any] = {name: value for name, value in limited.items() if value is not None and value < 1}
    if texts := stops(body):
        if not all(text.strip() for text in texts):
            raise unsupported("stop", "must hold more than white space for this model's API")
        sampling["stop_sequences"] = texts
    return sampling


def _output(body: Body, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return how much is to be thought, and what form the answer has."""
    effort = reasoning_effort(body)
    config: dict[str, Any] = {}
    if effort not in (None, "none"):
        config["effort"] = "low" if effort == "minimal" else effort
    if schema is not None:
        config["format"] = {"type": "json_schema", "schema": schema}
    thinking = {"thinking": {"type": "disabled"}} if effort == "none" else {}
    return thinking | ({"output_config": config} if config else {})


def _tools(box: Toolbox) -> dict[str, Any]:
    if not box.tools:
        return {}
    mode = TOOL_CHOICES[box.mode or "auto"]
    chosen: dict[str, Any] = {"type": "tool", "name": box.name} if box.name else {"type": mode}
    if box.at_most_one and box.mode != "none":
        chosen["disable_parallel_tool_use"] = True
    said = box.mode is not None or box.at_most_one
    return {"tools": [_tool(tool) for tool in box.tools]} | ({"tool_choice": chosen} if said else {})


def _tool(tool: Tool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": tool.name,
        "input_schema": tool.parameters or {"type": "object", "properties": {}},
    }
    if tool.description:
        described["description"] = tool.description
    if tool.strict:
        described["strict"] = True
    return described


def _message(turn: Turn) -> dict[str, Any]:
    return {"role": "assistant" if turn.is_model else "user", "content": _blocks(turn.parts)}


def _blocks(parts: Sequence[Part]) -> list[dict[str, Any]]:
    return [_block(part) for part in parts]


def _block(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return _text(part)
    if isinstance(part, Image):
        return _image(part)
    if isinstance(part, ToolCall):
        return {"type": "tool_use", "id": part.id, "name": part.name, "input": part.arguments}
    return _cached({"type": "tool_result", "tool_use_id": part.call_id, "content": part.text}, part.cache_control)


def _text(part: Text) -> dict[str, Any]:
    return _cached({"type": "text", "text": part.text}, part.cache_control)


def _image(part: Image) -> dict[str, Any]:
    if part.url:
        source = {"type": "url", "url": part.url}
    elif part.media_type in _IMAGES:
        source = {"type": "base64", "media_type": part.media_type, "data": part.data}
    else:
        raise unsupported(part.param, f"must be one of {', '.join(_IMAGES)}")
    return _cached({"type": "image", "source": source}, part.cache_control)


def _cached(block: dict[str, Any], cache_control: Mapping[str, Any] | None) -> dict[str, Any]:
    return block if cache_control is None else block | {"cache_control": cache_control}
