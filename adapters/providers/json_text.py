"""JSON as it is sent to providers, and as it comes from them."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NoReturn

from adapters import json_documents
from adapters.providers.errors import MalformedAnswerError, RequestRefusedError

_MOST_TOKENS: Final = 100_000_000
_MOST_DOLLARS: Final = 1e6


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refused)
"""Without NaN and infinities, which an answer that is passed on as it came would carry to the caller."""


def written(body: Mapping[str, Any]) -> bytes:
    """Return the JSON of a request. Raises RequestRefusedError for what JSON cannot say, such as NaN."""
    try:
        return json_documents.written(body)
    except (ValueError, TypeError, RecursionError):
        refused = RequestRefusedError("the request holds a number that JSON cannot say, or is nested too deep")
    raise refused


def read(content: bytes) -> Any:
    """Return what JSON says. Raises MalformedAnswerError, which shows nothing of it."""
    return json_documents.read(content, _exactly)


def _exactly(content: bytes) -> Any:
    # What json raises holds all of the content. It is not even the context of what is raised here.
    with suppress(ValueError, RecursionError):
        return _DECODER.decode(content.decode())
    raise MalformedAnswerError(f"the provider sent {len(content)} bytes that are no JSON")


def field(value: Any, *path: str) -> Any:
    """Return what is found along the names of a path; None where something on it is missing, or no object."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def text(value: Any) -> str:
    """Return a text; empty for everything else."""
    return value if isinstance(value, str) else ""


def count(value: Any) -> int | None:
    """Return a count of tokens; None for what cannot be one."""
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else None


def dollars(value: Any) -> float | None:
    """Return an amount of money; None for what cannot be one."""
    return float(value) if type(value) in (int, float) and 0 <= value <= _MOST_DOLLARS else None
