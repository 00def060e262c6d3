"""What an operator knows, laid out over the cells of one posterior.

A category may start from another one, that from a third: categories are learned generation by generation, each from
the posteriors of the one before.

Knowledge gives way to the traffic of its category: after n observations of a signal there, whatever the model, only
2^(-n / h) of it is left, and the default takes the place of the rest; logs last ten times as long. Otherwise a good
model that is said to be bad would never be tried, and so never be known better: its own observations cannot overrule
what keeps it from having any.
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
from bandit.ordered import ordered_sum
from bandit.prior_cells import Evidence
from bandit.priors import InferenceSettings, ModelPrior, PastCell

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Generation = tuple[Ints, Ints]
"""Rows of the categories that start from another one, and the rows of those others."""

_LOGS_LAST: Final = 10.0
"""How much longer logs last than what is merely said: they hold observations of the very cell."""
_ERRORS_WEIGHT: Final = 2.0
_LISTED_WEIGHT: Final = 1.0
"""Observations that a listed value is worth: it says nothing about how categories differ."""
MAX_GENERATIONS: Final = 4
"""Categories in a row that each start from the next: every generation costs another fit of every signal."""


class Priors(Protocol):
    """Priors of every cell, for one signal."""

    def with_model(self, column: int, mean: float, weight: float) -> Self:
        """Return them with another prior for one model, worth `weight` observations."""

    def inherited(self, belief: Belief, rows: Ints, sources: Ints, cap: float) -> Self:
        """Return them with `rows` starting from what is believed of the rows `sources`."""

    def informed(self, evidence: Evidence, cap: float) -> Self:
        """Return them with evidence added."""

    def faded(self, defaults: Self, share: Floats) -> Self:
        """Return them where only a share of them is left, and defaults take the place of the rest."""


P = TypeVar("P", bound=Priors)


@dataclass(frozen=True, slots=True, eq=False)
class Knowledge:
    """What is known by cell; `shape` is (C + 1, M), `columns` holds what is known of models, by their places."""

    shape: tuple[int, int]
    cap: float
    inherited_cap: float
    half_life: float
    columns: Mapping[int, ModelPrior]
    evidence: Mapping[Signal, Evidence]
    generations: tuple[Generation, ...]

    @classmethod
    def of(cls, settings: InferenceSettings, categories: Sequence[str], models: Sequence[str]) -> Self:
        """Lay it out over these axes. Raises PriorError where `generations` does."""
        rows = {name: row for row, name in enumerate(categories)}
        columns = {name: column for column, name in enumerate(models)}
        shape = len(categories) + 1, len(models)
        return cls(
            shape=shape,
            cap=settings.knowledge_cap,
            inherited_cap=min(settings.prior_from_weight, settings.knowledge_cap),
            half_life=settings.knowledge_half_life,
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

    def of_models(self, signal: Signal, priors: P) -> P:
        """Return priors of a signal with what is known of models in the place of the defaults."""
        for column, prior in self.columns.items():
            said = _said(signal, prior)
            if said is not None:
                mean, weight = said
                priors = priors.with_model(column, mean, min(weight, self.cap))
        return priors

    def settled(self, signal: Signal, defaults: P, learn: Callable[[P], Belief]) -> Belief:
        """Return what `learn` makes of the observations of a signal, once every cell has its prior."""
        by_default, known = learn(defaults), self.of_models(signal, defaults)
        if known is defaults and signal not in self.evidence and not self.generations:
            return by_default
        half_lives = ordered_sum(by_default.weight, 1)[:, None] / self.half_life
        belief = learn(self._left_of(signal, known, defaults, half_lives))
        for rows, sources in self.generations:
            known = known.inherited(belief, rows, sources, self.inherited_cap)
            belief = learn(self._left_of(signal, known, defaults, half_lives))
        return belief

    def _left_of(self, signal: Signal, known: P, defaults: P, half_lives: Floats) -> P:
        """Return what is left of knowledge after so many half-lives; shape (C + 1, 1)."""
        left, past = known.faded(defaults, np.exp2(-half_lives)), self.evidence.get(signal)
        if past is None:
            return left
        weight = past.weight * np.exp2(-half_lives / _LOGS_LAST)
        return left.informed(Evidence(past.mean, weight), self.cap)


def _said(signal: Signal, prior: ModelPrior) -> tuple[float, float] | None:
    """Return the mean of a signal as an operator states it, and what that is worth; None where nothing is said."""
    match signal:
        case "quality":
            return None if prior.quality is None else (prior.quality, prior.quality_weight)
        case "error":
            return None if prior.error_rate is None else (prior.error_rate, _ERRORS_WEIGHT)
        case "latency":
            return None if prior.latency_s is None else (math.log(prior.latency_s), _LISTED_WEIGHT)
        case "output_tokens":
            return None if prior.output_tokens is None else (math.log(prior.output_tokens), _LISTED_WEIGHT)
        case _:
            return None


def named_categories(settings: InferenceSettings) -> set[str]:
    """Return the categories of which something is known beforehand: they need rows of their own."""
    inherited = {*settings.prior_from.keys(), *settings.prior_from.values()}
    return inherited | {cell.category for cell in settings.warm_start}


def generations(prior_from: Mapping[str, str]) -> list[list[str]]:
    """Return the categories that start from another one, those first whose source starts from none.

    Raises PriorError where a category starts from itself, directly or through others, or where there would be more
    than `MAX_GENERATIONS`.
    """
    found: dict[int, list[str]] = {}
    for name, depth in sorted(depths(prior_from).items()):
        if depth > MAX_GENERATIONS:
            raise PriorError(f"the prior of {name} is handed on {depth} times; at most {MAX_GENERATIONS} are allowed")
        found.setdefault(depth, []).append(name)
    return [found[depth] for depth in sorted(found)]


def depths(prior_from: Mapping[str, str]) -> dict[str, int]:
    """Return how many times the prior of each category that starts from another one is handed on: 1 or more.

    Raises PriorError, beginning with "the prior of <category> comes round", where a category starts from itself.
    """
    known: dict[str, int] = {}
    for name in sorted(prior_from):
        chain, source = dict[str, None](), name
        while source in prior_from and source not in known:
            if source in chain:
                raise PriorError(f"the prior of {name} comes round to {source} again: {' <- '.join([*chain, source])}")
            chain[source] = None
            source = prior_from[source]
        depth = known.get(source, 0)
        known |= {below: depth + links for links, below in enumerate(reversed(chain), start=1)}
    return known


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
