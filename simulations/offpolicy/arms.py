"""A model q of what calls are worth, by category and model, and the corrections that make a value of it honest.

q of a slice is fitted on the slices before it ("predictable"), so that corrections stay differences of a martingale
although the logger learned from its own past (Bibaut et al. 2021; Zhan et al. 2021, section 3). Where a component is
unknown of some calls, those known stand for them: the share of known ones per category and model divides corrections.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from simulations.offpolicy.cells import (
    ASKED,
    CHOSEN,
    INVERSE,
    INVERSE_EXPOSURE,
    INVERSE_KNOWN,
    KNOWN,
    NO_FOLD,
    PLAIN,
    K,
)
from simulations.offpolicy.sums import FOLDS, LogSums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHRINKAGE: Final = 5.0
"""Calls that a mean of the model over all categories, and one over all models, is worth."""


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """What a log of S slices, X contexts, C categories and M models tells by component (K of them).

    `category` (X,) is the place of each context's category. Of each of the n cells, `slice_`, `context`, `model` and
    `unit` (n,) are places; units are what varies by itself: folds of sessions, or slices where no session is known.
    `q` (S, C, M, K) is fitted before each slice, `direct` (C, M, K) on the whole log; `known` (C, M, K) are the shares
    of known components. `corrections` (n, K) are the sums of (y - q) / p of cells. `traffic` (S, X) counts calls, and
    `inverse` (S, X, M) has the means of 1 / p(m), NaN where unknown.
    """

    categories: tuple[str, ...]
    category: Ints
    slice_: Ints
    context: Ints
    model: Ints
    unit: Ints
    q: Floats
    direct: Floats
    known: Floats
    corrections: Floats
    traffic: Floats
    inverse: Floats

    @classmethod
    def of(cls, sums: LogSums) -> Self:
        """Compute them from the sums of a log."""
        categories = tuple(dict.fromkeys(context.category for context in sums.contexts))
        category = np.array([categories.index(context.category) for context in sums.contexts], np.int64)
        keys, values, counts = sums.cells.keys, sums.cells.values, sums.cells.counts
        slices, slice_ = np.unique(keys[:, 0], return_inverse=True)
        _, fold, context, model = keys.T
        place = slice_, category[context], model
        q, direct, known = _fits(place, values, counts, (len(slices), len(categories), len(sums.models)))
        here, share = q[place], known[place[1:]]
        shape = len(slices), len(sums.contexts), len(sums.models)
        traffic = summed((slice_, context), counts[:, [CHOSEN]], shape[:2])[..., 0]
        asked, inverse = (
            summed((slice_, context, model), column, shape)[..., 0]
            for column in (counts[:, [ASKED]], values[:, [INVERSE_EXPOSURE]])
        )
        return cls(
            categories=categories,
            category=category,
            slice_=slice_,
            context=context,
            model=model,
            unit=np.unique(np.where(fold == NO_FOLD, FOLDS + slice_, fold), return_inverse=True)[1],
            q=q,
            direct=direct,
            known=known,
            corrections=(values[:, INVERSE] - here * values[:, INVERSE_KNOWN]) / share,
            traffic=traffic,
            inverse=np.where(asked > 0.0, inverse / np.maximum(asked, 1.0), np.nan),
        )

    @property
    def shares(self) -> Floats:
        """Share of the calls that each context has; shape (X,)."""
        calls = self.traffic.sum(axis=0)
        share: Floats = calls / calls.sum()
        return share


def summed(place: tuple[Ints, ...], rows: Floats | Ints, shape: tuple[int, ...]) -> Floats:
    """Add up rows at places of an array of this shape; shape (*shape, columns)."""
    flat, size = np.ravel_multi_index(place, shape), int(np.prod(shape))
    columns = [np.bincount(flat, weights=column.astype(np.float64), minlength=size) for column in rows.T]
    added: Floats = np.stack(columns, axis=-1).reshape(*shape, rows.shape[1]).astype(np.float64)
    return added


def _fits(
    place: tuple[Ints, Ints, Ints], values: Floats, counts: Ints, shape: tuple[int, int, int]
) -> tuple[Floats, Floats, Floats]:
    """Return q of each slice from those before it, q of the whole log, and the shares of known components.

    Shapes (S, C, M, K), (C, M, K) and (C, M, K).
    """
    totals, known = summed(place, values[:, PLAIN], shape), summed(place, counts[:, KNOWN], shape)
    chosen = summed(place[1:], counts[:, [CHOSEN]], shape[1:])
    share = known.sum(axis=0) / np.maximum(chosen, 1.0)
    nothing = np.zeros((1, *shape[1:], K))
    fitted = _shrunk(*(np.concatenate([nothing, array.cumsum(axis=0)]) for array in (totals, known)))
    return fitted[:-1], fitted[-1], np.where(share > 0.0, share, 1.0)


def _shrunk(totals: Floats, known: Floats) -> Floats:
    """Return means of (..., C, M, K) drawn to the model's mean, and that to the mean of all."""
    everything, of_all = totals.sum(axis=(-3, -2), keepdims=True), known.sum(axis=(-3, -2), keepdims=True)
    overall = everything / np.maximum(of_all, 1.0)
    by_model = totals.sum(axis=-3, keepdims=True) + SHRINKAGE * overall
    by_model = by_model / (known.sum(axis=-3, keepdims=True) + SHRINKAGE)
    fitted: Floats = (totals + SHRINKAGE * by_model) / (known + SHRINKAGE)
    return fitted
