"""Every category of a world asked in rounds: one distribution for many requests, whose answers are taught together.

It is the service's own core at the pace of one snapshot per round, without the cost of single requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bandit import Snapshot, Sums, infer, policy, snapshot_of
from bandit.errors import InfeasibleError
from bandit.evidence import Signal
from bandit.priors import InferenceSettings
from bandit.request import Limits, Request, quarter_octave
from bandit.signals import SCALE, THUMB
from bandit.snapshot import PolicySettings
from bandit.sums import Moments, RowKey, add_rows, with_axes
from simulations.world import World

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIRST: Final = 20
GROWTH: Final = 0.05
"""Requests of a category in its first round, and of later ones relative to those before."""
UNSAID_TOKENS: Final = 1000
SIGNALS: Final[tuple[tuple[Signal, str], ...]] = (
    ("quality", THUMB),
    ("error", ""),
    ("latency", ""),
    ("output_tokens", ""),
    ("input_ratio", ""),
)


@dataclass(frozen=True, slots=True)
class Round:
    """What happened in a category in a round: requests before it, calls per model, and those that broke the limit.

    `refused` counts requests for which no model was allowed.
    """

    category: int
    before: int
    calls: Ints
    slow: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """What each answer of a world teaches: fixed point of the signals, shape (S, P, M); NaN is unknown."""

    world: World
    values: Floats
    requests: tuple[Request, ...]

    @classmethod
    def of(cls, world: World, limits: Sequence[Limits]) -> "Lessons":
        """Compute them, with the request that is asked in each category."""
        requested = world.requested_tokens
        values = np.stack(
            [
                np.round(world.quality),
                np.zeros_like(world.quality),
                np.log(world.latency_s),
                np.log(np.maximum(world.output_tokens, 1.0)),
                np.log(world.input_tokens / requested[:, None]),
            ]
        )
        typical = [float(np.nanmedian(requested[prompts])) for prompts in world.prompts_by_category]
        everyone = (1 << len(world.models)) - 1
        requests = tuple(
            Request(name, everyone, quarter_octave(round(tokens)), limits=limit)
            for name, tokens, limit in zip(world.categories, typical, limits, strict=True)
        )
        return cls(world, np.round(values * SCALE), requests)

    def of_calls(self, c: int, m: int, prompts: Ints) -> dict[RowKey, Moments]:
        """Return what these answers teach."""
        rows: dict[RowKey, Moments] = {}
        for (signal, source), values in zip(SIGNALS, self.values[:, prompts, m], strict=True):
            y = values[np.isfinite(values)]
            if len(y):
                moments = Moments(len(y), int(y.sum()), int(np.round(y * y / SCALE).sum()))
                rows[RowKey(self.world.categories[c], self.world.models[m].id, signal, source, 0)] = moments
        return rows


def played(
    world: World, settings: PolicySettings, requests: int, rng: np.random.Generator, limits: Sequence[Limits]
) -> list[Round]:
    """Play `requests` of every category, under its limits; prompts are drawn with replacement."""
    lessons, models = Lessons.of(world, limits), [model.id for model in world.models]
    sums = with_axes(Sums.empty(10**7), world.categories, models)
    asked, rounds = 0, []
    while asked < requests:
        snapshot = snapshot_of(infer(sums, 0, InferenceSettings()), world.models, settings)
        count = min(max(FIRST, round(asked * GROWTH)), requests - asked)
        rows: dict[RowKey, Moments] = {}
        for c in range(len(world.categories)):
            found, taught = _round(lessons, snapshot, c, (asked, count), rng)
            rounds.append(found)
            rows |= taught
        sums, asked = add_rows(sums, rows), asked + count
    return rounds


def _round(
    lessons: Lessons, snapshot: Snapshot, c: int, size: tuple[int, int], rng: np.random.Generator
) -> tuple[Round, dict[RowKey, Moments]]:
    before, count = size
    world, request = lessons.world, lessons.requests[c]
    try:
        probabilities = np.array(policy(snapshot, request).probabilities)
    except InfeasibleError:
        return Round(c, before, np.zeros(len(world.models), np.int64), refused=count), {}
    calls = rng.multinomial(count, probabilities / probabilities.sum())
    slow = 0
    rows: dict[RowKey, Moments] = {}
    for m in np.flatnonzero(calls).tolist():
        prompts = world.prompts_by_category[c]
        drawn = prompts[rng.integers(len(prompts), size=calls[m])]
        rows |= lessons.of_calls(c, m, drawn)
        if request.limits.max_latency_s is not None:
            slow += int((world.latency_s[drawn, m] > request.limits.max_latency_s).sum())
    return Round(c, before, calls, slow), rows
