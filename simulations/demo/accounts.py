"""What choices are worth in the mean, which leaves the luck of single answers out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.request import Objective
from simulations.values import expected_values
from simulations.world import World

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Means of an answer in the world, which no client knows; arrays of shape (C, M), NaN where unknown.

    `value_usd` is what it is worth: answer value x quality - cost - second value x latency.
    """

    models: tuple[str, ...]
    value_usd: Floats
    cost_usd: Floats
    quality: Floats
    latency_s: Floats


@dataclass(frozen=True, slots=True)
class Account:
    """Means per request of a policy; None is unknown.

    `model` is the one that the policy always chooses, empty where it chooses several. `score` is 0 for random and 100
    for the best model of every category, None where models do not differ.
    """

    model: str
    value_usd: float
    score: float | None
    cost_usd: float | None
    quality: float | None
    latency_s: float | None


def truth_of(world: World, objective: Objective) -> Truth:
    """Return the means of a world. Raises UnknownOutcomesError where one that counts is known for no prompt."""
    return Truth(
        models=tuple(model.id for model in world.models),
        value_usd=expected_values(world, [objective])[0] * objective.answer_value_usd,
        cost_usd=world.means(world.cost_usd),
        quality=world.means(world.quality),
        latency_s=world.means(world.latency_s),
    )


def chosen_shares(categories: Ints, models: Ints, shape: tuple[int, ...]) -> Floats:
    """Return the share of requests that each (category, model) has; shape (C, M)."""
    counts = np.zeros(shape)
    np.add.at(counts, (categories, models), 1.0)
    shares: Floats = counts / len(models)
    return shares


def account(truth: Truth, shares: Floats) -> Account:
    """Return what choices are worth, given the share of requests of each (category, model)."""
    requests = shares.sum(axis=1, keepdims=True)
    value, random, oracle = (
        float((weights * truth.value_usd).sum())
        for weights in (shares, _random(truth, requests), _oracle(truth, requests))
    )
    differ = oracle - random > 1e-12 * abs(oracle)
    used = np.flatnonzero(shares.any(axis=0))
    return Account(
        model=truth.models[used[0]] if len(used) == 1 else "",
        value_usd=value,
        score=100.0 * (value - random) / (oracle - random) if differ else None,
        cost_usd=_mean(shares, truth.cost_usd),
        quality=_mean(shares, truth.quality),
        latency_s=_mean(shares, truth.latency_s),
    )


def rivals(truth: Truth, shares: Floats) -> Mapping[str, Account]:
    """Return what others are worth on the same requests, by name.

    The fixed models are the cheapest and the dearest per call, and the one that turns out best over these requests;
    the oracle knows the best model of every category.
    """
    requests = shares.sum(axis=1, keepdims=True)
    cost, value = (requests * truth.cost_usd).sum(axis=0), (requests * truth.value_usd).sum(axis=0)
    chosen = {
        "oracle": _oracle(truth, requests),
        "best-fixed": _always(int(value.argmax()), truth, requests),
        "dearest": _always(int(cost.argmax()), truth, requests),
        "cheapest": _always(int(cost.argmin()), truth, requests),
        "random": _random(truth, requests),
    }
    return {name: account(truth, weights) for name, weights in chosen.items()}


def _random(truth: Truth, requests: Floats) -> Floats:
    return np.broadcast_to(requests / len(truth.models), truth.value_usd.shape)


def _oracle(truth: Truth, requests: Floats) -> Floats:
    best = truth.value_usd.argmax(axis=1)[:, None]
    return np.where(np.arange(len(truth.models)) == best, requests, 0.0)


def _always(model: int, truth: Truth, requests: Floats) -> Floats:
    return np.where(np.arange(len(truth.models)) == model, requests, 0.0)


def _mean(shares: Floats, table: Floats) -> float | None:
    """Return the mean over all requests; None where one of them is unknown."""
    mean = float(np.where(shares > 0, shares * table, 0.0).sum())
    return None if np.isnan(mean) else mean
