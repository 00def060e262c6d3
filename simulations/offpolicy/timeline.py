"""What happened over time: value and spend, who got the calls, and where something changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.offpolicy.arms import summed
from simulations.offpolicy.cells import CHOSEN, KNOWN, PLAIN
from simulations.offpolicy.components import COMPONENTS
from simulations.offpolicy.estimators import Evaluator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHANGE_ERRORS: Final = 6.0
"""Standard errors between before and after: thousands of places are looked at."""
_LEAST: Final = 30


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """S slices: where each starts (microseconds, or rows), its calls, and sums over them.

    `calls` has shape (S, C, M), `components` (S, C, M, K) and `known` too: sums and counts of what is known.
    """

    starts: Ints
    calls: Floats
    components: Floats
    known: Floats

    @property
    def rows(self) -> Floats:
        """Calls of each slice."""
        return np.asarray(self.calls.sum(axis=(1, 2)))

    def logged(self, evaluator: Evaluator) -> Floats:
        """Return what the calls of each slice brought, by component; shape (S, K). Unknown parts count as the mean."""
        arms = evaluator.arms
        q = arms.direct[arms.category[arms.context], arms.model]
        rows = q * evaluator.sums.cells.counts[:, [CHOSEN]] + arms.plain - q * arms.plain_known
        return summed((arms.slice_,), rows, (len(self.starts),))


def timeline_of(evaluator: Evaluator) -> Timeline:
    """Return the timeline of a log."""
    sums, arms = evaluator.sums, evaluator.arms
    place = arms.slice_, arms.category[arms.context], arms.model
    shape = len(arms.traffic), len(arms.categories), len(sums.models)
    calls = summed(place, sums.cells.counts[:, [CHOSEN]], shape)[..., 0]
    components = summed(place, sums.cells.values[:, PLAIN], shape)
    known = summed(place, sums.cells.counts[:, KNOWN], shape)
    return Timeline(sums.cells.slices * sums.width, calls, components, known)


def played(evaluator: Evaluator, policy: Floats) -> Floats:
    """Return what a policy of shape (X, M) would have brought in each slice (doubly robust); shape (S, K)."""
    arms = evaluator.arms
    rows = arms.inverse - arms.direct[arms.category[arms.context], arms.model] * arms.inverse_known
    expected = np.einsum("xm,xmk->xk", policy, arms.direct[arms.category])
    corrections = summed((arms.slice_,), rows * policy[arms.context, arms.model][:, None], (len(arms.traffic),))
    brought: Floats = arms.traffic @ expected + corrections
    return brought


@dataclass(frozen=True, slots=True)
class Change:
    """From slice `at` on, a model is another one: a component's mean differs, or it joined or left a category."""

    at: int
    model: str
    category: str
    what: str


def changes(evaluator: Evaluator, timeline: Timeline) -> Iterator[Change]:
    """Yield changes of models that no luck explains, the most striking one of each model and component."""
    models = evaluator.sums.models
    for m, model in enumerate(models):
        for k, component in enumerate(COMPONENTS):
            found = _split(*_alike(timeline.known[..., m, k], timeline.components[..., m, k]))
            if found is not None:
                at, before, after = found
                yield Change(at, model, "", f"{component} from {before:.3g} to {after:.3g}")
    present = timeline.calls > 0
    ever = present.any(axis=0)
    slices = len(timeline.starts)
    for c, m in np.argwhere(ever).tolist():
        first, last = int(present[:, c, m].argmax()), slices - 1 - int(present[::-1, c, m].argmax())
        seldom = timeline.calls[:, c, m].sum() < _LEAST
        if first > slices // 10 and not seldom:
            yield Change(first, models[m], evaluator.arms.categories[c], "joined")
        if last < slices - 1 - slices // 10 and not seldom:
            yield Change(last + 1, models[m], evaluator.arms.categories[c], "left")


def _alike(n: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return counts and sums of slices, from (S, C) ones, as if every category were alike: their mix may change."""
    total = max(float(n.sum()), 1.0)
    means = y.sum(axis=0) / np.maximum(n.sum(axis=0), 1.0)
    return n.sum(axis=1), (y - n * means).sum(axis=1) + n.sum(axis=1) * float(y.sum()) / total


def _split(n: Floats, y: Floats) -> tuple[int, float, float] | None:
    """Return where means before and after differ the most, and both, where that is no luck.

    The variance is that of the slices' means around their own side's.
    """
    before_n, before_y = n.cumsum()[:-1], y.cumsum()[:-1]
    after_n, after_y = n.sum() - before_n, y.sum() - before_y
    able = (before_n >= _LEAST) & (after_n >= _LEAST)
    if len(n) < 8 or not able.any():
        return None
    before, after = before_y / np.maximum(before_n, 1.0), after_y / np.maximum(after_n, 1.0)
    here = n > 0
    side = np.where(np.arange(len(n))[None, :] <= np.arange(len(n) - 1)[:, None], before[:, None], after[:, None])
    deviations = np.where(here, y / np.where(here, n, 1.0) - side, 0.0)
    variance = (n * deviations**2).sum(axis=1) / max(int(here.sum()) - 2, 1)
    spread = np.sqrt(variance * (1.0 / np.maximum(before_n, 1.0) + 1.0 / np.maximum(after_n, 1.0)))
    errors = np.where(able & (spread > 0.0), np.abs(after - before) / np.where(spread > 0.0, spread, 1.0), 0.0)
    at = int(errors.argmax())
    return (at + 1, float(before[at]), float(after[at])) if errors[at] > CHANGE_ERRORS else None
