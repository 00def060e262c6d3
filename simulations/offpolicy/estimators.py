"""Values of policies with their influence by fold, from which every interval, lift and comparison follows.

The influence of a fold is what its calls contribute to value minus expectation; folds are sessions, or short stretches
of rows, so their sums are uncorrelated, and the standard error is that of a sum of them (cluster-robust).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.offpolicy.arms import Arms, by_fold
from simulations.offpolicy.cells import (
    CHOSEN,
    INVERSE,
    INVERSE_KNOWN,
    KNOWN,
    PLAIN,
    ROOT,
    ROOT_EXPOSURE,
    ROOT_KNOWN,
)
from simulations.offpolicy.sums import LogSums

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """Values of P policies: `values` has shape (P, K), `influences` (P, F, K), both by component."""

    values: Floats
    influences: Floats


class Evaluator:
    """Evaluates policies of shape (P, X, M): the probability of each model in each context."""

    def __init__(self, sums: LogSums) -> None:
        self.sums = sums
        self.arms = Arms.of(sums)
        _, self._context, self._model = sums.folds.keys.T
        self._rows = sums.folds.values
        self._counts = sums.folds.counts.astype(np.float64)
        self._known = self.arms.known[self._context, self._model]
        self._q = self.arms.direct[self._context, self._model]
        self.calls = float(self.arms.traffic.sum())
        self.shares = self.arms.traffic / self.calls

    def logged(self) -> Estimates:
        """Return what the log itself was worth (on-policy mean); P is 1."""
        chosen = self._counts[:, [CHOSEN]]
        rows = self._q * chosen + (self._rows[:, PLAIN] - self._q * self._counts[:, KNOWN]) / self._known
        value = rows.sum(axis=0) / self.calls
        influence = by_fold(self.sums.folds, rows - chosen * value) / self.calls
        return Estimates(value[None], influence[None])

    def direct(self, policies: Floats) -> Estimates:
        """Return the values by q alone: model-based, with no guarantee (direct method)."""
        n = np.maximum(_by_category(self.arms, self._counts[:, KNOWN], self._context, self._model), 1.0)
        residuals = (self._rows[:, PLAIN] - self._q * self._counts[:, KNOWN]) / n[self._context, self._model]
        share = self._category_share()[self._context]
        return self._corrected(policies, self.arms.direct, residuals * share[:, None])

    def inverse_propensity(self, policies: Floats) -> Estimates:
        """Return the values by inverse propensity weights (Horvitz and Thompson 1952)."""
        rows = self._weighted(policies, self._rows[:, INVERSE] / self._known)
        values = rows.sum(axis=1) / self.calls
        calls = by_fold(self.sums.folds, self._counts[:, [CHOSEN]])
        return Estimates(values, (rows - calls * values[:, None]) / self.calls)

    def self_normalised(self, policies: Floats) -> Estimates:
        """Return the values by weights that are divided by their mean (Swaminathan and Joachims 2015)."""
        rows = self._weighted(policies, self._rows[:, INVERSE] / self._known)
        weights = self._weighted(policies, self._rows[:, INVERSE_KNOWN] / self._known)
        total = weights.sum(axis=1)
        values = rows.sum(axis=1) / np.where(total > 0.0, total, np.nan)
        return Estimates(values, (rows - weights * values[:, None]) / total[:, None])

    def doubly_robust(self, policies: Floats) -> Estimates:
        """Return the values by q and weighted corrections (Dudik et al. 2011), with predictable q."""
        corrections = (self._rows[:, INVERSE] - self._q * self._rows[:, INVERSE_KNOWN]) / self._known
        return self._corrected(policies, self.arms.doubly_robust, corrections / self.calls)

    def adaptive(self, policies: Floats) -> Estimates:
        """Return the values by corrections with weights sqrt(p), which steady their variance (Hadad et al. 2021)."""
        roots = self.arms.roots[self._context, self._model][:, None]
        own = self.arms.adaptive[self._context, self._model]
        exposure = self._rows[:, [ROOT_EXPOSURE]]
        corrections = (self._rows[:, ROOT] - self._q * self._rows[:, ROOT_KNOWN]) / self._known
        rows = (exposure * (self._q - own) + corrections) / np.where(roots > 0.0, roots, np.nan)
        rows = np.nan_to_num(rows) * self.shares[self._context][:, None]
        return self._corrected(policies, self.arms.adaptive, rows, own=True)

    def _corrected(self, policies: Floats, arms: Floats, corrections: Floats, *, own: bool = False) -> Estimates:
        """Combine the arms' values with corrections by cell; `own` says that these are centred at the arms' values."""
        arms = np.where(np.isfinite(arms), arms, 0.0)
        by_context = np.einsum("pxm,xmk->pxk", policies, arms)
        values = np.einsum("x,pxk->pk", self.shares, by_context)
        expected = by_context if own else np.einsum("pxm,xmk->pxk", policies, self.arms.direct)
        mixed = _fold_traffic(self.sums, len(self.shares)) @ (expected - values[:, None]) / self.calls
        influences = mixed + self._weighted(policies, corrections)
        return Estimates(values, influences - influences.mean(axis=1, keepdims=True))

    def _weighted(self, policies: Floats, rows: Floats) -> Floats:
        """Add up rows by fold, weighted by each policy's probability of their cell; shape (P, F, columns)."""
        chosen = policies[:, self._context, self._model]
        return np.stack([by_fold(self.sums.folds, rows * weights[:, None]) for weights in chosen])

    def _category_share(self) -> Floats:
        """Return the share of the calls that each context's category has; shape (X,)."""
        shares: Floats = np.bincount(self.arms.category, weights=self.shares).astype(np.float64)
        return shares[self.arms.category]


def _by_category(arms: Arms, rows: Floats, context: NDArray[np.int64], model: NDArray[np.int64]) -> Floats:
    """Add up rows of cells by category and model, and give every context its category's; shape (X, M, columns)."""
    totals = np.zeros((len(arms.categories), arms.known.shape[1], rows.shape[1]))
    np.add.at(totals, (arms.category[context], model), rows)
    return totals[arms.category]


def _fold_traffic(sums: LogSums, contexts: int) -> Floats:
    """Count the calls of each fold and context; shape (F, X)."""
    units, unit = np.unique(sums.folds.keys[:, 0], return_inverse=True)
    traffic = np.zeros((len(units), contexts))
    np.add.at(traffic, (unit, sums.folds.keys[:, 1]), sums.folds.counts[:, CHOSEN])
    return traffic


ESTIMATORS: Final[Mapping[str, Callable[[Evaluator, Floats], Estimates]]] = {
    "ips": Evaluator.inverse_propensity,
    "snips": Evaluator.self_normalised,
    "dm": Evaluator.direct,
    "dr": Evaluator.doubly_robust,
    "awdr": Evaluator.adaptive,
}
