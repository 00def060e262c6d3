"""The immutable thing that decisions are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bandit.belief import Belief
from bandit.budget import PricedBudget
from bandit.catalogue import Model
from bandit.modes import MAXIMIZE, Mode
from bandit.posterior import Posterior

Floats = NDArray[np.float64]

_P95: Final = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """Settings of `policy`.

    `exploration` scales the standard deviation of the draw and nothing else: 1 is textbook Thompson sampling.
    `floor` is the smallest probability of an eligible model, `caps` the largest one per model id. A model with fewer
    than `canary_observations` outcomes over all categories is capped at `canary_share`; 0 caps none, and where all
    models are new, none is capped. `spreads_unjudged` spreads calls while nobody has judged anything
    (`bandit.unjudged`).
    """

    exploration: float = 0.25
    floor: float = 0.0005
    caps: Mapping[str, float] = field(default_factory=dict)
    canary_share: float = 0.0
    canary_observations: float = 30.0
    modes: Mapping[str, Mode] = field(default_factory=dict)
    spreads_unjudged: bool = True

    def mode(self, category: str) -> Mode:
        """Return how a category chooses; one that is not named does as "default" does."""
        return self.modes.get(category) or self.modes.get("default", MAXIMIZE)


@dataclass(frozen=True, slots=True, eq=False)
class Expectations:
    """What is expected of each model in each category; arrays of shape (C + 1, M), last row an unseen one.

    Means of log-normal quantities are exp(mean + spread / 2): the uncertainty of the mean itself is left out
    on purpose, it would make untried models look slow and dear. `*_variance` is relative for the log-normal ones.
    `input_usd` is the price of a prompt token as the request counts them, `output_usd` that of an answer.
    `outcomes` is the decayed number of outcomes. `doubt` is taken off `answer` where a model is chosen
    (`bandit.unjudged`).
    """

    quality: Floats
    error: Floats
    answer: Floats
    answer_variance: Floats
    latency_s: Floats
    latency_variance: Floats
    latency_p95_s: Floats
    log_latency: Floats
    log_latency_deviation: Floats
    output_tokens: Floats
    output_variance: Floats
    output_usd: Floats
    input_ratio: Floats
    input_variance: Floats
    input_usd: Floats
    outcomes: Floats
    doubt: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Beliefs, models and settings at one revision; equal inputs give equal decisions.

    `prices` has shape (3, M): dollars per prompt token, per cached prompt token, per output token. `caps` are the
    largest probabilities of the models, those of canaries among them; empty where none is below 1.
    """

    posterior: Posterior
    models: tuple[Model, ...]
    settings: PolicySettings
    revision: int
    config_hash: str
    rows: Mapping[str, int]
    expectations: Expectations
    prices: Floats
    caps: tuple[float, ...]
    budgets: tuple[PricedBudget, ...] = ()

    def budget_price(self, category: str, profile: str) -> float:
        """Return what a dollar costs beyond itself: the prices of the budgets that pay for such requests."""
        return sum([one.price for one in self.budgets if one.budget.covers(category, profile)])

    def largest_call_usd(self, category: str, profile: str) -> float:
        """Return what one call may cost at most; infinite where no budget pays for such requests."""
        largest = [one.account.largest_usd for one in self.budgets if one.budget.covers(category, profile)]
        return min(largest, default=float("inf"))

    def exhausted(self, category: str, profile: str) -> PricedBudget | None:
        """Return a budget for such requests whose money is spent, one that refuses them first; None for none."""
        spent = [one for one in self.budgets if one.account.exhausted and one.budget.covers(category, profile)]
        return min(spent, key=lambda one: one.budget.on_exhausted != "refuse", default=None)

    def row(self, category: str) -> int:
        """Return the row of `category`; an unseen one has the last row."""
        return self.rows.get(category, len(self.rows))


def snapshot_of(
    posterior: Posterior,
    models: Sequence[Model],
    settings: PolicySettings,
    *,
    revision: int = 0,
    config_hash: str = "",
) -> Snapshot:
    """Combine what was learned with what is known. Every model must be on the posterior's axis."""
    columns = [posterior.models.index(model.id) for model in models]
    prices = [
        (
            model.prices.input_usd_per_mtok,
            model.prices.cached_or_input_usd_per_mtok,
            model.prices.output_usd_per_mtok,
        )
        for model in models
    ]
    usd_per_token = np.array(prices).reshape(-1, 3).T * 1e-6
    largest_outputs = np.array([float(model.max_output_tokens or np.inf) for model in models])
    spreads = settings.spreads_unjudged
    expectations = _expectations(posterior, columns, usd_per_token, largest_outputs, spreads_unjudged=spreads)
    return Snapshot(
        posterior=posterior,
        models=tuple(models),
        settings=settings,
        revision=revision,
        config_hash=config_hash,
        rows={category: row for row, category in enumerate(posterior.categories)},
        expectations=expectations,
        prices=usd_per_token,
        caps=_caps(models, expectations.outcomes.sum(axis=0).tolist(), settings),
    )


def _caps(models: Sequence[Model], outcomes: Sequence[float], settings: PolicySettings) -> tuple[float, ...]:
    caps = [settings.caps.get(model.id, 1.0) for model in models]
    new = [count < settings.canary_observations for count in outcomes]
    # Where all are new there is nothing that a canary could be held back for.
    if settings.canary_share and any(model.enabled and not new[m] for m, model in enumerate(models)):
        caps = [min(cap, settings.canary_share) if new[m] else cap for m, cap in enumerate(caps)]
    return tuple(caps) if min(caps, default=1.0) < 1.0 else ()


def _expectations(
    posterior: Posterior, columns: list[int], prices: Floats, largest_outputs: Floats, *, spreads_unjudged: bool
) -> Expectations:
    quality, error = _of(posterior.quality, columns), _of(posterior.error, columns)
    latency, output = _of(posterior.latency, columns), _of(posterior.output_tokens, columns)
    ratio = _of(posterior.input_ratio, columns)
    kept = 1.0 - error.mean
    log_latency_deviation = np.sqrt(latency.spread + latency.variance)
    output_tokens, input_ratio = np.minimum(_log_normal_mean(output), largest_outputs), _log_normal_mean(ratio)
    return Expectations(
        quality=quality.mean,
        error=error.mean,
        answer=quality.mean * kept,
        answer_variance=kept**2 * quality.variance + quality.mean**2 * error.variance,
        latency_s=_log_normal_mean(latency),
        latency_variance=latency.variance,
        latency_p95_s=np.exp(latency.mean + _P95 * log_latency_deviation),
        log_latency=latency.mean,
        log_latency_deviation=log_latency_deviation,
        output_tokens=output_tokens,
        output_variance=output.variance,
        output_usd=prices[2] * output_tokens,
        input_ratio=input_ratio,
        input_variance=ratio.variance,
        input_usd=prices[0] * input_ratio,
        outcomes=error.weight,
        doubt=kept * posterior.doubt[:, columns] * spreads_unjudged,
    )


def _of(belief: Belief, columns: list[int]) -> Belief:
    arrays = belief.mean, belief.variance, belief.spread, belief.weight, belief.shift
    return Belief(*(np.ascontiguousarray(array[:, columns]) for array in arrays))


def _log_normal_mean(belief: Belief) -> Floats:
    mean: Floats = np.exp(belief.mean + belief.spread / 2.0)
    return mean
