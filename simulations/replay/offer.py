"""What is offered to the requests of a log: models at prices, by a policy that learns."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bandit.catalogue import Model, Prices
from bandit.priors import InferenceSettings
from bandit.request import Objective
from bandit.snapshot import PolicySettings
from simulations.errors import OptionsError
from simulations.prices import recovered_prices
from simulations.replay.traffic import Traffic
from simulations.world import TYPICAL_ANSWER

Floats = NDArray[np.float64]

DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class Learner:
    """The service's own core as it would be set up; what it offers is `models`, those of the log where there are none.

    `refresh_s` is the time between two publications of what was learned; 0 publishes before each request. `objective`
    stands in where the log does not say, and a value given beside it counts for every request. `input_tokens` stands
    in, by category or "default", where a request does not say how long its prompt is.
    """

    models: tuple[Model, ...] = ()
    inference: InferenceSettings = field(default_factory=InferenceSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)
    refresh_s: float = 5.0
    bucket_s: float = 10.0
    objective: Objective = field(default_factory=Objective)
    answer_value_usd: float | None = None
    second_value_usd: float | None = None
    input_tokens: Mapping[str, int] = field(default_factory=dict)

    def typical_tokens(self, category: str, otherwise: int) -> int:
        """Return the length of a prompt of a category that nobody told."""
        return self.input_tokens.get(category, self.input_tokens.get(DEFAULT, otherwise))

    def offering(self, models: tuple[Model, ...]) -> "Learner":
        """Return the same with these models on offer."""
        return replace(self, models=models)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What to change about the models: prices in dollars per million tokens, which to offer (all), which not to."""

    prices: Mapping[str, Prices] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


def logged_prices(traffic: Traffic) -> dict[str, Prices]:
    """Return the prices that explain what each model's calls cost; models of which nothing tells are missing.

    A model whose tokens are nowhere known is billed by the call: its mean call has the service's typical answer.
    """
    found = {}
    for number, model in enumerate(traffic.models):
        rows = traffic.model == number
        cost_usd, output = traffic.cost_usd[rows], traffic.output_tokens[rows]
        prices = recovered_prices(cost_usd, traffic.input_tokens[rows], output, traffic.cached_input_tokens[rows])
        if prices is None and np.isfinite(cost_usd).any() and not np.isfinite(output).any():
            prices = Prices(0.0, float(np.nanmean(cost_usd)) / TYPICAL_ANSWER * 1e6)
        if prices is not None:
            found[model] = prices
    return found


def offered(
    traffic: Traffic, models: tuple[Model, ...], what_if: WhatIf, logged: Mapping[str, Prices]
) -> tuple[Model, ...]:
    """Return the models to offer: `models`, or those of the log at `logged` prices, changed as asked.

    Raises OptionsError for a model that is neither, where none is left, and where nothing tells a price.
    """
    known = {model.id: model for model in models} or dict.fromkeys(sorted(traffic.models))
    for option, names in (("--models", what_if.models), ("--without", what_if.without), ("--price", what_if.prices)):
        for name in names:
            if name not in known:
                near = ", ".join(get_close_matches(name, known, n=3) or known)
                raise OptionsError(f"{option} names '{name}', which is not among the models: {near}")
    chosen = [name for name in (what_if.models or known) if name not in what_if.without]
    if not chosen:
        raise OptionsError("no model is left to choose from; name fewer in --without")
    return tuple(_priced(name, known[name], what_if.prices.get(name), logged) for name in chosen)


def _priced(name: str, model: Model | None, asked: Prices | None, logged: Mapping[str, Prices]) -> Model:
    if model is not None:
        return model if asked is None else replace(model, prices=asked)
    prices = asked or logged.get(name)
    if prices is None:
        raise OptionsError(
            f"the log does not tell what a call to {name} costs; give --price {name}=INPUT,OUTPUT in dollars per "
            f"million tokens, or models with prices in a --config file, or leave it out with --without {name}"
        )
    return Model(name, prices)
