"""Sums of calls by cell: a stretch of time (slice), a group of sessions (fold), a context, and the model chosen.

With p the propensity of the chosen model, p(m) that of any model that could have been, y a component of what a call is
worth and k = 1 where it is known, a row of `values` has for each component the sums of

    k y        k / p        k y / p

and for the cell the sums of p(m) and 1 / p(m) over all calls of its slice, fold and context, whatever model was chosen,
and of 1 / p over those that chose it. A row of `counts` has the calls that chose the model, the calls that could have,
and for each component how many of the former know it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from simulations.offpolicy.components import COMPONENTS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

K: Final = len(COMPONENTS)
PLAIN: Final = slice(0, K)
INVERSE_KNOWN: Final = slice(K, 2 * K)
INVERSE: Final = slice(2 * K, 3 * K)
EXPOSURE: Final = 3 * K
INVERSE_EXPOSURE: Final = 3 * K + 1
INVERSE_ALL: Final = 3 * K + 2
VALUES: Final = 3 * K + 3
CHOSEN: Final = 0
ASKED: Final = 1
KNOWN: Final = slice(2, 2 + K)
COUNTS: Final = 2 + K
KEYS: Final = 4

NO_FOLD: Final = -1
"""Fold of calls without a known session."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """n cells, sorted by key: `keys` (n, KEYS) has slice, fold, context and model; n rows of `counts` and `values`."""

    keys: Ints
    counts: Ints
    values: Floats

    @classmethod
    def empty(cls) -> Self:
        """Return no cells."""
        return cls(np.zeros((0, KEYS), np.int64), np.zeros((0, COUNTS), np.int64), np.zeros((0, VALUES)))

    @classmethod
    def of(cls, parts: Sequence[tuple[Ints, Ints, Floats]]) -> Self:
        """Add up rows of (keys, counts, values) that share a key, in their order."""
        keys, counts, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        if not len(keys):
            return cls(keys, counts, values)
        order = np.lexsort(keys.T[::-1])
        keys = keys[order]
        first = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
        return cls(keys[first], np.add.reduceat(counts[order], first), np.add.reduceat(values[order], first))

    def plus(self, other: "Cells") -> "Cells":
        """Return the sums of both."""
        return Cells.of([(self.keys, self.counts, self.values), (other.keys, other.counts, other.values)])

    def renamed(self, contexts: Ints, models: Ints) -> "Cells":
        """Return the same cells with other numbers of contexts and models: the new number stands at the old one."""
        keys = self.keys.copy()
        keys[:, 2], keys[:, 3] = contexts[keys[:, 2]], models[keys[:, 3]]
        return Cells.of([(keys, self.counts, self.values)])

    def coarser(self, factor: int) -> "Cells":
        """Return the same cells with `factor` slices in one."""
        keys = self.keys.copy()
        keys[:, 0] //= factor
        return Cells.of([(keys, self.counts, self.values)])

    def where(self, kept: NDArray[np.bool_]) -> "Cells":
        """Return some of the cells."""
        return Cells(self.keys[kept], self.counts[kept], self.values[kept])

    @property
    def slices(self) -> Ints:
        """Every slice there is, sorted."""
        return np.unique(self.keys[:, 0])
