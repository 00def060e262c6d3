"""The tools of a request, and which of them the model may or has to call."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from adapters.providers.chat import Body
from adapters.providers.formats.request_fields import unsupported, wrong

_MODES: Final = ("auto", "none", "required")


class Tool(NamedTuple):
    """A function that the model may call; no `parameters` is a function without any."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] | None = None
    strict: bool = False


class Toolbox(NamedTuple):
    """The tools and how they may be used.

    `mode` is None (nothing is said), "auto", "none" or "required"; with a `name`, that tool is required.
    """

    tools: Sequence[Tool] = ()
    mode: str | None = None
    name: str = ""
    at_most_one: bool = False


def toolbox(body: Body) -> Toolbox:
    """Read the tools of a request. Raises RequestRefusedError for what is none, or is one that only OpenAI has."""
    listed = body.get("tools") or []
    if not isinstance(listed, list):
        raise wrong("tools", "must be a list")
    tools = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(listed)]
    mode, name = _choice(body.get("tool_choice"))
    if not tools and mode == "required":
        raise wrong("tool_choice", "needs tools to choose from")
    if name and name not in {tool.name for tool in tools}:
        raise wrong("tool_choice.function.name", "must be the name of one of the tools")
    parallel = body.get("parallel_tool_calls")
    if not (parallel is None or isinstance(parallel, bool)):
        raise wrong("parallel_tool_calls", "must be true or false")
    return Toolbox(tools, mode, name, at_most_one=bool(tools) and parallel is False)


def _tool(tool: Any, param: str) -> Tool:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if kind != "function":
        raise unsupported(f"{param}.type", "must be function: other tools have no counterpart here")
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if not (isinstance(function, dict) and isinstance(name, str) and name):
        raise wrong(f"{param}.function.name", "must be a string that is not empty")
    description, parameters = function.get("description") or "", function.get("parameters")
    if not isinstance(description, str):
        raise wrong(f"{param}.function.description", "must be a string")
    if not (parameters is None or isinstance(parameters, dict)):
        raise wrong(f"{param}.function.parameters", "must be an object: a JSON schema")
    return Tool(name, description, parameters, function.get("strict") is True)


def _choice(choice: Any) -> tuple[str | None, str]:
    """Return mode and name."""
    if choice is None or choice in _MODES:
        return choice, ""
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind in ("allowed_tools", "custom"):
        raise unsupported("tool_choice", "must be auto, none, required or a function")
    function = choice.get("function") if kind == "function" else None
    name = function.get("name") if isinstance(function, dict) else None
    if not (isinstance(name, str) and name):
        raise wrong("tool_choice", f"must be one of {', '.join(_MODES)}, or name a function")
    return "required", name
