"""The tools of a request, and which of them the model may or has to call, as OpenAI writes them."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.providers.formats.anthropic_words import TOOL_CHOICES
from server.http.exchange import Document
from server.http.messages.fields import NEUTRAL_IN_TOOLS, TOOL, check, documents, flag_in, name_in, object_in
from server.http.prompts import refuse

_MODES: Final = {theirs: ours for ours, theirs in TOOL_CHOICES.items()}
_CHOICE: Final = ("type", "name", "disable_parallel_tool_use")


def tools(body: Document) -> Document:
    """Return the fields that say it; none where there are no tools. Raises InvalidFieldError."""
    given = body.get("tools")
    listed = [] if given is None else [_tool(tool, where) for where, tool in documents(given, "tools")]
    choice = object_in(body, "tool_choice", "")
    said = _choice(choice) if choice else {}
    if not listed:
        if said.get("tool_choice", "none") not in ("auto", "none"):
            refuse("tool_choice", "needs tools to choose from")
        return {}
    return {"tools": listed, **said}


def _tool(tool: Document, where: str) -> Document:
    if tool.get("type", "custom") not in ("custom", None):
        refuse(f"{where}.type", "is custom: tools that Anthropic runs have no counterpart at other providers")
    check(tool, TOOL, f"{where}.", NEUTRAL_IN_TOOLS)
    function: Document = {"name": name_in(tool, "name", f"{where}.")}
    description = tool.get("description")
    if description is not None and not isinstance(description, str):
        refuse(f"{where}.description", "is a text")
    if description:
        function["description"] = description
    if not isinstance(tool.get("input_schema"), dict):
        refuse(f"{where}.input_schema", "is required: an object, a JSON schema")
    function["parameters"] = tool["input_schema"]
    if flag_in(tool, "strict", f"{where}."):
        function["strict"] = True
    return {"type": "function", "function": function}


def _choice(choice: Document) -> Mapping[str, Any]:
    check(choice, _CHOICE, "tool_choice.")
    kind = choice.get("type")
    one_at_a_time = flag_in(choice, "disable_parallel_tool_use", "tool_choice.")
    said: Document = {"parallel_tool_calls": False} if one_at_a_time else {}
    if kind == "tool":
        return said | {
            "tool_choice": {"type": "function", "function": {"name": name_in(choice, "name", "tool_choice.")}}
        }
    if not isinstance(kind, str) or kind not in _MODES:
        refuse("tool_choice.type", f"is one of {', '.join(_MODES)}, tool")
    return said | {"tool_choice": _MODES[kind]}
