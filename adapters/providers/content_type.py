"""What a response says that its body is."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from adapters.providers.errors import MalformedAnswerError, excerpt

JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream"

_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


def check_content_type(headers: Mapping[str, str], *expected: str) -> str:
    """Return which of the expected media types a response has, where any JSON is `JSON` and UTF-8.

    Raises MalformedAnswerError for another type, none, and another charset.
    """
    found = _media_type(headers.get("content-type", ""))
    if found not in expected:
        message = f"the provider answers with {excerpt(found) or 'no content type'} instead of {' or '.join(expected)}"
        raise MalformedAnswerError(message)
    return found


@lru_cache(maxsize=64)
def _media_type(value: str) -> str:
    name, *parameters = value.lower().split(";")
    for parameter in parameters:
        key, _, charset = parameter.partition("=")
        if key.strip() == "charset" and charset.strip(" \t\"'") not in _CHARSETS:
            raise MalformedAnswerError(f"the provider answers in the charset {excerpt(charset)}, which is not UTF-8")
    name = name.strip()
    return JSON if name.endswith("+json") else name
