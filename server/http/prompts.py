"""Reads the messages of a request once: are they well formed, how long are they, what do they hold. Keeps no text.

What only a provider can judge (the order of roles, schemas of tools) is left to it.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, NoReturn

from adapters.json_documents import written
from server.errors import InvalidFieldError, Violation
from server.http.exchange import Document

ROLES: Final = ("system", "developer", "user", "assistant", "tool", "function")
MAX_MESSAGES: Final = 10_000
MAX_PARTS: Final = 10_000

BYTES_PER_TOKEN: Final = 4
"""UTF-8 bytes per token: near 4 in English and code, and about right where a character has three bytes."""
MESSAGE_TOKENS: Final = 4
"""What a message costs beyond its text: its role and its frame."""
IMAGE_TOKENS: Final = 800
LOW_DETAIL_IMAGE_TOKENS: Final = 85
"""What an image costs, whose size nobody here knows: OpenAI counts 765 for a square of 1024, and 85 at low detail."""
FILE_TOKENS: Final = 1500
"""What a page of a document costs, whose length nobody here knows."""
SOUND_BYTES_PER_TOKEN: Final = 6400
"""Base64 characters of sound per token: ten tokens a second at 16 bits and 24 kHz."""

VISION, AUDIO, FILES, TOOLS, JSON_MODE = "vision", "audio", "files", "tools", "json"


class Prompt(NamedTuple):
    """What is known of a request's prompt.

    `wants` are the capabilities that it needs, each with the path of the field that needs it first; `system` the texts
    that come before the conversation, and `tools` the names of tools, which together tell kinds of tasks apart.
    """

    input_tokens: int
    wants: Mapping[str, str]
    system: tuple[str, ...]
    tools: tuple[str, ...]


def prompt_of(body: Document) -> Prompt:
    """Return what a request's body says. Raises InvalidFieldError, which names the field."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        refuse("messages", "is required: a list of one message or more")
    if len(messages) > MAX_MESSAGES:
        refuse("messages", f"has at most {MAX_MESSAGES} messages")
    reading = _Reading()
    for index, message in enumerate(messages):
        reading.take_message(message, f"messages[{index}]")
    tools = _tools(body, reading)
    if _wants_json(body):
        reading.wants[JSON_MODE] = "response_format"
    tokens = reading.tokens + -(-reading.text_bytes // BYTES_PER_TOKEN)
    return Prompt(tokens, reading.wants, tuple(reading.system), tools)


def refuse(field: str, rule: str) -> NoReturn:
    """Say that a field breaks a rule."""
    raise InvalidFieldError([Violation(field, rule)])


class _Reading:
    """What was counted so far."""

    __slots__ = ("parts", "system", "text_bytes", "tokens", "wants")

    def __init__(self) -> None:
        self.text_bytes = 0
        self.tokens = 0
        self.parts = 0
        self.wants: dict[str, str] = {}
        self.system: list[str] = []

    def take_message(self, message: Any, path: str) -> None:
        """Count a message."""
        if not isinstance(message, dict):
            refuse(path, "is an object")
        role = message.get("role")
        if role not in ROLES:
            refuse(f"{path}.role", f"is one of {', '.join(ROLES)}")
        self.tokens += MESSAGE_TOKENS
        is_system = role in ("system", "developer")
        content = message.get("content")
        if isinstance(content, str):
            self._take_text(content, is_system)
        elif isinstance(content, list):
            self._take_parts(content, f"{path}.content", is_system)
        elif content is not None or role != "assistant":
            refuse(f"{path}.content", "is a text or a list of parts")
        if role == "assistant" and message.get("tool_calls") is not None:
            self._take_tool_calls(message["tool_calls"], f"{path}.tool_calls")

    def _take_text(self, text: str, is_system: bool) -> None:
        self.text_bytes += _size(text)
        if is_system:
            self.system.append(text)

    def _take_parts(self, parts: list[Any], path: str, is_system: bool) -> None:
        self.parts += len(parts)
        if not parts or self.parts > MAX_PARTS:
            refuse(path, f"has parts, at most {MAX_PARTS} in all messages")
        for index, part in enumerate(parts):
            if not isinstance(part, dict):
                refuse(f"{path}[{index}]", "is an object")
            if part.get("type") == "text" and isinstance(part.get("text"), str):
                self._take_text(part["text"], is_system)
            else:
                self._take_other(part, f"{path}[{index}]")

    def _take_other(self, part: Document, path: str) -> None:
        kind = part.get("type")
        if kind == "image_url":
            self._take_image(part, path)
        elif kind == "input_audio":
            sound = _object(part, "input_audio", path).get("data")
            self._take(AUDIO, path, len(sound) // SOUND_BYTES_PER_TOKEN if isinstance(sound, str) else 0)
        elif kind == "file":
            _object(part, "file", path)
            self._take(FILES, path, FILE_TOKENS)
        elif kind in ("text", "refusal"):
            if not isinstance(part.get(kind), str):
                refuse(f"{path}.{kind}", "is a text")
            self._take_text(part[kind], False)
        else:
            refuse(f"{path}.type", "is one of text, image_url, input_audio, file, refusal")

    def _take_image(self, part: Document, path: str) -> None:
        image = _object(part, "image_url", path)
        if not isinstance(image.get("url"), str) or not image["url"]:
            refuse(f"{path}.image_url.url", "is an address, or the image itself as data:image/...;base64,...")
        self._take(VISION, path, LOW_DETAIL_IMAGE_TOKENS if image.get("detail") == "low" else IMAGE_TOKENS)

    def _take(self, capability: str, path: str, tokens: int) -> None:
        self.wants.setdefault(capability, f"{path}.type")
        self.tokens += tokens

    def _take_tool_calls(self, calls: Any, path: str) -> None:
        if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
            refuse(path, "is a list of objects")
        for call in calls:
            function = call.get("function")
            if isinstance(function, dict) and isinstance(function.get("arguments"), str):
                self._take_text(function["arguments"], False)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8"))


def _object(part: Document, field: str, path: str) -> Document:
    value = part.get(field)
    if not isinstance(value, dict):
        refuse(f"{path}.{field}", "is an object")
    return value


def _tools(body: Document, reading: _Reading) -> tuple[str, ...]:
    field = "tools" if body.get("tools") is not None else "functions"
    tools = body.get(field)
    if tools is None:
        return ()
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        refuse(field, "is a list of objects")
    if tools:
        reading.wants[TOOLS] = field
        reading.text_bytes += len(written(tools))
    return tuple(_tool_name(tool) for tool in tools)


def _tool_name(tool: Document) -> str:
    described = tool.get(str(tool.get("type")))
    name = described.get("name") if isinstance(described, dict) else tool.get("name")
    return name if isinstance(name, str) else ""


def _wants_json(body: Document) -> bool:
    form = body.get("response_format")
    if form is None:
        return False
    if not isinstance(form, dict) or not isinstance(form.get("type"), str):
        refuse("response_format", "is an object with a type")
    return form["type"] in ("json_object", "json_schema")
