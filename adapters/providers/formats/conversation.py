"""The messages of a request, read into parts that every format has words for.

OpenAI's rules in, one form out: instructions apart, turns of user and model in alternation, results of tools after
the calls that they answer. What only OpenAI's API has is refused by its path, such as `messages[2].content[0]`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from adapters.providers.formats.request_fields import unsupported, wrong

_ANY_IMAGE: Final = "must be an https:// address, or data:<media type>;base64,<data>"


class Text(NamedTuple):
    """Text, never empty. `cache_control` asks, where it is there, that the prompt be cached up to here."""

    text: str
    cache_control: Mapping[str, Any] | None = None


class Image(NamedTuple):
    """A picture: at an https address, or as `data` in base64 of a `media_type`. `param` is where it stands."""

    param: str
    url: str = ""
    media_type: str = ""
    data: str = ""
    cache_control: Mapping[str, Any] | None = None


class ToolCall(NamedTuple):
    """A call that the model made. `signature` is what Gemini wants to see again of its thoughts."""

    id: str
    name: str
    arguments: Mapping[str, Any]
    signature: str = ""


class ToolResult(NamedTuple):
    """What a call of the tool `name` gave."""

    call_id: str
    name: str
    text: str
    cache_control: Mapping[str, Any] | None = None


Part = Text | Image | ToolCall | ToolResult


class Turn(NamedTuple):
    """What the model said, or what was said to it, in a row."""

    is_model: bool
    parts: Sequence[Part]


class Conversation(NamedTuple):
    """What is to be continued; `instructions` are of the system and the developer, wherever they stood."""

    instructions: Sequence[Text]
    turns: Sequence[Turn]


def conversation(messages: Any) -> Conversation:
    """Read the messages of a request.

    Raises RequestRefusedError for what is no message, UnsupportedRequestError for what other APIs cannot be told.
    """
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", "must be a list of at least one message")
    instructions: list[Text] = []
    turns: list[Turn] = []
    names: dict[str, str] = {}  # of the tools, by the id of the call
    for index, message in enumerate(messages):
        param = f"messages[{index}]"
        role = message.get("role") if isinstance(message, dict) else None
        if role in ("system", "developer"):
            instructions.extend(_texts(message.get("content"), f"{param}.content"))
        elif role == "user":
            _add(turns, is_model=False, parts=_parts(message.get("content"), f"{param}.content"))
        elif role == "assistant":
            parts = _said(message, param)
            names |= {part.id: part.name for part in parts if isinstance(part, ToolCall)}
            _add(turns, is_model=True, parts=parts)
        elif role == "tool":
            _add(turns, is_model=False, parts=[_result(message, param, names)])
        elif role == "function":
            raise unsupported(f"{param}.role", "is deprecated: use role tool")
        else:
            raise wrong(f"{param}.role", "must be system, developer, user, assistant or tool")
    if not turns:
        raise wrong("messages", "must say something besides instructions")
    return Conversation(instructions, turns)


def _add(turns: list[Turn], *, is_model: bool, parts: list[Part]) -> None:
    """Append to the last turn where it is the same one's: other APIs want them to alternate."""
    if turns and turns[-1].is_model == is_model:
        turns[-1] = Turn(is_model, [*turns[-1].parts, *parts])
    elif parts:
        turns.append(Turn(is_model, parts))


def _parts(content: Any, param: str) -> list[Part]:
    return [part for where, item in _items(content, param) for part in _part(item, where)]


def _texts(content: Any, param: str) -> list[Text]:
    """Return the parts of what may only be text."""
    parts = []
    for where, item in _items(content, param):
        for part in _part(item, where):
            if not isinstance(part, Text):
                raise unsupported(where, "must be text in a message of this role")
            parts.append(part)
    return parts


def _items(content: Any, param: str) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a content, each with its path."""
    if isinstance(content, str):
        yield param, {"type": "text", "text": content}
    elif isinstance(content, list):
        yield from ((f"{param}[{index}]", item) for index, item in enumerate(content))
    else:
        raise wrong(param, "must be a string or a list of parts")


def _part(item: Any, param: str) -> Iterator[Text | Image]:
    """Yield a part; nothing for an empty text, which other APIs refuse."""
    kind = item.get("type") if isinstance(item, dict) else None
    if kind in ("text", "refusal"):
        if not isinstance(text := item.get(kind), str):
            raise wrong(f"{param}.{kind}", "must be a string")
        if text:
            yield Text(text, _cache_control(item, param))
    elif kind == "image_url":
        yield _image(item, param)
    elif isinstance(kind, str):
        raise unsupported(param, "is neither text nor an image")
    else:
        raise wrong(f"{param}.type", "must be text or image_url")


def _image(item: Mapping[str, Any], param: str) -> Image:
    where = item.get("image_url")
    url = where.get("url") if isinstance(where, dict) else None
    if not isinstance(url, str):
        raise wrong(f"{param}.image_url.url", _ANY_IMAGE)
    cache_control = _cache_control(item, param)
    if url.startswith("https://"):
        return Image(param, url=url, cache_control=cache_control)
    head, comma, data = url.partition(",")
    media_type = head.removeprefix("data:").removesuffix(";base64")
    if not (comma and head.startswith("data:image/") and head.endswith(";base64")):
        raise unsupported(f"{param}.image_url.url", _ANY_IMAGE)
    return Image(param, media_type=media_type, data=data, cache_control=cache_control)


def _cache_control(item: Mapping[str, Any], param: str) -> Mapping[str, Any] | None:
    asked = item.get("cache_control")
    if asked is None or isinstance(asked, dict):
        return asked
    raise wrong(f"{param}.cache_control", "must be an object")


def _said(message: Mapping[str, Any], param: str) -> list[Part]:
    """Return what the model said. Its `reasoning_content` is left out: no API takes thoughts back unsigned."""
    for deprecated in ("function_call", "audio"):
        if message.get(deprecated) is not None:
            raise unsupported(f"{param}.{deprecated}", "has no counterpart here")
    content, calls = message.get("content"), message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise wrong(f"{param}.tool_calls", "must be a list")
    parts: list[Part] = [] if content is None and (calls or message.get("refusal")) else _texts_of_model(content, param)
    return parts + [_call(call, f"{param}.tool_calls[{index}]") for index, call in enumerate(calls)]


def _texts_of_model(content: Any, param: str) -> list[Part]:
    return [*_texts(content, f"{param}.content")]


def _call(call: Any, param: str) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise wrong(f"{param}.function", "must be an object: of tools, only functions have a counterpart here")
    name, id_ = function.get("name"), call.get("id")
    if not (isinstance(name, str) and name):
        raise wrong(f"{param}.function.name", "must be a string that is not empty")
    if not (isinstance(id_, str) and id_):
        raise wrong(f"{param}.id", "must be a string that is not empty")
    return ToolCall(id_, name, _arguments(function.get("arguments"), f"{param}.function.arguments"), _signature(call))


def _arguments(written: Any, param: str) -> Mapping[str, Any]:
    try:
        arguments = json.loads(written or "{}") if isinstance(written, str) else None
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise wrong(param, "must be a string that holds a JSON object")
    return arguments


def _signature(call: Mapping[str, Any]) -> str:
    """Return the signature where Google's own endpoint in OpenAI's format puts it."""
    found: Any = call
    for name in ("extra_content", "google", "thought_signature"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def _result(message: Mapping[str, Any], param: str, names: Mapping[str, str]) -> ToolResult:
    call_id = message.get("tool_call_id")
    if not (isinstance(call_id, str) and call_id in names):
        raise wrong(f"{param}.tool_call_id", "must be the id of a tool call before it")
    parts = _texts(message.get("content"), f"{param}.content")
    cache_control = parts[-1].cache_control if parts else None
    return ToolResult(call_id, names[call_id], "".join(part.text for part in parts), cache_control)
