"""Reads a body as JSON, and refuses what others read otherwise or not at all."""

import json
from typing import Any, Final, NoReturn

from adapters.json_documents import MAX_DEPTH, read
from server.http.exchange import Document
from server.http.openai_errors import RequestError

MAX_VALUES: Final = 500_000
"""Commas of a body: reading so many values holds every other call up for a third of a second. Pictures have none."""


class _NotFiniteError(ValueError):
    """A number that JSON does not know."""


def parsed(body: bytes) -> Document:
    """Return the object that a body holds. Raises RequestError, which says where it is wrong and shows none of it."""
    if len(body) > MAX_VALUES and body.count(b",") > MAX_VALUES:
        raise RequestError(413, f"the body has more than {MAX_VALUES} commas; send less at once", "json_too_large")
    document = read(body, _exactly)
    if not isinstance(document, dict):
        raise _malformed("the body is not an object")
    return document


def _exactly(body: bytes) -> Any:
    """Return what a body holds that is out of the ordinary, where it may be. Raises RequestError."""
    try:
        document = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise _malformed(f"line {error.lineno}, column {error.colno} is no JSON") from error
    except _NotFiniteError as error:
        raise _malformed("a number is not finite") from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise _malformed("a number has too many digits") from error
    if not isinstance(document, dict):
        raise _malformed("the body is not an object")
    if _depth_exceeds(document, MAX_DEPTH):
        raise _too_deep()
    if b"\\ud" in body or b"\\uD" in body:
        _refuse_halves(document)
    return document


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0.0:
        raise _NotFiniteError
    return value


def _refuse(_: str) -> NoReturn:
    raise _NotFiniteError


_DECODER: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)


def _depth_exceeds(document: Any, most: int) -> bool:
    level = [document]
    for _ in range(most):
        inner: list[Any] = []
        for outer in level:
            members = outer.values() if type(outer) is dict else outer
            inner += [one for one in members if type(one) is dict or type(one) is list]
        if not inner:
            return False
        level = inner
    return True


def _refuse_halves(document: Document) -> None:
    """Refuse half a surrogate pair, which no UTF-8 can say."""
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise _malformed("a text holds half a surrogate pair; a character was cut in two") from error


def _malformed(what: str) -> RequestError:
    return RequestError(400, f"the body is not the JSON that was expected: {what}", "malformed_json")


def _too_deep() -> RequestError:
    return RequestError(400, f"the body nests more than {MAX_DEPTH} lists and objects; flatten it", "json_too_deep")
