"""How long a provider asks to be left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.retry_after import MAX_RETRY_AFTER_S, retry_after_s

NOW_S = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7.0),
        (" 2.5 ", 2.5),
        ("0", 0.0),
        ("1e3", 300.0),
        ("inf", 300.0),
        ("9" * 400, 300.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:50", 30.0),
        ("Tuesday, 14-Nov-23 22:13:50 GMT", 30.0),
        ("Tue Nov 14 22:13:50 2023", 30.0),
        ("Wed, 15 Nov 2023 00:13:50 +0200", 30.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0.0),
        ("Thu, 14 Nov 2120 22:13:10 GMT", 300.0),
        ("-1", None),
        ("-inf", None),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("Tue, 99 Nov 2023 99:99:99 GMT", None),
        ("Tue, 14 Nov 99999 22:13:50 GMT", None),
    ],
)
def test_a_value_is_so_many_seconds(value, expected):
    assert retry_after_s({"retry-after": value}, NOW_S) == expected


def test_milliseconds_are_more_exact_and_so_come_first():
    assert retry_after_s({"retry-after-ms": "1500", "retry-after": "2"}, NOW_S) == 1.5
    assert retry_after_s({"retry-after-ms": "rubbish", "retry-after": "2"}, NOW_S) == 2.0


def test_without_a_header_nothing_is_known():
    assert retry_after_s({}, NOW_S) is None


DATES = st.from_regex(
    r"(Tue, )?-?\d{1,6} (Nov|Feb) -?\d{1,9} \d{1,4}:\d{1,4}(:\d{1,4})?( GMT| [+-]\d{1,12})?", fullmatch=True
)


@given(st.text() | DATES | st.floats().map(str), st.floats(0, 4e9))
def test_whatever_it_says_is_none_or_within_the_maximum(value, now_s):
    seconds = retry_after_s({"retry-after": value}, now_s)
    assert seconds is None or 0.0 <= seconds <= MAX_RETRY_AFTER_S
