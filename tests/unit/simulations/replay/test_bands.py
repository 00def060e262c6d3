"""Bands: means of plain runs, spread of bootstrapped ones; unknown stays unknown."""

import numpy as np
import pytest

from simulations.replay.bands import Band


def test_the_mean_is_that_of_plain_runs_and_the_spread_that_of_bootstrapped_ones() -> None:
    bootstrapped = np.linspace(9.0, 11.0, 21)
    band = Band.of([1.0, 3.0], bootstrapped.tolist())
    assert [float(one) for one in (band.mean, band.se)] == pytest.approx([2.0, bootstrapped.std(ddof=1)])
    assert [float(one) for one in (band.low, band.high)] == pytest.approx([1.1, 2.9])


def test_what_no_run_knows_is_unknown_and_what_some_know_is_theirs() -> None:
    nothing, some = np.array([np.nan, 1.0]), np.array([np.nan, np.nan])
    band = Band.of([nothing, some], [nothing, some, nothing + 2.0])
    assert band.as_json() == {
        "mean": [None, 1.0],
        "se": [None, pytest.approx(2**0.5)],
        "low": [None, pytest.approx(0.1)],
        "high": [None, pytest.approx(1.9)],
    }


def test_shares_stay_between_nothing_and_everything() -> None:
    band = Band.of([0.99, 0.99], [0.7, 0.8, 1.0, 1.0], largest=1.0)
    assert 0.0 <= band.low <= 0.99 <= band.high == 1.0
