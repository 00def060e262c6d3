"""P(best) against 200,000 Monte-Carlo draws: at that size three standard errors are .0034."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtr

from bandit.best import best_probabilities

DRAWS = 200_000
Arms = tuple[NDArray[np.float64], NDArray[np.float64]]

families: dict[str, Callable[[np.random.Generator, int], Arms]] = {
    "generic": lambda rng, k: (rng.normal(size=k), rng.uniform(0.5, 2.0, k)),
    "one deviation is 1e-4 of the others": lambda rng, k: (
        rng.normal(size=k) * 0.3,
        np.where(np.arange(k) == 0, 1e-4, 1.0),
    ),
    "half of them are": lambda rng, k: (rng.normal(size=k) * 0.3, np.where(np.arange(k) % 2, 1e-4, 1.0)),
    "all equal": lambda _, k: (np.zeros(k), np.ones(k)),
    "deviations over six decades": lambda rng, k: (rng.normal(size=k) * 0.1, 10 ** rng.uniform(-6, 0, k)),
    "two certain leaders": lambda rng, k: (
        np.concatenate([[1.0, 1.00001], rng.normal(size=k - 2) * 0.1]),
        np.concatenate([[1e-5, 1e-5], np.full(k - 2, 0.5)]),
    ),
}


def monte_carlo(means: NDArray[np.float64], sd: NDArray[np.float64]) -> NDArray[np.float64]:
    draws = np.random.default_rng(7).normal(means, sd, size=(DRAWS, len(means)))
    return np.bincount(draws.argmax(axis=1), minlength=len(means)) / DRAWS


def best(means: NDArray[np.float64], sd: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array(best_probabilities(means.tolist(), sd.tolist()))


@pytest.mark.parametrize("family", families)
@pytest.mark.parametrize("count", [2, 3, 10, 30])
def test_probabilities_agree_with_monte_carlo(family, count):
    """Largest deviation below .01; false-alarm rate of a single check below 1e-15 (nine standard errors)."""
    means, sd = families[family](np.random.default_rng(count), count)
    probabilities = best(means, sd)
    assert np.abs(probabilities - monte_carlo(means, sd)).max() < 0.01
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-12)


finite = st.floats(-1e6, 1e6)
deviation = st.sampled_from([0.0, 1e-300, 1e-12]) | st.floats(0.0, 1e6)


@given(st.lists(st.tuples(finite, deviation), min_size=1, max_size=12))
def test_probabilities_are_never_negative_and_sum_to_one(arms):
    means, sd = np.array(arms).T
    probabilities = best(means, sd)
    assert np.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-9)


@given(st.lists(st.tuples(st.floats(-10, 10), st.floats(0.01, 10)), min_size=2, max_size=8), st.floats(0.1, 1e4))
def test_neither_order_nor_units_matter(arms, unit):
    means, sd = np.array(arms).T
    probabilities = best(means, sd)
    assert best(means[::-1] * unit, sd[::-1] * unit)[::-1] == pytest.approx(probabilities, abs=1e-6)


def test_two_equal_certainties_share():
    assert best(np.array([1.0, 1.0, 0.0]), np.zeros(3)) == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)


def test_two_quantities_have_the_closed_form():
    probabilities = best(np.array([0.3, 0.0]), np.array([0.4, 0.3]))
    assert probabilities[0] == pytest.approx(float(ndtr(0.3 / 0.5)), abs=1e-6)


def fine(means: NDArray[np.float64], sd: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(best) by a grid in the scale of each quantity, far finer than the one that is tested."""
    steps = np.linspace(-9.0, 9.0, 721)
    points = np.unique((means[:, None] + sd[:, None] * steps).ravel())
    nodes, weights = np.polynomial.legendre.leggauss(4)
    half = np.diff(points)[:, None] / 2.0
    x = (points[:-1, None] + half + half * nodes).ravel()
    z = (x - means[:, None]) / sd[:, None]
    below = ndtr(z)
    others = np.stack([np.delete(below, m, axis=0).prod(axis=0) for m in range(len(means))])
    masses: NDArray[np.float64] = ((np.exp(-z * z / 2.0) * others) @ (half * weights).ravel()) / sd
    shares: NDArray[np.float64] = masses / masses.sum()
    return shares


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-3, 0)), min_size=2, max_size=8))
@example([(-0.1826, -0.3653), (0.1306, 0.1768), (-0.1902, -0.363), (-0.1833, -0.366), (-0.352, -0.2781)])
def test_probabilities_are_those_of_a_fine_grid(arms):
    means, exponents = np.array(arms).T
    sd = 10.0**exponents
    assert best(means, sd) == pytest.approx(fine(means, sd), abs=1e-5)
