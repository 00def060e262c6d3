"""The world that invented logs are drawn from: for each (category, model), the laws of its calls and their exact means.

Sizes and times are lognormal, an answer is good with probability sigmoid(ease - hardness), where the hardness of a
session is normal with deviation `PROMPT_HARDNESS`. Token counts are rounded up or down at random, so that rounding
changes no mean. A failed call is not billed, is never judged, and takes as long as the wait for a first token.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from bandit.request import Objective
from simulations.generator import PROMPT_HARDNESS, SPECIALITY, InventedModel, Task

Floats = NDArray[np.float64]

LENGTH: Final = 0.5
"""Deviation of the logarithm of a prompt's tokens; the next ones are those of other logarithms."""
COUNTING: Final = 0.02
WRITING: Final = 0.35
WAITING: Final = 0.25
PACE: Final = 0.2
_FIGURES: Final = ("quality", "error_rate", "cost_usd", "latency_s")
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(80)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Exact means of a call; arrays of shape (C, M).

    `quality` is the probability that an answer is good, of those that are answered; `error_rate` that a call fails.
    `cost_usd` and `latency_s` are means over all calls, failed ones included. `shares` of shape (C,) tell how often a
    category occurs.
    """

    categories: tuple[str, ...]
    models: tuple[str, ...]
    shares: Floats
    quality: Floats
    error_rate: Floats
    cost_usd: Floats
    latency_s: Floats

    def values_usd(self, objective: Objective) -> Floats:
        """Return what a call is worth, in dollars: V * quality * (1 - error) - cost - second_value * latency."""
        answers: Floats = objective.answer_value_usd * self.quality * (1.0 - self.error_rate)
        return answers - self.cost_usd - objective.second_value_usd * self.latency_s

    def as_json(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return the means by category, model and name."""
        figures = {name: getattr(self, name).tolist() for name in _FIGURES}
        return {
            category: {model: {name: figures[name][c][m] for name in _FIGURES} for m, model in enumerate(self.models)}
            for c, category in enumerate(self.categories)
        }


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Laws of the calls of C categories to M models: medians and probabilities, arrays of shape (C, M) unless told.

    `ease` is in logits of a good answer; `requested_tokens` of shape (C,) counts a prompt as its caller does.
    `usd_per_token` has shape (2, M), for tokens of prompt and answer.
    """

    categories: tuple[str, ...]
    models: tuple[str, ...]
    ease: Floats
    error_rate: Floats
    requested_tokens: Floats
    input_tokens: Floats
    output_tokens: Floats
    first_token_s: Floats
    s_per_token: Floats
    usd_per_token: Floats

    @classmethod
    def of(cls, seed: int, models: Sequence[InventedModel], tasks: Sequence[Task], error_share: float) -> Self:
        """Draw a world: what each model is good at, and how often it fails, between half and 1.5 of `error_share`."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(5,)))
        shape = len(tasks), len(models)
        skill, first_token_s, tokens_per_s, verbosity, tokenizer = np.array(
            [(m.skill, m.first_token_s, m.tokens_per_s, m.verbosity, m.tokenizer) for m in models]
        ).T
        difficulty, prompt, answer = np.array([(t.difficulty, t.input_tokens, t.output_tokens) for t in tasks]).T
        prices = [(m.prices.input_usd_per_mtok, m.prices.output_usd_per_mtok) for m in models]
        return cls(
            categories=tuple(task.category for task in tasks),
            models=tuple(model.id for model in models),
            ease=skill + rng.normal(0.0, SPECIALITY, shape) - difficulty[:, None],
            error_rate=error_share * rng.uniform(0.5, 1.5, shape),
            requested_tokens=prompt,
            input_tokens=prompt[:, None] * tokenizer,
            output_tokens=answer[:, None] * verbosity * tokenizer,
            first_token_s=np.broadcast_to(first_token_s, shape),
            s_per_token=np.broadcast_to(1.0 / tokens_per_s, shape),
            usd_per_token=np.array(prices).T * 1e-6,
        )

    @property
    def truth(self) -> Truth:
        """The exact means: closed forms, and for quality a quadrature of 80 nodes."""
        answered = 1.0 - self.error_rate
        good = 1.0 / (1.0 + np.exp(PROMPT_HARDNESS * _NODES - self.ease[:, :, None]))
        input_tokens = self.input_tokens * _mean_factor(math.hypot(LENGTH, COUNTING))
        output_tokens = self.output_tokens * _mean_factor(WRITING)
        waiting_s = self.first_token_s * _mean_factor(WAITING)
        writing_s = output_tokens * self.s_per_token * _mean_factor(PACE)
        return Truth(
            categories=self.categories,
            models=self.models,
            shares=np.full(len(self.categories), 1.0 / len(self.categories)),
            quality=good @ (_WEIGHTS / _WEIGHTS.sum()),
            error_rate=self.error_rate,
            cost_usd=answered * (input_tokens * self.usd_per_token[0] + output_tokens * self.usd_per_token[1]),
            latency_s=waiting_s + answered * writing_s,
        )


def _mean_factor(deviation: float) -> float:
    """Return the mean of a lognormal quantity whose median is 1."""
    return math.exp(0.5 * deviation * deviation)
