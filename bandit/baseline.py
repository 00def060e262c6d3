"""Staying near the model that was in use before: a share of observation, and a guard against loss.

The guard is that of conservative bandits (Wu et al. 2016, "Conservative bandits", section 5; Kazerouni et al. 2017)
with every term as it is believed today, so that it is a pure function of the snapshot: with n_m outcomes of model m in
the category, N of all, and one-sided 95 % bounds L_m of the utilities, exploring is allowed while

    sum over m != b of n_m L_m + n_b U_b >= N (U_b - alpha |U_b|)   for every U_b in [L_b, H_b]

The baseline's own plays stand on both sides, so they cancel whatever U_b is, and leave a slack of alpha |U_b| each:
the baseline is played first, and what that saves is what exploring may cost.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ONE_SIDED_95: Final = 1.6448536269514722


def guard_allows(
    alpha: float, baseline: int, outcomes: Floats, utility: Floats, deviation: Floats, shares: Sequence[float]
) -> bool:
    """Return whether one more request may be drawn from `shares` instead of given to the baseline.

    Arrays have shape (M,): outcomes counted, mean and unscaled standard deviation of utility in dollars. The
    request to come counts with its lower bounds as well, so nothing is explored before the baseline is known.
    """
    played = outcomes + np.array(shares)
    lower, half_width = utility - _ONE_SIDED_95 * deviation, _ONE_SIDED_95 * float(deviation[baseline])
    others = np.arange(len(played)) != baseline
    gained, explored, total = float(played[others] @ lower[others]), float(played[others].sum()), float(played.sum())
    low, high = float(utility[baseline]) - half_width, float(utility[baseline]) + half_width
    # What must be made up for is convex in the baseline's utility with a kink at 0: its minimum is at one of these.
    worst = min(alpha * total * abs(u) - explored * u for u in (low, high, min(max(0.0, low), high)))
    return gained + worst >= 0.0


def observed(shares: Sequence[float], baseline: int, share: float) -> list[float]:
    """Return the mixture that gives `share` of the requests the policy's draw, and the others the baseline."""
    mixed = [share * probability for probability in shares]
    mixed[baseline] += 1.0 - share
    return mixed
