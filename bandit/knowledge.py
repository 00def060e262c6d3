"""What an operator knows, laid out over the cells of one posterior.

A category may start from another one, that from a third: categories are learned generation by generation, each from
the posteriors of the one before.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from bandit.belief import Belief
from bandit.errors import PriorError
from bandit.evidence import Signal
from bandit.prior_cells import Evidence, NormalPriors, QualityPriors, RatePriors
from bandit.priors import BetaPrior, InferenceSettings, ModelPrior, NormalPrior, PastCell

Ints = NDArray[np.int64]
Generation = tuple[Ints, Ints]
"""Rows of the categories that start from another one, and the rows of those others."""

_LISTED: Final[Mapping[Signal, str]] = {"latency": "latency_s", "output_tokens": "output_tokens"}
_LISTED_WEIGHT: Final = 1.0
"""Observations that a listed value is worth: it says nothing about how categories differ."""


class Priors(Protocol):
    """Priors of every cell, for one signal."""

    def inherited(self, belief: Belief, rows: Ints, sources: Ints, cap: float) -> Self:
        """Return them with `rows` starting from what is believed of the rows `sources`."""

    def informed(self, evidence: Evidence, cap: float) -> Self:
        """Return them with evidence added."""


P = TypeVar("P", bound=Priors)


@dataclass(frozen=True, slots=True, eq=False)
class Knowledge:
    """Priors by cell; `shape` is (C + 1, M), `columns` those models of which something is known beforehand."""

    shape: tuple[int, int]
    cap: float
    columns: Mapping[int, ModelPrior]
    evidence: Mapping[Signal, Evidence]
    generations: tuple[Generation, ...]

    @classmethod
    def of(cls, settings: InferenceSettings, categories: Sequence[str], models: Sequence[str]) -> Self:
        """Lay it out over these axes. Raises PriorError where a category starts from itself."""
        rows = {name: row for row, name in enumerate(categories)}
        columns = {name: column for column, name in enumerate(models)}
        shape = len(categories) + 1, len(models)
        return cls(
            shape=shape,
            cap=settings.knowledge_cap,
            columns={columns[name]: prior for name, prior in settings.models.items() if name in columns},
            evidence=_evidence(settings.warm_start, rows, columns, shape, settings.knowledge_cap),
            generations=tuple(
                (
                    np.array([rows[name] for name in names]),
                    np.array([rows[settings.prior_from[name]] for name in names]),
                )
                for names in generations(settings.prior_from)
            ),
        )

    def qualities(self, thumbs: BetaPrior, scores: NormalPrior) -> QualityPriors:
        """Return the priors of quality."""
        priors = QualityPriors(RatePriors.of(thumbs, self.shape), NormalPriors.of(scores, self.shape))
        for column, prior in self.columns.items():
            if prior.quality is not None:
                priors = priors.with_model(column, prior.quality, min(prior.quality_weight, self.cap))
        return priors

    def errors(self, default: BetaPrior) -> RatePriors:
        """Return the priors of the error rate."""
        priors = RatePriors.of(default, self.shape)
        for column, prior in self.columns.items():
            if prior.error_rate is not None:
                priors = priors.with_model(column, prior.error_rate, default.weight)
        return priors

    def normals(self, signal: Signal, default: NormalPrior) -> NormalPriors:
        """Return the priors of a signal that is learned in logarithms."""
        priors = NormalPriors.of(default, self.shape)
        for column, prior in self.columns.items():
            typical = getattr(prior, _LISTED[signal]) if signal in _LISTED else None
            if typical is not None:
                priors = priors.with_model(column, math.log(typical), _LISTED_WEIGHT)
        return priors

    def settled(self, signal: Signal, priors: P, learn: Callable[[P], Belief]) -> Belief:
        """Return what `learn` makes of the observations of a signal, once every cell has its prior."""
        belief = learn(self._informed(signal, priors))
        for rows, sources in self.generations:
            priors = priors.inherited(belief, rows, sources, self.cap)
            belief = learn(self._informed(signal, priors))
        return belief

    def _informed(self, signal: Signal, priors: P) -> P:
        evidence = self.evidence.get(signal)
        return priors if evidence is None else priors.informed(evidence, self.cap)


def named_categories(settings: InferenceSettings) -> set[str]:
    """Return the categories of which something is known beforehand: they need rows of their own."""
    inherited = {*settings.prior_from.keys(), *settings.prior_from.values()}
    return inherited | {cell.category for cell in settings.warm_start}


def generations(prior_from: Mapping[str, str]) -> list[list[str]]:
    """Return the categories that start from another one, those first whose source starts from none.

    Raises PriorError where a category starts from itself, directly or through others.
    """
    depths = {name: _depth(name, prior_from) for name in sorted(prior_from)}
    return [[name for name, depth in depths.items() if depth == one] for one in sorted(set(depths.values()))]


def _depth(name: str, prior_from: Mapping[str, str]) -> int:
    chain = [name]
    while (source := prior_from.get(chain[-1])) is not None:
        if source in chain:
            raise PriorError(f"the prior of {name} comes round to {source} again: {' <- '.join([*chain, source])}")
        chain.append(source)
    return len(chain)


def _evidence(
    cells: Iterable[PastCell], rows: Mapping[str, int], columns: Mapping[str, int], shape: tuple[int, int], cap: float
) -> Mapping[Signal, Evidence]:
    placed: dict[Signal, list[tuple[int, int, float, float]]] = {}
    for category, model, signal, mean, weight in cells:
        if category in rows and model in columns:
            placed.setdefault(signal, []).append((rows[category], columns[model], mean, min(weight, cap)))
    found = {}
    for signal, known in placed.items():
        row, column, means, weights = zip(*known, strict=True)
        evidence = found[signal] = Evidence(np.zeros(shape), np.zeros(shape))
        evidence.mean[row, column], evidence.weight[row, column] = means, weights
    return found
