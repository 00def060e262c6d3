"""JSON by orjson, which needs a fraction of the standard library's time, wherever the two mean the same.

They differ where Python says more than orjson: halves of surrogate pairs, deep nesting, integers beyond 64 bits, which
orjson reads as floats, and numbers that are not finite, which it writes as null. Those the standard library does.
"""

import json
import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

with suppress(ModuleNotFoundError):  # without the extra `gateway` nothing here is called
    import orjson

MAX_DEPTH: Final = 100
"""How deep the lists and objects may be nested that orjson is trusted with."""

_EXACT: Final = float(2**63)
"""A float of this size may have been an integer."""

_UNREAD: Final = math.nan
"""What no JSON says, and so is not plain."""


def read(content: bytes, exactly: Callable[[bytes], Any]) -> Any:
    """Return what JSON says; whatever is out of the ordinary or malformed is left to `exactly`."""
    # The error of orjson holds all of the content. It is not even the context of what `exactly` raises.
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = _UNREAD
    return document if _is_plain(document) else exactly(content)


def written(document: Any) -> bytes:
    """Return compact JSON in UTF-8. Raises ValueError, TypeError, RecursionError for what JSON cannot say.

    What is out of the ordinary is escaped to ASCII, and half of a surrogate pair so gets through as it came.
    """
    if _is_plain(document):
        try:
            return orjson.dumps(document, option=orjson.OPT_PASSTHROUGH_SUBCLASS)
        except orjson.JSONEncodeError:
            pass
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii")


def _is_plain(document: Any) -> bool:
    """Whether a document is not too deep, and has no number that may be another one, or none, to orjson."""
    members: Iterable[Any] = (document,)
    for _ in range(MAX_DEPTH + 1):
        containers: list[Any] = []
        for one in members:
            kind = type(one)
            if kind is str:
                continue
            if kind is dict or kind is list or kind is tuple:
                containers.append(one)
            elif kind is float and not -_EXACT < one < _EXACT:
                return False
        if not containers:
            return True
        inner: list[Any] = []
        for outer in containers:
            inner.extend(outer.values() if type(outer) is dict else outer)
        members = inner
    return False
