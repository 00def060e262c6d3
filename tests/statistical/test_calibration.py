"""What is said about the best model is true as often as it says, and models are drawn as often as is logged."""

from math import sqrt

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.calibration import MODELS, Pairs, deciles, pairs

WORLDS = 300
FALSE_ALARMS = 1e-4
"""Of each comparison, were everything as it is said: two-sided, with means taken for normal."""


@pytest.fixture(scope="module")
def found() -> Pairs:
    return pairs(WORLDS, requests=60, seed=5)


def test_the_stated_probability_of_being_best_is_how_often_that_is_so(found: Pairs) -> None:
    """Deciles with at least 100 pairs; what is stated has a standard error of its own below .008."""
    compared = [one for one in deciles(found.stated.ravel(), found.true.ravel()) if one[1] >= 100]
    assert len(compared) >= 3
    for decile, count, mean, frequency, error in compared:
        assert abs(frequency - mean) < norm.isf(FALSE_ALARMS / 2) * error + 0.008, (decile, count, mean, frequency)


def test_stated_probabilities_are_those_of_one_best_model(found: Pairs) -> None:
    assert found.stated.shape == (WORLDS, MODELS)
    assert np.allclose(found.stated.sum(axis=1), 1.0)


def test_inverse_propensities_have_mean_one(found: Pairs) -> None:
    """Worlds are independent; their means are skewed to the right, so an alarm is likelier by some factor."""
    weights = found.inverse_propensity
    assert abs(weights.mean() - 1.0) < norm.isf(FALSE_ALARMS / 2) * weights.std(ddof=1) / sqrt(len(weights))
