"""What it costs that replicas know late what was said: the score of four beside that of one server.

    python -m benchmarks.staleness [--data FOLDER] [--steps 4500] [--seeds 8]

The stationary scenario of `benchmarks.learning`, at several paces. Replicas take requests in turn. What is said of an
answer is stored at once; each replica looks at the store every half a second and publishes what it read every half a
second, both at times of its own, so it decides by what is up to a second old. One server learns what it is told without
looking, and publishes every half a second too. Scores: 0 is random, 100 the best model of each category.
"""

import argparse
import json
import math
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bandit import Distribution, Event, Sums, draw, events_of, record
from bandit.priors import InferenceSettings
from bandit.request import Objective, Request, quarter_octave
from bandit.signals import SCORE_PREFIX, DecisionFacts, Kind
from bandit.snapshot import PolicySettings
from bandit.sums import with_axes
from benchmarks.learning import NAMED, TABLE
from simulations.arrivals import evenly
from simulations.core import Core
from simulations.generator import generate
from simulations.outcomes import read_outcomes
from simulations.parallel import run_all
from simulations.progress import shown_progress
from simulations.purse import TYPICAL_PROMPT
from simulations.reports import QUALITY_SCORE, reports
from simulations.results import Referee
from simulations.scenario import Scenario, scenario_of
from simulations.stream import Stream, stream_of
from simulations.world import World, world_of

REPLICAS: Final = 4
PACES: Final = (1.0, 20.0, 100.0)
"""Requests per second of a category."""

SYNC_US: Final = 500_000
REFRESH_US: Final = 500_000
BUCKET_US: Final = 10_000_000

Ints = NDArray[np.int64]


class Memory:
    """What was said, in order, and when it was stored."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._stored_us: list[int] = []

    def store(self, events: Sequence[Event], now_us: int) -> None:
        """Keep what was said."""
        self._events += events
        self._stored_us += [now_us] * len(events)

    def count(self, before_us: int) -> int:
        """Return how much was stored before a time."""
        return bisect_left(self._stored_us, before_us)

    def events(self, first: int, end: int) -> Sequence[Event]:
        """Return a part of what was said."""
        return self._events[first:end]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a replica publishes and when it looks, in microseconds after whole periods; None: it need not look."""

    published_us: int
    looked_us: int | None = None

    def last_published_us(self, now_us: int) -> int:
        """Return when it published last."""
        return _last(now_us, self.published_us, REFRESH_US)

    def last_looked_us(self, now_us: int) -> int:
        """Return when it saw last what was stored."""
        return now_us if self.looked_us is None else _last(now_us, self.looked_us, SYNC_US)


def _last(now_us: int, phase_us: int, period_us: int) -> int:
    return now_us - (now_us - phase_us) % period_us


class Replica:
    """Decides by what it read of a memory and published."""

    def __init__(self, world: World, memory: Memory, rhythm: Rhythm) -> None:
        self._memory = memory
        self._rhythm = rhythm
        self._core = Core(world.models, _inference(world), PolicySettings())
        self._sums = with_axes(Sums.empty(BUCKET_US), world.categories, [model.id for model in world.models])
        self._known = 0
        self._publish(0)

    def distribution(self, request: Request, now_us: int) -> Distribution:
        """Return the choice probabilities of a request, from what was published last."""
        due_us = self._rhythm.last_published_us(now_us)
        if due_us > self._published_us:
            self._publish(due_us)
        return self._core.distribution(request)

    def _publish(self, now_us: int) -> None:
        seen = self._memory.count(self._rhythm.last_looked_us(now_us))
        self._sums = record(self._sums, self._memory.events(self._known, seen))
        self._core.publish(self._sums, now_us)
        self._known, self._published_us = seen, now_us


def choices(world: World, scenario: Scenario, stream: Stream, rhythms: Sequence[Rhythm]) -> Ints:
    """Return the model that replicas of these rhythms choose for each request, in turn; shape (T,)."""
    memory = Memory()
    replicas = [Replica(world, memory, rhythm) for rhythm in rhythms]
    every = (1 << len(world.models)) - 1
    chosen = []
    for number, (prompt, now_us) in enumerate(zip(stream.prompts.tolist(), stream.time_us.tolist(), strict=True)):
        category = world.categories[world.category_of[prompt]]
        asked = float(world.requested_tokens[prompt])
        tokens = None if math.isnan(asked) else round(asked)
        request = Request(category, every, quarter_octave(tokens or TYPICAL_PROMPT), scenario.objectives[0])
        distribution = replicas[number % len(replicas)].distribution(request, now_us)
        model = draw(distribution, _Drawn(float(stream.uniforms[number]))).position
        decision = DecisionFacts(category, world.models[model].id, Kind.SAMPLED, now_us, tokens)
        memory.store([e for fact in reports(world, prompt, model) for e in events_of(decision, fact)], now_us)
        chosen.append(model)
    return np.array(chosen)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A uniform number that was drawn before, so that one and many meet the same."""

    number: float

    def random(self) -> float:
        return self.number


def _inference(world: World) -> InferenceSettings:
    settings = InferenceSettings()
    if not world.graded:
        return settings
    return replace(settings, quality_sources=dict.fromkeys(world.categories, SCORE_PREFIX + QUALITY_SCORE))


def many(seed: int) -> list[Rhythm]:
    """Draw when each of the replicas publishes and looks."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(4,)))
    times = rng.integers((REFRESH_US, SYNC_US), size=(REPLICAS, 2)).tolist()
    return [Rhythm(published, looked) for published, looked in times]


def measured(world: World, pace: float, steps: int, seeds: int, workers: int) -> tuple[list[float], list[float]]:
    """Return the scores of one server and of the replicas, seed by seed, at a pace."""
    scenario = replace(
        scenario_of("stationary", Objective(), steps), arrivals=evenly(steps, pace * len(world.categories))
    )
    streams = [stream_of(world, scenario, seed) for seed in range(seeds)]
    referee = Referee.of(world, scenario, streams)
    runs: list[Callable[[], Ints]] = [
        *(partial(choices, world, scenario, stream, [Rhythm(0)]) for stream in streams),
        *(partial(choices, world, scenario, stream, many(stream.seed)) for stream in streams),
    ]
    with shown_progress(Console(stderr=True), f"{pace:g} requests a second of a category") as progress:
        found = list(run_all(runs, workers, progress))
    one, four = (list(referee.judge(np.stack(part)).score.by_seed) for part in (found[:seeds], found[seeds:]))
    return one, four


def figures(world: World, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield what is published: medians over seeds."""
    for pace in options.paces:
        one, four = measured(world, pace, options.steps, options.seeds, options.workers)
        print(f"pace {pace:g}: one {one}, {REPLICAS} {four}", file=sys.stderr)
        where = f"{pace:g}_per_s"
        ratio = median(of_four / of_one for of_one, of_four in zip(one, four, strict=True))
        yield {"name": f"staleness.{where}.score_of_one", "value": round(median(one), 2), "unit": "points"}
        yield {"name": f"staleness.{where}.score_of_{REPLICAS}", "value": round(median(four), 2), "unit": "points"}
        yield {
            "name": f"staleness.{where}.ratio",
            "value": round(ratio, 4),
            "unit": "",
            "ratio_to": "one server's score",
        }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what staleness costs.")
    parser.add_argument("--data", type=Path, help=f"folder with {TABLE}; else an invented table")
    parser.add_argument("--steps", type=int, default=4500, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0: one per processor")
    parser.add_argument("--paces", type=float, nargs="+", default=PACES, help="requests per second of a category")
    options = parser.parse_args()
    world = world_of(read_outcomes(options.data / TABLE), NAMED) if options.data else world_of(generate(0))
    command = f"python -m benchmarks.staleness --steps {options.steps} --seeds {options.seeds}"
    command += " --data DATA" if options.data else ""
    print(json.dumps([{**figure, "command": command} for figure in figures(world, options)], indent=1))


if __name__ == "__main__":
    main()
