"""JSON means the same whichever library reads or writes it, and what is refused is refused in the same words."""

import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters import json_documents
from adapters.providers import json_text
from adapters.providers.errors import ProviderError
from server.http import json_bodies
from server.http.openai_errors import RequestError

DIGITS = st.text("0123456789", min_size=1, max_size=25)
NUMBERS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    DIGITS.map(lambda digits: digits.lstrip("0") or "0"),
    st.just("") | DIGITS.map(".{}".format),
    st.just("") | st.builds("{}{}".format, st.sampled_from(["e", "E+", "e-"]), st.integers(0, 400)),
)
EDGES = st.sampled_from(
    [str(sign * 2**power + step) for sign in (1, -1) for power in (53, 63, 64, 1024) for step in (-1, 0, 1)]
    + [
        "1e400",
        "-1e400",
        "1e308",
        "5e-324",
        "1e-5000",
        "-0",
        "-0.0",
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "1.",
        "1" * 5000,
    ]
)
TEXTS = st.text(st.characters(), max_size=9).map(json.dumps) | st.text(max_size=9).map(
    lambda text: json.dumps(text, ensure_ascii=False)
)
ODD_TEXTS = st.sampled_from(
    ['"\\ud83d"', '"\\ude00\\ud83d"', '"\\ud83d\\ude00"', '"\\u0000\\/"', '"\x01"', '"\x7f"', '"\\x"']
)


def members(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    named = st.builds("{}:{}".format, st.sampled_from(['"a"', '"b"', '"\\u0061"']) | TEXTS | ODD_TEXTS, inner)
    return st.lists(inner, max_size=4).map(lambda each: f"[{','.join(each)}]") | st.lists(named, max_size=4).map(
        lambda each: f"{{{', '.join(each)}}}"
    )


SCALARS = st.sampled_from(["null", "true", "false"]) | NUMBERS | EDGES | TEXTS | ODD_TEXTS
DOCUMENTS = st.recursive(SCALARS, members, max_leaves=12)
RAW = DOCUMENTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
GARBLED = st.builds(lambda raw, at, byte: raw[:at] + byte + raw[at:], RAW, st.integers(0, 40), st.binary(max_size=2))


def outcome(read: Callable[[], Any]) -> str:
    """What comes of reading, so that 1, 1.0 and True differ, as do the orders of fields and kinds of zero."""
    try:
        return repr(read())
    except RequestError as error:
        return f"{error.api_error}"
    except ProviderError as error:
        return f"{type(error)} {error}"


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return b'{"a":' + opening * depth + b"1" + closing * depth + b"}"


@given(RAW | GARBLED)
@example(b"\xef\xbb\xbf{}")
@example(b'{"a":1,"b":2,"a":3}')
@example(b'{"n":18446744073709551616}')
@example(b'{"n":[[{"m":-9223372036854775809}]]}')
@example(nested(99))
@example(nested(100))
@example(nested(300, b'{"a":[', b"]}"))
@example(b'{"s":"\xed\xa0\x80"}')
def test_requests_and_answers_are_read_as_the_standard_library_reads_them(raw: bytes) -> None:
    for body in (raw, b'{"a":' + raw + b"}"):
        assert outcome(partial(json_bodies.parsed, body)) == outcome(partial(exactly_parsed, body))
        assert outcome(partial(json_text.read, body)) == outcome(partial(json_text._exactly, body))


def exactly_parsed(body: bytes) -> Any:
    document = json_bodies._exactly(body)
    return document if isinstance(document, dict) else json_bodies.parsed(b"[]")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(2**62, 2**65) | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
@example({"a": [(1, math.nan)]})
@example({"a": [(1, 2**64)]})
@example({"\ud800": "\udfff"})
def test_what_is_written_says_the_same_as_what_the_standard_library_writes(value: Any) -> None:
    assert outcome(lambda: json.loads(json_text.written(value))) == outcome(lambda: exactly_written(value))


def exactly_written(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except ValueError:
        return json_text.written({"a": math.nan})


@given(RAW)
def test_what_is_read_and_written_again_still_says_the_same(raw: bytes) -> None:
    try:
        document = json_bodies.parsed(b'{"a":' + raw + b"}")
    except RequestError:
        return
    assert repr(json.loads(json_text.written(document))) == repr(document)


def test_what_is_deep_is_written_to_the_depth_that_python_reaches() -> None:
    document: Any = 1
    for _ in range(500):
        document = [document]
    assert json.loads(json_documents.written({"a": document}))["a"] == document


@pytest.mark.parametrize("value", [{"a": b"bytes"}, {"a": {1, 2}}, {"a": object()}])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(ProviderError, match="JSON cannot say"):
        json_text.written(value)
