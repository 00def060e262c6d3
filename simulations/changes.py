"""Worlds like another one but for a model, which stands at place `m`. A world itself never changes."""

from dataclasses import replace

from bandit.catalogue import Model, Prices
from simulations.world import Floats, World


def spoiled(world: World, share: Floats) -> World:
    """Each model's answers have lost a share of their quality; `share` has shape (M,), and 1 leaves nothing."""
    return replace(world, quality=world.quality * (1.0 - share))


def slowed(world: World, m: int, factor: float) -> World:
    """The model takes `factor` times as long."""
    latency_s = world.latency_s.copy()
    latency_s[:, m] *= factor
    return replace(world, latency_s=latency_s)


def repriced(world: World, m: int, factor: float) -> World:
    """Each price of the model is `factor` times as high."""
    old, model = world.models[m].prices, world.models[m]
    cached = old.cached_input_usd_per_mtok
    prices = Prices(
        old.input_usd_per_mtok * factor,
        old.output_usd_per_mtok * factor,
        None if cached is None else cached * factor,
    )
    return _with(world, m, replace(model, prices=prices))


def withdrawn(world: World, m: int) -> World:
    """The model cannot be chosen."""
    return _with(world, m, replace(world.models[m], enabled=False))


def _with(world: World, m: int, model: Model) -> World:
    return replace(world, models=(*world.models[:m], model, *world.models[m + 1 :]))
