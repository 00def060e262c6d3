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


def importance_weights(policy: Floats, sums: LogSums, arms: Arms) -> Weights:
    """Return the weights of a policy of shape (X, M)."""
    cell, values = (arms.context, arms.model), sums.cells.values
    inverse = summed(cell, values[:, [INVERSE_ALL]], policy.shape)[..., 0]
    # A failed call needs no judge.
    failed = summed(cell, values[:, INVERSE][:, [ERROR]], policy.shape)[..., 0]
    answered = summed(cell, values[:, INVERSE_KNOWN][:, [ANSWER]], policy.shape)[..., 0] - failed
    calls, squares = float(sums.rows), float((policy**2 * sums.squares[..., 0]).sum())
    total, known = float((policy * inverse).sum()), float((policy * answered).sum())
    share = np.nan_to_num(arms.judged[..., ANSWER] / np.maximum(arms.chosen, 1.0))
    known_squares = float((policy**2 * sums.squares[..., 0] * share[arms.category]).sum())
    mean = total / calls
    mass = (policy * identified(sums, arms)[arms.category]).sum(axis=1)
    told = policy[..., None] * (arms.judged >= MIN_VISITS)[arms.category]
    return Weights(
        ess=known**2 / known_squares if known_squares else 0.0,
        largest_share=float((policy * sums.largest).max(initial=0.0)) / known if known else 1.0,
        mean=mean,
        mean_se=float(np.sqrt(max(squares / calls - mean**2, 0.0) / calls)),
        expected_ess=_expected(policy, sums, arms, share, known**2 / known_squares if known_squares else 0.0),
        unidentified=float(1.0 - arms.shares @ mass),
        unknown=tuple((1.0 - arms.shares @ told.sum(axis=1)).tolist()),
    )


def _expected(policy: Floats, sums: LogSums, arms: Arms, judged: Floats, realised: float) -> float:
    """Return the effective sample size in the mean; the realised one where probabilities are not known."""
    if sums.undistributed:
        return realised
    cell, values = (arms.context, arms.model), sums.cells.values
    inverse = summed(cell, values[:, [INVERSE_EXPOSURE]], policy.shape)[..., 0]
    played = policy > 0.0
    # Judged calls alone count: each stands for 1 / share of them.
    share = np.where(judged > 0.0, judged, np.nan)[arms.category]
    squares = float((policy**2 * inverse / share)[played].sum())
    calls = float(sums.rows) * float(arms.shares @ policy.sum(axis=1))
    return calls**2 / squares if np.isfinite(squares) and squares > 0.0 else 0.0


def identified(sums: LogSums, arms: Arms) -> NDArray[np.bool_]:
    """Return of which models the log tells something, by category; shape (C, M)."""
    place, shape = (arms.category[arms.context], arms.model), (len(arms.categories), len(sums.models))
    chosen = arms.chosen
    expected = summed(place, sums.cells.values[:, [EXPOSURE]], shape)[..., 0]
    if sums.undistributed:
        expected = np.maximum(expected, chosen)
    return (chosen >= 1.0) & (expected >= MIN_VISITS) & (arms.judged[..., ANSWER] >= MIN_VISITS)
