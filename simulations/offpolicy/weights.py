"""How much of a log speaks for a policy: the importance weights w = pi / p, and what no call tells of."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.offpolicy.arms import Arms
from simulations.offpolicy.cells import CHOSEN, EXPOSURE, INVERSE_ALL, INVERSE_KNOWN
from simulations.offpolicy.sums import LogSums

Floats = NDArray[np.float64]

MIN_VISITS: Final = 5.0
"""Calls that a model must be expected to get in a category, and must have got at all, to be identified there."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Of one policy on one log.

    `ess` is the effective sample size (sum w)^2 / sum w^2 over calls whose answer is known (Kish 1965), `largest_share`
    the largest weight's part of their sum, `mean` their mean over all calls, 1 where propensities are right, with its
    standard error. `unidentified` is the part of the policy's choices that the log tells nothing of.
    """

    ess: float
    largest_share: float
    mean: float
    mean_se: float
    unidentified: float


def importance_weights(policy: Floats, sums: LogSums, arms: Arms) -> Weights:
    """Return the weights of a policy of shape (X, M)."""
    _, _, context, model = sums.cells.keys.T
    inverse, answered = np.zeros(policy.shape), np.zeros(policy.shape)
    for table, column in ((inverse, INVERSE_ALL), (answered, INVERSE_KNOWN.start)):
        np.add.at(table, (context, model), sums.cells.values[:, column])
    calls = float(sums.rows)
    total, squares = float((policy * inverse).sum()), float((policy**2 * sums.squares[..., 0]).sum())
    known = float((policy * answered).sum())
    known_squares = float((policy**2 * sums.squares[..., 0] * arms.known[arms.category][..., 0]).sum())
    mean = total / calls
    mass = (policy * identified(sums, arms)[arms.category]).sum(axis=1)
    return Weights(
        ess=known**2 / known_squares if known_squares else 0.0,
        largest_share=float((policy * sums.largest).max(initial=0.0)) / total if total else 1.0,
        mean=mean,
        mean_se=float(np.sqrt(max(squares / calls - mean**2, 0.0) / calls)),
        unidentified=float(1.0 - arms.shares @ mass),
    )


def identified(sums: LogSums, arms: Arms) -> NDArray[np.bool_]:
    """Return of which models the log tells something, by category; shape (C, M)."""
    _, _, context, model = sums.cells.keys.T
    place = arms.category[context], model
    chosen, expected = np.zeros((2, len(arms.categories), len(sums.models)))
    np.add.at(chosen, place, sums.cells.counts[:, CHOSEN])
    np.add.at(expected, place, sums.cells.values[:, EXPOSURE])
    if sums.undistributed:
        expected = np.maximum(expected, chosen)
    return (chosen >= 1.0) & (expected >= MIN_VISITS)
