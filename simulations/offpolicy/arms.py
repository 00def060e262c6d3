"""A model q of what calls are worth, by category and model, and the corrections that make a value of it honest.

q of a slice is fitted on the slices before it ("predictable"), so that corrections stay differences of a martingale
although the logger learned from its own past (Bibaut et al. 2021; Zhan et al. 2021, section 3).

Where a component is unknown of some calls, known ones of the same category and model stand for them. Of answers, that
is for calls that did not fail only: a failed call needs no judge, its answer is worth 0, and it stands for itself.
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
from simulations.offpolicy.components import COMPONENTS
from simulations.offpolicy.sums import FOLDS, LogSums

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHRINKAGE: Final = 5.0
"""Calls that a mean of the model over all categories, and one over all models, is worth."""

ANSWER: Final = COMPONENTS.index("answer")
ERROR: Final = COMPONENTS.index("error")


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """What a log of S slices, X contexts, C categories and M models tells by component (K of them).

    `category` (X,) is the place of each context's category. Of each of the n cells, `slice_`, `context`, `model` and
    `unit` (n,) are places; units are what varies by itself: folds of sessions, or slices where no session is known.
    `q` (S, C, M, K) is fitted before each slice, `direct` (C, M, K) on the whole log. `chosen` (C, M) counts calls,
    `judged` (C, M, K) those that know a component, of answers those that did not fail, and `known` is their share, NaN
    for none. As if all were known, `plain`, `inverse` (n, K) are the sums of y and y / p of cells, and `plain_known`,
    `inverse_known` those of 1 and 1 / p. `traffic` (S, X) counts calls, and `inverse_p` (S, X, M) has the means of
    1 / p(m), NaN where unknown.
    """

    categories: tuple[str, ...]
    category: Ints
    slice_: Ints
    context: Ints
    model: Ints
    unit: Ints
    q: Floats
    direct: Floats
    chosen: Floats
    judged: Floats
    known: Floats
    plain: Floats
    plain_known: Floats
    inverse: Floats
    inverse_known: Floats
    traffic: Floats
    inverse_p: Floats

    @classmethod
    def of(cls, sums: LogSums) -> Self:
        """Compute them from the sums of a log."""
        categories = tuple(dict.fromkeys(context.category for context in sums.contexts))
        places = {name: place for place, name in enumerate(categories)}
        category = np.array([places[context.category] for context in sums.contexts], np.int64)
        keys, values, counts = sums.cells.keys, sums.cells.values, sums.cells.counts
        slices, slice_ = np.unique(keys[:, 0], return_inverse=True)
        _, fold, context, model = keys.T
        place = slice_, category[context], model
        shape = len(slices), len(categories), len(sums.models)
        q, direct = _fits(place, values, _judged(counts, values), shape)
        judged = summed(place[1:], _judged(counts, values), shape[1:])
        possible = summed(place[1:], _possible(counts, values), shape[1:])
        known = np.where(judged > 0.0, judged / np.maximum(possible, 1.0), np.nan)
        share = known[place[1:]]
        asked, inverse_p = (
            summed((slice_, context, model), column, (len(slices), len(sums.contexts), len(sums.models)))[..., 0]
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
            chosen=summed(place[1:], counts[:, [CHOSEN]], shape[1:])[..., 0],
            judged=judged,
            known=known,
            plain=_as_if_known(values[:, PLAIN], share),
            plain_known=_with_failed(counts[:, KNOWN], values[:, PLAIN][:, ERROR], share),
            inverse=_as_if_known(values[:, INVERSE], share),
            inverse_known=_with_failed(values[:, INVERSE_KNOWN], values[:, INVERSE][:, ERROR], share),
            traffic=summed((slice_, context), counts[:, [CHOSEN]], (len(slices), len(sums.contexts)))[..., 0],
            inverse_p=np.where(asked > 0.0, inverse_p / np.maximum(asked, 1.0), np.nan),
        )

    @property
    def told(self) -> Floats:
        """Share of the calls that are of a category and model of which some call tells a component; shape (K,)."""
        told: Floats = (self.chosen[..., None] * (self.judged > 0.0)).sum(axis=(0, 1)) / self.chosen.sum()
        return told

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


def _judged(counts: Ints, values: Floats) -> Floats:
    """Return how many calls of cells know each component, and did not fail where that is the answer."""
    judged = counts[:, KNOWN].astype(np.float64)
    judged[:, ANSWER] -= values[:, PLAIN][:, ERROR]
    return judged


def _possible(counts: Ints, values: Floats) -> Floats:
    """Return how many could."""
    possible = np.repeat(counts[:, [CHOSEN]].astype(np.float64), K, axis=1)
    possible[:, ANSWER] -= values[:, PLAIN][:, ERROR]
    return possible


def _as_if_known(values: Floats, share: Floats) -> Floats:
    """Return sums of known values as if all were known; 0 where none is, which `Arms.known` tells."""
    scaled: Floats = np.where(np.isnan(share), 0.0, values / share)
    return scaled


def _with_failed(known: Floats | Ints, failed: Floats, share: Floats) -> Floats:
    """Return sums over known calls as if all were known: of answers, failed calls stand for themselves."""
    alone = np.zeros(share.shape)
    alone[:, ANSWER] = failed
    return alone + _as_if_known(known - alone, share)


def _fits(
    place: tuple[Ints, Ints, Ints], values: Floats, judged: Floats, shape: tuple[int, int, int]
) -> tuple[Floats, Floats]:
    """Return q of each slice from those before it, and q of the whole log; shapes (S, C, M, K) and (C, M, K)."""
    totals, known = summed(place, values[:, PLAIN], shape), summed(place, judged, shape)
    nothing = np.zeros((1, *shape[1:], K))
    fitted = _shrunk(*(np.concatenate([nothing, array.cumsum(axis=0)]) for array in (totals, known)))
    # What was fitted is the quality of answers that came.
    fitted[..., ANSWER] *= 1.0 - fitted[..., ERROR]
    return fitted[:-1], fitted[-1]


def _shrunk(totals: Floats, known: Floats) -> Floats:
    """Return means of (..., C, M, K) drawn to the model's mean, and that to the mean of all."""
    everything, of_all = totals.sum(axis=(-3, -2), keepdims=True), known.sum(axis=(-3, -2), keepdims=True)
    overall = everything / np.maximum(of_all, 1.0)
    by_model = totals.sum(axis=-3, keepdims=True) + SHRINKAGE * overall
    by_model = by_model / (known.sum(axis=-3, keepdims=True) + SHRINKAGE)
    fitted: Floats = (totals + SHRINKAGE * by_model) / (known + SHRINKAGE)
    return fitted
