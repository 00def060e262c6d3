"""P(within a margin of the best) against 200,000 Monte-Carlo draws: at that size three standard errors are .0034."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.special import ndtr

from bandit.best import best_probabilities, within_probabilities


@pytest.mark.parametrize("margin", [1e-6, 0.02, 0.3])
@pytest.mark.parametrize("count", [2, 3, 10, 30])
@pytest.mark.parametrize("decades", [0.0, 3.0])
def test_probabilities_agree_with_monte_carlo(count, margin, decades):
    """Largest deviation below .01; false-alarm rate of a single check below 1e-15 (nine standard errors)."""
    rng = np.random.default_rng(count)
    means, sd = rng.normal(0.7, 0.1, count), 0.1 * 10.0 ** rng.uniform(-decades, 0.0, count)
    draws = np.random.default_rng(7).normal(means, sd, size=(200_000, count))
    second, first = np.partition(draws, count - 2, axis=1)[:, -2:].T[:, :, None]
    others = np.where(draws == first, second, first)
    expected = (draws >= others - margin).mean(axis=0)
    assert np.abs(np.array(within_probabilities(means.tolist(), sd.tolist(), margin)) - expected).max() < 0.01


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8),
    st.floats(1e-6, 1),
    st.floats(1e-6, 1),
)
@example([(0.5, 0.0), (0.5, 0.0)], 0.02, 0.02)
@example([(0.03125, 0.0), (0.03125, 0.0)], 0.5, 1.0)
def test_a_wider_margin_is_never_less_probable_and_none_is_below_p_best(arms, margin, more):
    means, sd = zip(*arms, strict=True)
    narrow = np.array(within_probabilities(means, sd, margin))
    assert (narrow >= 0).all()
    assert (narrow <= 1).all()
    assert narrow.sum() >= 1.0 - 1e-4
    assert (np.array(within_probabilities(means, sd, margin + more)) >= narrow - 1e-4).all()
    assert (narrow >= np.array(best_probabilities(means, sd)) - 1e-4).all()


def test_two_quantities_have_the_closed_form():
    found = within_probabilities([0.3, 0.0], [0.4, 0.3], 0.1)
    assert found == pytest.approx([float(ndtr(0.4 / 0.5)), float(ndtr(-0.2 / 0.5))], abs=1e-6)


def test_one_quantity_is_within_any_margin_of_itself():
    assert within_probabilities([0.3], [0.1], 0.01) == [1.0]
