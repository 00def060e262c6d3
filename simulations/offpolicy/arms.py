"""What every model is worth in every context, by each estimator; a policy's value is a mean of these.

q is a model of the components, fitted on the slices before the one that it is used in ("predictable"), so that the
corrections stay differences of a martingale although the logger learned from its own past (Bibaut et al. 2021; Zhan et
al. 2021, section 3). Where a component is unknown of some calls, those known stand for them: the share of known ones
per category and model divides the correction.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from simulations.offpolicy.cells import (
    CHOSEN,
    INVERSE,
    INVERSE_KNOWN,
    KNOWN,
    PLAIN,
    ROOT,
    ROOT_EXPOSURE,
    ROOT_KNOWN,
    Cells,
    K,
)
from simulations.offpolicy.sums import LogSums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHRINKAGE: Final = 5.0
"""Calls that a mean of the model over all categories, and one over all models, is worth."""


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """Values of M models in X contexts of C categories; arrays of shape (X, M, K) unless told.

    `direct` is q fitted on the whole log, `doubly_robust` and `adaptive` have corrections; `known` is the share of
    calls of each category and model whose components are known. `traffic` (X,) counts the calls of each context,
    `roots` (X, M) sums sqrt(p), `category` (X,) is the place of each context's category.
    """

    categories: tuple[str, ...]
    category: Ints
    traffic: Floats
    roots: Floats
    known: Floats
    direct: Floats
    doubly_robust: Floats
    adaptive: Floats

    @classmethod
    def of(cls, sums: LogSums) -> Self:
        """Compute them from the sums of a log."""
        categories = tuple(dict.fromkeys(context.category for context in sums.contexts))
        category = np.array([categories.index(context.category) for context in sums.contexts], np.int64)
        shape = len(sums.contexts), len(sums.models)
        units, unit = np.unique(sums.slices.keys[:, 0], return_inverse=True)
        _, context, model = sums.slices.keys.T
        values, counts = sums.slices.values, sums.slices.counts
        place = unit, category[context], model
        q, whole, known = _fits(place, values, counts, (len(units), len(categories), shape[1]))
        here = q[place]
        share = known[category[context], model]
        arm = context, model
        traffic = _summed((unit, context), counts[:, [CHOSEN]], (len(units), shape[0]))[..., 0]
        roots = values[:, [ROOT_EXPOSURE]]
        summed_roots = _summed(arm, roots, shape)
        robust = _summed(arm, (values[:, INVERSE] - here * values[:, INVERSE_KNOWN]) / share, shape)
        robust += np.stack([np.einsum("s,smk->mk", traffic[:, x], q[:, category[x]]) for x in range(shape[0])])
        adaptive = _summed(arm, roots * here + (values[:, ROOT] - here * values[:, ROOT_KNOWN]) / share, shape)
        calls = traffic.sum(axis=0)
        return cls(
            categories=categories,
            category=category,
            traffic=calls,
            roots=summed_roots[..., 0],
            known=known[category],
            direct=whole[category],
            doubly_robust=robust / np.maximum(calls, 1.0)[:, None, None],
            adaptive=np.where(summed_roots > 0.0, adaptive / np.where(summed_roots > 0.0, summed_roots, 1.0), np.nan),
        )


def _fits(
    place: tuple[Ints, Ints, Ints], values: Floats, counts: Ints, shape: tuple[int, int, int]
) -> tuple[Floats, Floats, Floats]:
    """Return q of each slice from those before it, q of the whole log, and the shares of known components.

    Shapes (S, C, M, K), (C, M, K) and (C, M, K).
    """
    totals = _summed(place, values[:, PLAIN], shape)
    known = _summed(place, counts[:, KNOWN], shape)
    chosen = _summed(place[1:], counts[:, [CHOSEN]], shape[1:])
    share = known.sum(axis=0) / np.maximum(chosen, 1.0)
    before = [np.concatenate([np.zeros((1, *shape[1:], K)), array.cumsum(axis=0)]) for array in (totals, known)]
    fitted = _shrunk(*before)
    return fitted[:-1], fitted[-1], np.where(share > 0.0, share, 1.0)


def _shrunk(totals: Floats, known: Floats) -> Floats:
    """Return means of (..., C, M, K) drawn to the model's mean, and that to the mean of all."""
    everything, of_all = totals.sum(axis=(-3, -2), keepdims=True), known.sum(axis=(-3, -2), keepdims=True)
    overall = everything / np.maximum(of_all, 1.0)
    by_model = totals.sum(axis=-3, keepdims=True) + SHRINKAGE * overall
    by_model = by_model / (known.sum(axis=-3, keepdims=True) + SHRINKAGE)
    fitted: Floats = (totals + SHRINKAGE * by_model) / (known + SHRINKAGE)
    return fitted


def _summed(place: tuple[Ints, ...], rows: Floats | Ints, shape: tuple[int, ...]) -> Floats:
    """Add up rows at places of an array of this shape; shape (*shape, columns)."""
    flat = np.ravel_multi_index(place, shape)
    size = int(np.prod(shape))
    columns = [np.bincount(flat, weights=column.astype(np.float64), minlength=size) for column in rows.T]
    added: Floats = np.stack(columns, axis=-1).reshape(*shape, rows.shape[1]).astype(np.float64)
    return added


def by_fold(folds: Cells, rows: Floats) -> Floats:
    """Add up rows of the cells of folds, shape (n, columns), by fold; shape (F, columns)."""
    units, unit = np.unique(folds.keys[:, 0], return_inverse=True)
    return _summed((unit,), rows, (len(units),))
