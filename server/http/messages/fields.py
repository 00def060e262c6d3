"""What of a request in Anthropic's words is carried, what is a hint, and what is refused.

Nothing that could change the answer is dropped in silence: a field that is in none of these tables is refused by its
path, unless its value is null or one that says nothing (`NEUTRAL`).
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from server.http.exchange import Document
from server.http.prompts import refuse

CARRIED: Final = frozenset(
    {
        "model",
        "messages",
        "system",
        "max_tokens",
        "stream",
        "temperature",
        "top_p",
        "stop_sequences",
        "tools",
        "tool_choice",
        "output_config",
        "thinking",
        "cache_control",
    }
)

HINTS: Final = frozenset({"metadata", "service_tier"})
"""Left out: they help Anthropic to run its service. Who the user is stays here: it may be a name."""

NEUTRAL: Final[Mapping[str, tuple[Any, ...]]] = {"speed": ("standard",)}
"""The values, besides null, that a field may have which is not carried."""

BLOCKS: Final[Mapping[str, frozenset[str]]] = {
    "text": frozenset({"text", "cache_control"}),
    "image": frozenset({"source", "cache_control"}),
    "tool_use": frozenset({"id", "name", "input", "cache_control", "extra_content"}),
    "tool_result": frozenset({"tool_use_id", "content", "is_error", "cache_control"}),
}
"""Kinds of blocks with their fields; `extra_content` is what Gemini signs its calls with, as an answer told it."""

NEUTRAL_IN_BLOCKS: Final[Mapping[str, tuple[Any, ...]]] = {
    "citations": ([],),
    "transformations": ({},),
    "caller": ({"type": "direct"},),
}

TOOL: Final = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})
NEUTRAL_IN_TOOLS: Final[Mapping[str, tuple[Any, ...]]] = {
    "allowed_callers": (["direct"],),
    "defer_loading": (False,),
    "eager_input_streaming": (True, False),
    "input_examples": ([],),
}

_INSTEAD: Final = {
    "inference_geo": "is said by the header x-routeward-region",
    "top_k": "has no counterpart at most providers; use top_p",
}
_NO_COUNTERPART: Final = "is nothing that every model can be told; leave it out"


def check(
    document: Document, known: Collection[str], where: str = "", neutral: Mapping[str, tuple[Any, ...]] = NEUTRAL
) -> None:
    """Refuse the first field that would be lost; `where` comes before its name."""
    for name, value in document.items():
        if not (name in known or value is None or value in neutral.get(name, ())):
            refuse(f"{where}{name}", _INSTEAD.get(name, _NO_COUNTERPART))


def documents(value: Any, where: str) -> Iterator[tuple[str, Document]]:
    """Yield the objects of a list, each with its path."""
    if not isinstance(value, list):
        refuse(where, "is a list")
    for index, one in enumerate(value):
        if not isinstance(one, dict):
            refuse(f"{where}[{index}]", "is an object")
        yield f"{where}[{index}]", one


def blocks(content: Any, where: str, kinds: Collection[str]) -> Iterator[tuple[str, Document]]:
    """Yield the blocks of a content, of these kinds, each with its path; a text is one block."""
    if isinstance(content, str):
        yield where, {"type": "text", "text": content}
        return
    if not isinstance(content, list):
        refuse(where, "is a text or a list of blocks")
    for path, block in documents(content, where):
        kind = block.get("type")
        if not isinstance(kind, str) or kind not in kinds:
            refuse(f"{path}.type", f"is one of {', '.join(kinds)}: others have no counterpart at every model")
        check(block, BLOCKS[kind] | {"type"}, f"{path}.", NEUTRAL_IN_BLOCKS)
        yield path, block


def name_in(document: Document, field: str, where: str) -> str:
    """Return a text that must be there and not be empty."""
    value = document.get(field)
    if not isinstance(value, str) or not value:
        refuse(f"{where}{field}", "is required: a text that is not empty")
    return value


def flag_in(document: Document, field: str, where: str) -> bool:
    """Return whether something holds; it does not where nothing is said."""
    value = document.get(field)
    if value is not None and not isinstance(value, bool):
        refuse(f"{where}{field}", "is true or false")
    return bool(value)


def object_in(document: Document, field: str, where: str) -> Document:
    """Return an object, empty where there is none."""
    value = document.get(field)
    if value is not None and not isinstance(value, dict):
        refuse(f"{where}{field}", "is an object")
    return value or {}
