"""ParetoBandit's router with its budget pacer, as its own demonstration runs it: told what each call really cost.

Its context is one-hot over categories, with the constant that it expects last. It starts cold: with the settings that
its authors found best for that, and with two that explore more and forget nothing.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bandit.catalogue import Model
from simulations.regimes import regimes_of
from simulations.scenario import Scenario
from simulations.stream import Stream, noise
from simulations.world import World

Ints = NDArray[np.int64]


class Variant(NamedTuple):
    """The bonus of uncertainty, and what an observation weighs one request later."""

    alpha: float
    forgetting_factor: float


VARIANTS: Final = (Variant(0.05, 0.997), Variant(0.5, 1.0), Variant(1.0, 1.0))


def is_installed() -> bool:
    return find_spec("pareto_bandit") is not None


def choices(world: World, scenario: Scenario, stream: Stream, variant: Variant) -> Ints:
    """Return the model that it chooses for each request; shape (T,)."""
    places = {model.id: m for m, model in enumerate(world.models)}
    router = _router(world, scenario.usd_per_request or 0.0, variant, stream.seed)
    contexts = np.eye(len(world.categories) + 1)
    contexts[:, -1] = 1.0
    chosen = []
    for regime in regimes_of(world, scenario):
        for model in regime.world.models:
            router.update_model_pricing(model.id, **_listed(model))
        cost_usd, quality = regime.world.cost_usd, regime.world.quality
        span = slice(regime.start, regime.end)
        for category, prompt in zip(stream.categories[span].tolist(), stream.prompts[span].tolist(), strict=True):
            name, log = router.route(contexts[category])
            m = places[name]
            if np.isfinite(cost_usd[prompt, m]):
                log.cost_usd = float(cost_usd[prompt, m])
            router.process_feedback(log.request_id, reward=float(quality[prompt, m]))
            chosen.append(m)
    return np.array(chosen)


def _router(world: World, budget_usd: float, variant: Variant, seed: int) -> Any:
    package, pacing = import_module("pareto_bandit"), import_module("pareto_bandit.budget_pacer")
    return package.BanditRouter.create(
        model_registry={model.id: _listed(model) for model in world.models},
        priors="none",
        feature_service=package.FeatureService.for_precomputed(len(world.categories) + 1),
        bandit_seed=int(noise(seed).integers(2**31)),
        cost_penalty=0.0,
        alpha=variant.alpha,
        forgetting_factor=variant.forgetting_factor,
        budget_pacer=pacing.BudgetPacer(target_avg_spend_usd=budget_usd, mode=pacing.PacingMode.ADAPTIVE),
    )


def _listed(model: Model) -> dict[str, float]:
    prices = model.prices
    return {"input_cost_per_m": prices.input_usd_per_mtok, "output_cost_per_m": prices.output_usd_per_mtok}
