"""The messages of a request: system prompt, turns, calls of tools and their results, as OpenAI writes them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from adapters.providers.formats.completions import compact, tool_call
from server.http.exchange import Document
from server.http.messages.fields import blocks, check, documents, flag_in, name_in, object_in
from server.http.prompts import refuse

FAILED: Final = "Error: "
"""Leads the result of a tool that failed, which OpenAI has no field for."""

_TEXT: Final = ("text",)
_HEARD: Final = ("text", "image", "tool_result")
_SAID: Final = ("text", "tool_use")


def conversation(system: Any, messages: Any) -> list[Document]:
    """Return the messages. Raises InvalidFieldError, which names the field that cannot be carried."""
    if not isinstance(messages, list) or not messages:
        refuse("messages", "is required: a list of one message or more")
    carried = [] if system in (None, "") else _instructions(system, "system")
    calls: set[str] = set()
    role = None
    for where, message in documents(messages, "messages"):
        check(message, ("role", "content"), f"{where}.")
        role, content = message.get("role"), message.get("content")
        if role == "user":
            carried += _heard(content, f"{where}.content", calls)
        elif role == "assistant":
            carried.append(_said(content, f"{where}.content", calls))
        elif role == "system":
            carried += _instructions(content, f"{where}.content")
        else:
            refuse(f"{where}.role", "is one of user, assistant, system")
    if role == "assistant":
        refuse(f"messages[{len(messages) - 1}]", "is the beginning of an answer, which most models do not go on with")
    return carried


def mark_last(messages: list[Document], cache_control: Document) -> None:
    """Mark the end of the prompt as worth caching."""
    last = messages[-1]
    parts = _parts_of(last["content"])
    if parts:
        last["content"] = [*parts[:-1], {"cache_control": cache_control, **parts[-1]}]


def is_marked(messages: Iterable[Document]) -> bool:
    """Tell whether a part says how far the prompt is worth caching."""
    contents = (message["content"] for message in messages)
    return any("cache_control" in part for content in contents if isinstance(content, list) for part in content)


def _instructions(content: Any, where: str) -> list[Document]:
    parts = [_text(block, path) for path, block in blocks(content, where, _TEXT)]
    return [{"role": "system", "content": _content(parts)}] if parts else []


def _heard(content: Any, where: str, calls: set[str]) -> list[Document]:
    """Return what the user says, after the results of tools."""
    results: list[Document] = []
    parts: list[Document] = []
    for path, block in blocks(content, where, _HEARD):
        if block["type"] != "tool_result":
            parts.append(_text(block, path) if block["type"] == "text" else _image(block, path))
        elif parts:
            refuse(path, "comes before everything else of its message")
        else:
            results.append(_result(block, path, calls))
    if not results and not parts:
        refuse(where, "has at least one block")
    return [*results, {"role": "user", "content": _content(parts)}] if parts else results


def _said(content: Any, where: str, calls: set[str]) -> Document:
    """Return what the model said; `calls` takes the ids of its calls."""
    parts, called = [], []
    for path, block in blocks(content, where, _SAID):
        if block["type"] == "text":
            parts.append(_text(block, path))
        else:
            called.append(_call(block, path))
            calls.add(block["id"])
    said: Document = {"role": "assistant", "content": _content(parts) if parts or not called else None}
    return said | {"tool_calls": called} if called else said


def _content(parts: list[Document]) -> str | list[Document]:
    """Return a plain text where there is no more to tell: not every server reads parts."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        text: str = parts[0]["text"]
        return text
    return parts


def _parts_of(content: str | list[Document] | None) -> list[Document]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return content or []


def _text(block: Document, where: str) -> Document:
    if not isinstance(block.get("text"), str):
        refuse(f"{where}.text", "is a text")
    return {"type": "text", "text": block["text"], **_mark(block, where)}


def _image(block: Document, where: str) -> Document:
    source = object_in(block, "source", f"{where}.")
    kind = source.get("type")
    if kind == "url":
        url = name_in(source, "url", f"{where}.source.")
    elif kind == "base64":
        media_type = name_in(source, "media_type", f"{where}.source.")
        url = f"data:{media_type};base64,{name_in(source, 'data', f'{where}.source.')}"
    else:
        refuse(f"{where}.source.type", "is url or base64: files of one provider are not known to the others")
    return {"type": "image_url", "image_url": {"url": url}, **_mark(block, where)}


def _call(block: Document, where: str) -> Document:
    arguments = block.get("input")
    if not isinstance(arguments, dict):
        refuse(f"{where}.input", "is an object")
    call = tool_call(name_in(block, "id", f"{where}."), name_in(block, "name", f"{where}."), compact(arguments))
    signed = object_in(block, "extra_content", f"{where}.")
    return call | {"extra_content": signed} if signed else call


def _result(block: Document, where: str, calls: set[str]) -> Document:
    call_id = name_in(block, "tool_use_id", f"{where}.")
    if call_id not in calls:
        refuse(f"{where}.tool_use_id", "is the id of a tool_use in a message before")
    content = block.get("content")
    parts = [] if content is None else [_text(one, path) for path, one in blocks(content, f"{where}.content", _TEXT)]
    if flag_in(block, "is_error", f"{where}."):
        parts = _led(parts)
    if parts:
        parts[-1] |= _mark(block, where)
    return {"role": "tool", "tool_call_id": call_id, "content": _content(parts)}


def _led(parts: list[Document]) -> list[Document]:
    """Return a result that says that the tool failed."""
    first, *others = parts or [{"type": "text", "text": ""}]
    words = first["text"]
    return [first | {"text": words if words.startswith(FAILED) else FAILED + words}, *others]


def _mark(block: Document, where: str) -> Mapping[str, Any]:
    asked = object_in(block, "cache_control", f"{where}.")
    return {"cache_control": asked} if asked else {}
