"""Worlds drawn from the service's own priors, the definition under which its beliefs can be calibrated.

Each of W worlds is a category: cells of different categories are independent, so one run of the core serves them all.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from bandit.catalogue import Model, Prices
from bandit.evidence import Signal
from bandit.policy import Distribution, policy
from bandit.posterior import infer
from bandit.priors import BetaPrior, InferenceSettings, NormalPrior
from bandit.request import Objective, Request
from bandit.signals import SCALE, THUMB
from bandit.snapshot import PolicySettings, Snapshot, snapshot_of
from bandit.sums import Moments, RowKey, Sums, add_rows, with_axes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OUTPUT_PRICE: Final = 4.0
"""Of a token of the answer, relative to one of the prompt."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """W worlds of K models; parameters of shape (W, K): rates, and means of logarithms whose spread is the prior's."""

    models: tuple[Model, ...]
    categories: tuple[str, ...]
    quality: Floats
    error: Floats
    log_latency: Floats
    log_output: Floats
    log_ratio: Floats

    @classmethod
    def of(cls, worlds: int, models: int, settings: InferenceSettings, rng: np.random.Generator) -> Self:
        """Draw them; input prices from 0.05 to 5 dollars per million tokens, log-uniform."""
        shape = worlds, models
        dollars = 10.0 ** rng.uniform(np.log10(0.05), np.log10(5.0), models)
        return cls(
            models=tuple(Model(f"m{i:02}", Prices(usd, OUTPUT_PRICE * usd)) for i, usd in enumerate(dollars.tolist())),
            categories=tuple(f"w{i:04}" for i in range(worlds)),
            quality=_rates(settings.thumbs, shape, rng),
            error=_rates(settings.error, shape, rng),
            log_latency=_means(settings.latency, shape, rng),
            log_output=_means(settings.output_tokens, shape, rng),
            log_ratio=_means(settings.input_ratio, shape, rng),
        )

    def utility_usd(self, settings: InferenceSettings, objective: Objective, input_tokens: int) -> Floats:
        """Return what each model is truly worth; shape (W, K)."""
        prices = np.array([model.prices.input_usd_per_mtok for model in self.models]) * 1e-6
        tokens: Floats = input_tokens * np.exp(self.log_ratio + settings.input_ratio.spread / 2.0)
        tokens += OUTPUT_PRICE * np.exp(self.log_output + settings.output_tokens.spread / 2.0)
        latency_s = np.exp(self.log_latency + settings.latency.spread / 2.0)
        worth: Floats = objective.answer_value_usd * self.quality * (1.0 - self.error)
        return worth - prices * tokens - objective.second_value_usd * latency_s

    def taught(
        self, w: int, m: int, calls: int, settings: InferenceSettings, rng: np.random.Generator
    ) -> dict[RowKey, Moments]:
        """Draw how `calls` calls go, each judged by a thumb unless it fails; return what they teach."""
        failed = rng.random(calls) < self.error[w, m]
        answered = int(calls - failed.sum())
        values: list[tuple[Signal, str, Floats]] = [
            ("error", "", failed.astype(float)),
            ("quality", THUMB, (rng.random(answered) < self.quality[w, m]).astype(float)),
        ]
        logs: list[tuple[Signal, Floats, NormalPrior]] = [
            ("latency", self.log_latency, settings.latency),
            ("output_tokens", self.log_output, settings.output_tokens),
            ("input_ratio", self.log_ratio, settings.input_ratio),
        ]
        for signal, means, prior in logs:
            values.append((signal, "", rng.normal(means[w, m], prior.spread**0.5, answered)))
        return {
            RowKey(self.categories[w], self.models[m].id, signal, source, 0): _moments(y)
            for signal, source, y in values
            if len(y)
        }


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What was learned after so many requests, and 1 / (K propensity) of every decision; shape (W, T)."""

    snapshot: Snapshot
    inverse_propensities: Floats


def played(
    worlds: Drawn,
    request: Request,
    requests: int,
    per_round: int,
    policy_settings: PolicySettings,
    settings: InferenceSettings,
    rng: np.random.Generator,
) -> Played:
    """Play `requests` in every world, `per_round` from one snapshot; `request` is asked with the world's category."""
    sums = with_axes(Sums.empty(10**7), worlds.categories, [model.id for model in worlds.models])
    snapshot = snapshot_of(infer(sums, 0, settings), worlds.models, policy_settings)
    weights = []
    for start in range(0, requests, per_round):
        count = min(per_round, requests - start)
        rows: dict[RowKey, Moments] = {}
        weights.append(np.empty((len(worlds.categories), count)))
        for w, category in enumerate(worlds.categories):
            chosen, weights[-1][w] = _drawn(policy(snapshot, request._replace(category=category)), count, rng)
            for m, calls in enumerate(np.bincount(chosen).tolist()):
                if calls:
                    rows |= worlds.taught(w, m, calls, settings, rng)
        sums = add_rows(sums, rows)
        snapshot = snapshot_of(infer(sums, 0, settings), worlds.models, policy_settings)
    return Played(snapshot, np.concatenate(weights, axis=1))


def _drawn(distribution: Distribution, count: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
    chosen = np.searchsorted(distribution.cumulative, rng.random(count), side="right")
    return chosen, 1.0 / (np.array(distribution.probabilities)[chosen] * len(distribution.ranking))


def _rates(prior: BetaPrior, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    return rng.beta(prior.mean * prior.weight, (1.0 - prior.mean) * prior.weight, shape)


def _means(prior: NormalPrior, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    return rng.normal(prior.mean, prior.variance**0.5, shape)


def _moments(y: Floats) -> Moments:
    fixed = np.round(y * SCALE)
    return Moments(len(y), int(fixed.sum()), int(np.round(fixed * fixed / SCALE).sum()))
