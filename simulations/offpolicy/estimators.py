"""Values of policies with the influence of each unit, from which every interval, lift and comparison follows.

A unit is a fold of sessions, or a slice of time where no session is known. Its influence is what its calls contribute
to value minus expectation. Influences of units are uncorrelated, so the variance of a value is the sum of their
squares: cluster-robust, and valid for a logger that learns (differences of a martingale).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.offpolicy.arms import Arms, summed
from simulations.offpolicy.cells import CHOSEN, K
from simulations.offpolicy.sums import LogSums

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """The value of a policy, shape (K,), and the influences of U units on it, shape (U, K), both by component."""

    value: Floats
    influence: Floats


class Evaluator:
    """Evaluates policies of shape (X, M): the probability of each model in each context.

    `logged` is what the log itself was worth.
    """

    def __init__(self, sums: LogSums) -> None:
        self.sums = sums
        self.arms = arms = Arms.of(sums)
        self.calls = float(sums.rows)
        self._chosen = sums.cells.counts[:, [CHOSEN]].astype(np.float64)
        self._direct = arms.direct[arms.category[arms.context], arms.model]
        self._corrections = (
            arms.inverse - arms.q[arms.slice_, arms.category[arms.context], arms.model] * arms.inverse_known
        )
        self._units = int(arms.unit.max()) + 1
        self.logged = self._on_policy()

    def _on_policy(self) -> Estimate:
        """Return what the log itself was worth: the mean of its calls; NaN where a component is known of none."""
        rows = self._direct * self._chosen + self.arms.plain - self._direct * self.arms.plain_known
        value = rows.sum(axis=0) / self.calls
        value = np.where(self.arms.judged.sum(axis=(0, 1)) > 0.0, value, np.nan)
        return Estimate(value, self._by_unit(rows - self._chosen * value) / self.calls)

    def direct(self, policy: Floats) -> Estimate:
        """Return the value by q alone: model-based, with no guarantee (direct method)."""
        arms, shape, shares = self.arms, (len(self.arms.categories), policy.shape[1]), self.shares(policy)
        played = np.zeros(shape)
        np.add.at(played, arms.category, shares[:, None] * policy)
        place = arms.category[arms.context], arms.model
        known = summed(place, arms.plain_known, shape)
        residuals = (arms.plain - self._direct * arms.plain_known) / np.maximum(known, 1.0)[place]
        by_context = np.einsum("xm,xmk->xk", policy, arms.direct[arms.category])
        return self._mixed(policy, by_context, residuals * played[place][:, None])

    def inverse_propensity(self, policy: Floats) -> Estimate:
        """Return the value by inverse propensity weights (Horvitz and Thompson 1952)."""
        rows, playable = self._played(policy) * self.arms.inverse, self._playable(policy)
        calls = float((self._chosen * playable).sum())
        value = rows.sum(axis=0) / calls if calls else np.full(K, np.nan)
        return Estimate(value, self._by_unit(rows - self._chosen * playable * value) / max(calls, 1.0))

    def self_normalised(self, policy: Floats) -> Estimate:
        """Return the value by weights that are divided by their mean (Swaminathan and Joachims 2015)."""
        rows, weights = self._played(policy) * self.arms.inverse, self._played(policy) * self.arms.inverse_known
        total = np.where((total := weights.sum(axis=0)) > 0.0, total, np.nan)
        value = rows.sum(axis=0) / total
        return Estimate(value, self._by_unit(rows - weights * value) / total)

    def doubly_robust(self, policy: Floats) -> Estimate:
        """Return the value by predictable q and weighted corrections (Dudik et al. 2011)."""
        return self._corrected(policy, np.ones(self.arms.traffic.shape))

    def adaptive(self, policy: Floats) -> Estimate:
        """Return the doubly robust value, slices weighted so that their variance is steady.

        The weight is 1 / sqrt(sum over models of pi^2 / p): what a correction would vary by, were all answers equally
        uncertain (Hadad et al. 2021; Zhan et al. 2021, section 4, weights by context).
        """
        variance = np.einsum("xm,sxm->sx", policy**2, np.nan_to_num(self.arms.inverse_p))
        usable = variance > 0.0
        return self._corrected(policy, np.where(usable, 1.0 / np.sqrt(np.where(usable, variance, 1.0)), 0.0))

    def shares(self, policy: Floats) -> Floats:
        """Return the share of calls of each context, of those in which the policy can choose something; shape (X,)."""
        playable = self.arms.shares * (policy.sum(axis=1) > 0.0)
        total = playable.sum()
        shares: Floats = playable / (total if total > 0.0 else np.nan)
        return shares

    def _corrected(self, policy: Floats, weights: Floats) -> Estimate:
        """Return the doubly robust value with a weight (S, X) for each slice of each context."""
        arms, cell = self.arms, (self.arms.slice_, self.arms.context)
        expected = np.einsum("xm,sxmk->sxk", policy, arms.q[:, arms.category])
        corrections = self._played(policy) * self._corrections
        slices = arms.traffic[..., None] * expected + summed(cell, corrections, arms.traffic.shape)
        total = (weights * arms.traffic).sum(axis=0)
        total = np.where(total > 0.0, total, 1.0)
        by_context = np.einsum("sx,sxk->xk", weights, slices) / total[:, None]
        scale = (np.nan_to_num(self.shares(policy)) / total)[arms.context] * weights[cell]
        rows = scale[:, None] * (self._chosen * (expected[cell] - by_context[arms.context]) + corrections)
        return self._mixed(policy, by_context, rows)

    def _mixed(self, policy: Floats, by_context: Floats, rows: Floats) -> Estimate:
        """Return the mean of contexts, (X, K), and its influence: `rows` of cells, and how often contexts came."""
        value = self.shares(policy) @ by_context
        calls = float((self._chosen * self._playable(policy)).sum())
        mixed = self._chosen * self._playable(policy) * (by_context[self.arms.context] - value) / max(calls, 1.0)
        return Estimate(value, self._by_unit(rows + mixed))

    def _playable(self, policy: Floats) -> Floats:
        """Return whether the policy can choose something in each cell's context; shape (n, 1)."""
        playable: Floats = (policy.sum(axis=1) > 0.0).astype(np.float64)
        return playable[self.arms.context][:, None]

    def _played(self, policy: Floats) -> Floats:
        """Return the policy's probability of each cell's model; shape (n, 1)."""
        return policy[self.arms.context, self.arms.model][:, None]

    def _by_unit(self, rows: Floats) -> Floats:
        """Add up rows of cells by unit; shape (U, columns)."""
        return summed((self.arms.unit,), rows, (self._units,))


ESTIMATORS: Final[Mapping[str, Callable[[Evaluator, Floats], Estimate]]] = {
    "ips": Evaluator.inverse_propensity,
    "snips": Evaluator.self_normalised,
    "dm": Evaluator.direct,
    "dr": Evaluator.doubly_robust,
    "awdr": Evaluator.adaptive,
}
