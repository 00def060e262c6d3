"""A world that policies can be run in: every outcome of every model on every prompt, and the models' prices.

A call costs tokens x price, as in the service, so the world keeps tokens and prices and derives costs from them.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bandit.catalogue import Model, Prices
from simulations.errors import OptionsError, OutcomesError, UnknownOutcomesError
from simulations.outcomes import NUMBERS, Answer, Outcomes
from simulations.prices import recovered_prices

TYPICAL_ANSWER: Final = 200.0
"""In tokens: what the service expects of an answer before it saw one (`bandit.priors`)."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Outcomes of P prompts in C categories with M models; NaN is unknown.

    `category_of` has shape (P,); `quality` (0 to 1), `latency_s`, `input_tokens` and `output_tokens` have shape
    (P, M). `graded` says that quality has values between 0 and 1, which no thumb can tell; `dropped_prompts` counts
    prompts left out because not every model of the world answered them.
    """

    categories: tuple[str, ...]
    models: tuple[Model, ...]
    prompts: tuple[str, ...]
    category_of: Ints
    quality: Floats
    latency_s: Floats
    input_tokens: Floats
    output_tokens: Floats
    graded: bool = False
    dropped_prompts: int = 0

    @property
    def cost_usd(self) -> Floats:
        """What each call costs; shape (P, M)."""
        prices = np.array([(m.prices.input_usd_per_mtok, m.prices.output_usd_per_mtok) for m in self.models]) * 1e-6
        cost: Floats = self.input_tokens * prices[:, 0] + self.output_tokens * prices[:, 1]
        return cost

    @property
    def requested_tokens(self) -> Floats:
        """Prompt tokens as the caller counts them: the median of the models' counts; shape (P,)."""
        with _unknown_allowed():
            median: Floats = np.nanmedian(self.input_tokens, axis=1)
        return median

    @property
    def prompts_by_category(self) -> tuple[Ints, ...]:
        """Places of each category's prompts."""
        return tuple(np.flatnonzero(self.category_of == c) for c in range(len(self.categories)))

    def means(self, values: Floats) -> Floats:
        """Return the mean of (P, M) values over each category's known ones; shape (C, M), NaN where there are none."""
        with _unknown_allowed():
            return np.stack([np.nanmean(values[prompts], axis=0) for prompts in self.prompts_by_category])


def world_of(outcomes: Outcomes, models: Sequence[str] = ()) -> World:
    """Return the world of these models, all of them by default, with the prompts that each of them answered.

    Prices are recovered from costs and tokens. A model whose tokens are nowhere known is billed by the call: its mean
    call has the tokens of the service's typical answer, so its price says about as much as a list price does.

    Raises OptionsError for an unknown model, OutcomesError where no prompt is left, and UnknownOutcomesError where
    nothing tells what a model costs.
    """
    chosen = _chosen(outcomes, models)
    answers = [answer for answer in outcomes.answers if answer.model in chosen]
    answered = Counter(answer.prompt_id for answer in answers)
    prompts = tuple(sorted(prompt for prompt, count in answered.items() if count == len(chosen)))
    if not prompts:
        raise OutcomesError(f"no prompt was answered by all of {', '.join(chosen)}; choose other models")
    category = {answer.prompt_id: answer.category for answer in answers}
    categories = tuple(sorted({category[prompt] for prompt in prompts}))
    quality, cost_usd, latency_ms, input_tokens, output_tokens = _table(answers, prompts, chosen)
    by_call = np.isnan(input_tokens + output_tokens).all(axis=0)
    input_tokens[:, by_call] = np.where(np.isnan(cost_usd), np.nan, 0.0)[:, by_call]
    with _unknown_allowed():
        output_tokens[:, by_call] = TYPICAL_ANSWER * (cost_usd / np.nanmean(cost_usd, axis=0))[:, by_call]
    return World(
        categories=categories,
        models=tuple(
            Model(model, _prices(model, cost_usd[:, m], input_tokens[:, m], output_tokens[:, m]))
            for m, model in enumerate(chosen)
        ),
        prompts=prompts,
        category_of=np.array([categories.index(category[prompt]) for prompt in prompts]),
        quality=quality,
        latency_s=latency_ms * 1e-3,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        graded=bool(((quality > 0) & (quality < 1)).any()),
        dropped_prompts=len(answered) - len(prompts),
    )


def _chosen(outcomes: Outcomes, models: Sequence[str]) -> tuple[str, ...]:
    known = outcomes.models
    for model in models:
        if model not in known:
            near = get_close_matches(model, known, n=3) or known
            raise OptionsError(f"the table has no model '{model}'; it has {', '.join(near)}")
    if len(set(models)) != len(models):
        raise OptionsError("a model is named twice")
    return tuple(models) or known


def _table(answers: Sequence[Answer], prompts: Sequence[str], models: Sequence[str]) -> Floats:
    row = {prompt: p for p, prompt in enumerate(prompts)}
    column = {model: m for m, model in enumerate(models)}
    table = np.full((len(NUMBERS), len(prompts), len(models)), np.nan)
    for answer in answers:
        if answer.prompt_id in row:
            table[:, row[answer.prompt_id], column[answer.model]] = answer[-len(NUMBERS) :]
    return table


def _prices(model: str, cost_usd: Floats, input_tokens: Floats, output_tokens: Floats) -> Prices:
    prices = recovered_prices(cost_usd, input_tokens, output_tokens)
    if prices is None:
        raise UnknownOutcomesError(f"the table does not tell what a call to {model} costs; leave this model out")
    return prices


class _unknown_allowed(warnings.catch_warnings):  # noqa: N801 -- reads as a statement
    """Statistics of nothing but unknown values are unknown, without a warning."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore", RuntimeWarning)
