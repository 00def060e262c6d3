"""ParetoBandit: LinUCB with geometric forgetting, one ridge regression per model.

Its context is one-hot over tasks, with the constant that it expects last; it starts without warm-up. The reward has
the cost in it already, so its penalty on list prices is 0, and without a budget its pacer stays off.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bandit.catalogue import Model
from simulations.peers.course import Course
from simulations.stream import noise


class ParetoSettings(NamedTuple):
    """The bonus of uncertainty, and what an observation weighs one request later; defaults are the package's."""

    alpha: float = 0.01
    forgetting_factor: float = 0.997


class ParetoBandit:
    """The package's own router, asked with vectors instead of prompts."""

    def __init__(self, course: Course, settings: ParetoSettings) -> None:
        self._course = course
        self._settings = settings
        self._router: Any = None

    def offer(self, models: Sequence[Model]) -> None:
        """Register models that are new, take out those that cannot be chosen, and reprice the others."""
        self._places = {model.id: m for m, model in enumerate(models)}
        enabled = {model.id: _listed(model) for model in models if model.enabled}
        if self._router is None:
            self._router = _router(enabled, self._course, self._settings)
            return
        for name in self._router.registry.keys() - enabled.keys():
            del self._router.registry[name]
        for name, listed in enabled.items():
            if name not in self._router.bandit.models:
                self._router.register_model(name, **listed)
            self._router.registry.setdefault(name, dict(listed))
            self._router.update_model_pricing(name, **listed)

    def choose(self, category: int, objective: int) -> tuple[int, str]:
        """Ask for a model."""
        context = np.zeros(self._course.tasks + 1)
        context[[self._course.task(category, objective), -1]] = 1.0
        name, log = self._router.route(context)
        return self._places[name], log.request_id

    def learn(self, ticket: str, reward: float) -> None:
        """Report the reward."""
        self._router.process_feedback(ticket, reward)


def _router(listed: Mapping[str, Mapping[str, float]], course: Course, settings: ParetoSettings) -> Any:
    from pareto_bandit import BanditRouter, FeatureService

    return BanditRouter.create(
        model_registry=listed,
        priors="none",
        feature_service=FeatureService.for_precomputed(course.tasks + 1),
        bandit_seed=int(noise(course.seed).integers(2**31)),
        cost_penalty=0.0,
        alpha=settings.alpha,
        forgetting_factor=settings.forgetting_factor,
    )


def _listed(model: Model) -> dict[str, float]:
    prices = model.prices
    return {"input_cost_per_m": prices.input_usd_per_mtok, "output_cost_per_m": prices.output_usd_per_mtok}
