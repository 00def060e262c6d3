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
from scipy.sparse import csr_matrix

from simulations.offpolicy.arms import Arms, summed
from simulations.offpolicy.cells import CHOSEN, K
from simulations.offpolicy.sums import LogSums
from simulations.offpolicy.weights import Importance

Floats = NDArray[np.float64]


MOSTLY: Final = 0.99
"""Share of the calls of which a component must be told, if the log is to have a mean of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """The value of a policy, shape (K,), and the influences of U units on it, shape (U, K), both by component."""

    value: Floats
    influence: Floats


class Evaluator:
    """Evaluates policies of shape (X, M): the probability of each model in each context.

    `logged` is what the log itself was worth; `importance` tells how much of it speaks for a policy.
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
        # What policies have in common: where cells are added up, and how many calls are there.
        size, shape = int(arms.unit.max()) + 1, arms.traffic.shape
        slices = np.ravel_multi_index((arms.slice_, arms.context), shape)
        self._slices = slices
        self._into_units, self._into_slices = _adder(arms.unit, size), _adder(slices, int(np.prod(shape)))
        chosen = self._chosen[:, 0], (arms.unit, slices)
        self._calls_by_slice = csr_matrix(chosen, shape=(size, int(np.prod(shape))))
        self._calls_by_context = summed((arms.unit, arms.context), self._chosen, (size, shape[1]))[..., 0]
        self._residuals = self._of_direct()
        self.logged = self._on_policy()
        self.importance = Importance(sums, arms)

    def _on_policy(self) -> Estimate:
        """Return what the log itself was worth, NaN where a component is not told of nearly all its calls."""
        rows = self._direct * self._chosen + self.arms.plain - self._direct * self.arms.plain_known
        value = rows.sum(axis=0) / self.calls
        value = np.where(self.arms.told >= MOSTLY, value, np.nan)
        return Estimate(value, self._by_unit(rows - self._chosen * value) / self.calls)

    def direct(self, policy: Floats) -> Estimate:
        """Return the value by q alone: model-based, with no guarantee (direct method)."""
        arms, shape, shares = self.arms, (len(self.arms.categories), policy.shape[1]), self.shares(policy)
        played = np.zeros(shape)
        np.add.at(played, arms.category, shares[:, None] * policy)
        place = arms.category[arms.context], arms.model
        by_context = np.einsum("xm,xmk->xk", policy, arms.direct[arms.category])
        return self._mixed(policy, by_context, self._by_unit(self._residuals * played[place][:, None]))

    def _of_direct(self) -> Floats:
        """Return by how much cells differ from the fit, by call that the fit has; shape (n, K)."""
        arms = self.arms
        place, shape = (arms.category[arms.context], arms.model), (len(arms.categories), len(self.sums.models))
        known = summed(place, arms.plain_known, shape)
        residuals: Floats = (arms.plain - self._direct * arms.plain_known) / np.maximum(known, 1.0)[place]
        return residuals

    def inverse_propensity(self, policy: Floats) -> Estimate:
        """Return the value by inverse propensity weights (Horvitz and Thompson 1952)."""
        by_unit, asked = self._by_unit(self._played(policy) * self.arms.inverse), self._asked(policy).sum(axis=1)
        calls = float(asked.sum())
        value = by_unit.sum(axis=0) / calls if calls else np.full(K, np.nan)
        return Estimate(value, (by_unit - asked[:, None] * value) / max(calls, 1.0))

    def self_normalised(self, policy: Floats) -> Estimate:
        """Return the value by weights that are divided by their mean (Swaminathan and Joachims 2015)."""
        played, arms = self._played(policy), self.arms
        by_unit, weights = self._by_unit(played * arms.inverse), self._by_unit(played * arms.inverse_known)
        total = np.where((total := weights.sum(axis=0)) > 0.0, total, np.nan)
        value = by_unit.sum(axis=0) / total
        return Estimate(value, (by_unit - weights * value) / total)

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
        arms, shape = self.arms, (*self.arms.traffic.shape, K)
        expected = np.einsum("xm,sxmk->sxk", policy, arms.q[:, arms.category])
        corrections = self._played(policy) * self._corrections
        slices = arms.traffic[..., None] * expected + self._into_slices.dot(corrections).reshape(shape)
        total = (weights * arms.traffic).sum(axis=0)
        total = np.where(total > 0.0, total, 1.0)
        by_context = np.einsum("sx,sxk->xk", weights, slices) / total[:, None]
        scale = np.nan_to_num(self.shares(policy)) / total * weights
        by_unit = self._calls_by_slice.dot((scale[..., None] * (expected - by_context)).reshape(-1, K))
        by_unit += self._by_unit(scale.ravel()[self._slices][:, None] * corrections)
        return self._mixed(policy, by_context, by_unit)

    def _mixed(self, policy: Floats, by_context: Floats, by_unit: Floats) -> Estimate:
        """Return the mean of contexts, (X, K), and its influence: that within them, and how often contexts came."""
        value, asked = self.shares(policy) @ by_context, self._asked(policy)
        mixed = asked @ (by_context - value) / max(float(asked.sum()), 1.0)
        return Estimate(value, by_unit + mixed)

    def _asked(self, policy: Floats) -> Floats:
        """Return the calls of each unit and context in which the policy can choose something; shape (U, X)."""
        asked: Floats = self._calls_by_context * (policy.sum(axis=1) > 0.0)
        return asked

    def _played(self, policy: Floats) -> Floats:
        """Return the policy's probability of each cell's model; shape (n, 1)."""
        return policy[self.arms.context, self.arms.model][:, None]

    def _by_unit(self, rows: Floats) -> Floats:
        """Add up rows of cells by unit; shape (U, columns)."""
        added: Floats = self._into_units.dot(rows)
        return added


def _adder(places: NDArray[np.int64], size: int) -> csr_matrix:
    """Return what adds up n rows at their places, in their order; shape (size, n)."""
    return csr_matrix((np.ones(len(places)), (places, np.arange(len(places)))), shape=(size, len(places)))


ESTIMATORS: Final[Mapping[str, Callable[[Evaluator, Floats], Estimate]]] = {
    "ips": Evaluator.inverse_propensity,
    "snips": Evaluator.self_normalised,
    "dm": Evaluator.direct,
    "dr": Evaluator.doubly_robust,
    "awdr": Evaluator.adaptive,
}
