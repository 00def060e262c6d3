"""How numbers are written for people."""

import pytest

from routeward.cli.output import percent, seconds, usd


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "$0"),
        (0.00000042, "$0.000000420"),
        (0.00068, "$0.000680"),
        (0.0123456, "$0.0123"),
        (0.5, "$0.500"),
        (1.0, "$1.00"),
        (12.345, "$12.35"),
        (1234.5, "$1,234"),
        (1e6, "$1,000,000"),
        (-0.5, "-$0.500"),
    ],
)
def test_money_has_three_digits_that_count_and_no_exponent(value: float, text: str) -> None:
    assert usd(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0 ms"), (0.0123, "12 ms"), (0.9994, "999 ms"), (0.9996, "1.00 s"), (2.267, "2.27 s"), (3600.0, "3,600 s")],
)
def test_a_duration_has_the_unit_that_suits_it(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0%"), (0.002, "0.2%"), (0.0994, "9.9%"), (0.0996, "10%"), (1.0, "100%")]
)
def test_a_small_share_keeps_a_digit(value: float, text: str) -> None:
    assert percent(value) == text
