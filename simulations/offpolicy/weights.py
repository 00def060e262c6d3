"""How much of a log speaks for a policy: the importance weights w = pi / p, and what no call tells of."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.offpolicy.arms import ANSWER, ERROR, Arms, summed
from simulations.offpolicy.cells import EXPOSURE, INVERSE, INVERSE_ALL, INVERSE_EXPOSURE, INVERSE_KNOWN
from simulations.offpolicy.sums import LogSums

Floats = NDArray[np.float64]

MIN_VISITS: Final = 5.0
"""Calls that a model must be expected to get in a category, and must have got at all, to be identified there."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Of one policy on one log.

    `ess` is the effective sample size (sum w)^2 / sum w^2 over judged calls (Kish 1965), `largest_share` the largest
    weight's part of their sum, `mean` the mean over all calls, 1 where propensities are right, with its standard error.
    `expected_ess` is what the effective sample size is in the mean, by the probabilities of all models: luck with what
    was drawn has no part in it. `unidentified` is the part of the policy's choices that the log tells nothing of,
    `unknown` the part of which it does not tell a component, by component.
    """

    ess: float
    largest_share: float
    mean: float
    mean_se: float
    expected_ess: float
    unidentified: float
    unknown: tuple[float, ...]


class Importance:
    """Weighs policies on a log; what does not depend on the policy is added up once.

    `identified` (C, M) says of which models the log tells something, by category.
    """

    def __init__(self, sums: LogSums, arms: Arms) -> None:
        self._sums, self._arms = sums, arms
        cell, values, shape = (arms.context, arms.model), sums.cells.values, sums.largest.shape
        columns = [INVERSE_ALL, INVERSE.start + ERROR, INVERSE_KNOWN.start + ANSWER, EXPOSURE, INVERSE_EXPOSURE]
        totals = np.moveaxis(summed(cell, values[:, columns], shape), 2, 0)
        self._inverse, failed, answered, exposure, self._inverse_exposure = totals
        # A failed call needs no judge.
        self._judged = answered - failed
        self._share = (arms.judged[..., ANSWER] / np.maximum(arms.chosen, 1.0))[arms.category]
        expected = np.zeros(arms.chosen.shape)
        np.add.at(expected, arms.category, exposure)
        if sums.undistributed:
            expected = np.maximum(expected, arms.chosen)
        judged = arms.judged[..., ANSWER] >= MIN_VISITS
        self.identified = (arms.chosen >= 1.0) & (expected >= MIN_VISITS) & judged

    def of(self, policy: Floats) -> Weights:
        """Return the weights of a policy of shape (X, M)."""
        sums, arms, calls = self._sums, self._arms, float(self._sums.rows)
        squares = policy**2 * sums.squares[..., 0]
        total, known = float((policy * self._inverse).sum()), float((policy * self._judged).sum())
        known_squares = float((squares * self._share).sum())
        ess = known**2 / known_squares if known_squares else 0.0
        mean = total / calls
        told = policy[..., None] * (arms.judged >= MIN_VISITS)[arms.category]
        return Weights(
            ess=ess,
            largest_share=float((policy * sums.largest).max(initial=0.0)) / known if known else 1.0,
            mean=mean,
            mean_se=float(np.sqrt(max(float(squares.sum()) / calls - mean**2, 0.0) / calls)),
            # Where probabilities are not known, the realised one is all there is.
            expected_ess=ess if sums.undistributed else self._expected(policy),
            unidentified=float(1.0 - arms.shares @ (policy * self.identified[arms.category]).sum(axis=1)),
            unknown=tuple((1.0 - arms.shares @ told.sum(axis=1)).tolist()),
        )

    def _expected(self, policy: Floats) -> float:
        """Return the effective sample size in the mean: judged calls alone count, each stands for 1 / share of them."""
        share = np.where(self._share > 0.0, self._share, np.nan)
        squares = float((policy**2 * self._inverse_exposure / share)[policy > 0.0].sum())
        calls = float(self._sums.rows) * float(self._arms.shares @ policy.sum(axis=1))
        return calls**2 / squares if np.isfinite(squares) and squares > 0.0 else 0.0
