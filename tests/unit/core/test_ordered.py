"""Sums that do not depend on what else is on the axes."""

import numpy as np
import pytest

from bandit.ordered import ordered_sum, ordered_total

NUMBERS = np.random.default_rng(5).normal(size=(3, 301, 4)) * 10.0 ** np.random.default_rng(6).integers(
    -9, 9, (3, 301, 4)
)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_zeros_and_neighbours_anywhere_change_no_bit(axis):
    spaced = np.zeros((6, 602, 8))
    spaced[::2, 1::2, ::2] = NUMBERS
    places = [slice(0, 6, 2), slice(1, 602, 2), slice(0, 8, 2)]
    del places[axis]
    assert ordered_sum(spaced, axis)[tuple(places)].tobytes() == ordered_sum(NUMBERS, axis).tobytes()
    alone = ordered_sum(NUMBERS[:, :, :1], axis)
    among = ordered_sum(NUMBERS, axis)
    if axis < 2:
        assert alone.tobytes() == np.ascontiguousarray(among[..., :1]).tobytes()


def test_a_total_is_that_of_exact_arithmetic():
    assert ordered_total(np.array([[1e16, 1.0], [-1e16, 1.0]])) == 2.0
    assert ordered_total(np.zeros((0, 3))) == 0.0
