"""Bodies that are JSON for everybody, and those that are not."""

import pytest

from adapters.json_documents import MAX_DEPTH
from server.http.json_bodies import MAX_VALUES, parsed
from server.http.openai_errors import RequestError

BRACES = b'"' + b"{[" * 200 + b'"'


def nested(depth: int) -> bytes:
    """An object with lists in it, `depth` containers in all."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_an_object_is_read_with_everything_in_it():
    assert parsed(b'{"a":[1,2.5,null,"\xc3\xa9\\ud83d\\ude00"],"a b":{}}') == {"a": [1, 2.5, None, "é😀"], "a b": {}}


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "line 1, column 1 is no JSON"),
        (b'{"secret":\n  nope}', "line 2, column 3 is no JSON"),
        (b'{"secret":1} x', "line 1, column 14 is no JSON"),
        (b'\xef\xbb\xbf{"secret":1}', "line 1, column 1 is no JSON"),
        (b'{"secret":"\xff"}', "byte 11 is not UTF-8"),
        (b'["secret"]', "the body is not an object"),
        (b'{"secret":NaN}', "a number is not finite"),
        (b'{"secret":-Infinity}', "a number is not finite"),
        (b'{"secret":1e999}', "a number is not finite"),
        (b'{"secret":' + b"1" * 5000 + b"}", "a number has too many digits"),
        (b'{"secret":"\\ud83d"}', "half a surrogate pair"),
        (b'{"\\uDE00 secret":1}', "half a surrogate pair"),
    ],
)
def test_what_others_read_otherwise_is_refused_by_its_place_without_showing_it(body, what):
    with pytest.raises(RequestError, match=what) as raised:
        parsed(body)
    assert (raised.value.api_error.status, raised.value.api_error.code) == (400, "malformed_json")
    assert "secret" not in raised.value.api_error.message


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500, 100_000])
def test_depth_is_refused_beyond_the_limit(depth):
    with pytest.raises(RequestError) as raised:
        parsed(nested(depth))
    assert raised.value.api_error.code == "json_too_deep"


def test_depth_up_to_the_limit_and_brackets_within_texts_are_fine():
    assert parsed(nested(MAX_DEPTH))
    assert parsed(b'{"a":' + BRACES + b',"b":[' + b"[],{}," * 300 + b"0]}")


def test_more_values_than_are_read_without_holding_others_up_are_refused():
    body = b'{"z": [' + b"1," * MAX_VALUES + b"1, 2]}"
    with pytest.raises(RequestError) as refused:
        parsed(body)
    assert (refused.value.api_error.status, refused.value.api_error.code) == (413, "json_too_large")
    assert parsed(b'{"z": "' + b"x" * 2 * MAX_VALUES + b'"}')
