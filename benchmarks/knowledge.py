"""What an operator's knowledge is worth, how fast wrong knowledge washes out, and what a judge adds to sparse thumbs.

With `--data FOLDER` on `bfcl_dev.parquet`, pools of ten models; without it on invented tables, which say less. Scores:
0 is random, 100 the best model of each category. Differences are paired by seed, each with its standard error.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from adapters.traffic.calls import Call
from adapters.traffic.lessons import lessons_of
from adapters.traffic.log import CallLog
from bandit import Sums, events_of, infer, record
from bandit.priors import InferenceSettings, ModelPrior, PastCell
from bandit.request import Objective
from bandit.signals import DecisionFacts, Kind, Outcome, Status
from benchmarks.learning import NAMED, TABLE, drawn_pool
from simulations.generator import generate
from simulations.judge import Judge
from simulations.outcomes import read_outcomes
from simulations.parallel import run_all
from simulations.progress import shown_progress
from simulations.results import PolicyResult, Referee
from simulations.roles import named
from simulations.scenario import Phase, Scenario, scenario_of
from simulations.service import ServiceSettings, service_choices
from simulations.stream import Stream, stream_of
from simulations.values import expected_values
from simulations.world import World, world_of

COMMAND: Final = "python -m benchmarks.knowledge"
POOL_SEEDS: Final = (1,)
INVENTED_SEEDS: Final = (0, 1)
WINDOWS: Final = 9
NEWEST: Final = "first 800 in new categories"
SHARE: Final = 0.02
PAST_CALLS: Final = 600
HALF_LIFE: Final = InferenceSettings().knowledge_half_life
ALIKE: Final[Mapping[str, str]] = {
    "executable_multiple_function": "multiple_function",
    "executable_parallel_function": "parallel_function",
    "executable_parallel_multiple_function": "parallel_multiple_function",
    "executable_simple": "simple",
    "java": "javascript",
    "javascript": "java",
    "multiple_function": "simple",
    "parallel_function": "parallel_multiple_function",
    "parallel_multiple_function": "parallel_function",
    "relevance": "simple",
    "rest": "executable_simple",
    "simple": "multiple_function",
}
"""The category that an operator would start from, who knows no more than the names."""

Floats = NDArray[np.float64]
Figure = dict[str, object]
Settings = Callable[[World, Stream], ServiceSettings]
"""What is known beforehand, for the requests of a seed."""


@dataclass(frozen=True, slots=True)
class Study:
    """What is compared with what, in which scenario, and which phase of it counts."""

    title: str
    scenario: Scenario
    phase: Phase
    variants: Mapping[str, Settings]


def played(
    world: World, study: Study, seeds: Sequence[int], workers: int, half_life: float = HALF_LIFE
) -> dict[str, PolicyResult]:
    """Play every variant on the same requests, with knowledge of this half-life."""
    asked = named(world, study.scenario)
    streams = [stream_of(world, asked, seed) for seed in seeds]
    referee = Referee.of(world, asked, streams)
    tasks = [
        partial(service_choices, world, asked, stream, lasting(settings(world, stream), half_life))
        for settings in study.variants.values()
        for stream in streams
    ]
    with shown_progress(Console(stderr=True), study.title) as progress:
        chosen = run_all(tasks, workers, progress)
    return {
        name: referee.judge(np.stack(chosen[i * len(streams) : (i + 1) * len(streams)]))
        for i, name in enumerate(study.variants)
    }


def lasting(settings: ServiceSettings, half_life: float) -> ServiceSettings:
    return replace(settings, inference=replace(settings.inference, knowledge_half_life=half_life))


def plain(world: World, stream: Stream) -> ServiceSettings:  # noqa: ARG001
    return ServiceSettings()


def with_scores(weight: float, world: World, stream: Stream) -> ServiceSettings:  # noqa: ARG001
    """Return settings that know of every model what a leaderboard says: its mean quality."""
    quality = np.clip(np.nanmean(world.means(world.quality), axis=0), 0.01, 0.99)
    return _knowing(
        models={
            model.id: ModelPrior(quality=float(one), quality_weight=weight)
            for model, one in zip(world.models, quality, strict=True)
        }
    )


def with_a_wrong_score(quality: float, place: int, world: World, stream: Stream) -> ServiceSettings:  # noqa: ARG001
    """Return settings with one wrong score, as sure as may be: `place` 0 is the worst model, -1 the best."""
    worth = expected_values(world, [Objective()])[0].mean(axis=0)
    model = world.models[int(worth.argsort()[place])].id
    return _knowing(models={model: ModelPrior(quality=quality, quality_weight=20.0)})


def with_a_log(world: World, stream: Stream) -> ServiceSettings:
    """Return settings that know a log of calls to models drawn at random, in all categories."""
    return _knowing(warm_start=past(world, stream.seed))


def with_sources(world: World, stream: Stream) -> ServiceSettings:
    """Return settings in which new categories start from one that is alike, as far as names tell."""
    new = {world.categories[c] for c in np.unique(stream.categories[stream.in_new_category]).tolist()}
    known = [name for name in world.categories if name not in new]
    choices = {name: [ALIKE.get(name, ""), "simple", "multiple_function", *known] for name in new}
    return _knowing(prior_from={name: next(one for one in choices[name] if one in known) for name in sorted(new)})


def judged_by(source: str, error: float, world: World, stream: Stream) -> ServiceSettings:
    """Return settings with a judge of every answer, and the source of quality that counts."""
    sources = dict.fromkeys(world.categories, source)
    judge = Judge.of(world, stream.seed, error=error)
    return replace(_knowing(quality_sources=sources), judge=judge)


def _knowing(**knowledge: object) -> ServiceSettings:
    return ServiceSettings(inference=replace(InferenceSettings(), **knowledge))  # type: ignore[arg-type]


def past(world: World, seed: int) -> tuple[PastCell, ...]:
    """Return what a log of `PAST_CALLS` calls says."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(5,)))
    categories = rng.integers(len(world.categories), size=PAST_CALLS)
    models = rng.integers(len(world.models), size=PAST_CALLS)
    prompts = [rng.choice(world.prompts_by_category[c]) for c in categories.tolist()]
    calls = [
        Call(
            category=world.categories[c],
            model=world.models[m].id,
            quality=_known(world.quality[p, m]),
            latency_s=_known(world.latency_s[p, m]),
            output_tokens=None if np.isnan(world.output_tokens[p, m]) else round(float(world.output_tokens[p, m])),
            status=Status.OK,
        )
        for c, m, p in zip(categories.tolist(), models.tolist(), prompts, strict=True)
    ]
    return lessons_of(CallLog(calls)).cells


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def studies(steps: int) -> Iterator[Study]:
    whole = Phase("all", 0, steps)
    stationary = scenario_of("stationary", Objective(), steps)
    bounds = [steps * i // WINDOWS for i in range(WINDOWS + 1)]
    windows = tuple(Phase(str(i), bounds[i], bounds[i + 1]) for i in range(WINDOWS))
    yield Study(
        "knowledge of models",
        replace(stationary, phases=(whole, *windows)),
        whole,
        {
            "nothing known": plain,
            "scores worth 5": partial(with_scores, 5.0),
            f"a log of {PAST_CALLS} calls": with_a_log,
            "best model said to be .3": partial(with_a_wrong_score, 0.3, -1),
            "worst model said to be .95": partial(with_a_wrong_score, 0.95, 0),
        },
    )
    added = scenario_of("category-added", Objective(), steps)
    newest = next(phase for phase in added.phases if phase.name == NEWEST)
    yield Study(
        "new categories, their first 800 requests",
        added,
        newest,
        {
            "nothing known": plain,
            "prior_from": with_sources,
            "scores worth 5": partial(with_scores, 5.0),
            f"a log of {PAST_CALLS} calls": with_a_log,
        },
    )
    fused = "thumb+score:judge"
    yield Study(
        "thumbs on 2 %, a judge on all",
        stationary.reporting(None, SHARE),
        whole,
        {
            "thumbs and judge": partial(judged_by, fused, 0.05),
            "thumbs alone": partial(judged_by, "thumb", 0.05),
            "judge alone": partial(judged_by, "score:judge", 0.05),
            "any": partial(judged_by, "any", 0.05),
        },
    )
    yield Study(
        "thumbs on 30 %, a judge who is off by .2",
        stationary.reporting(None, 0.3),
        whole,
        {
            "thumbs and judge": partial(judged_by, fused, 0.2),
            "thumbs alone": partial(judged_by, "thumb", 0.2),
            "judge alone": partial(judged_by, "score:judge", 0.2),
        },
    )


def figures_of(study: Study, results: Sequence[Mapping[str, PolicyResult]]) -> Iterator[Figure]:
    """Yield each variant's score and its lead over the first one; means over pools, errors over seeds."""
    first, *others = study.variants
    for name in study.variants:
        yield from mean_figures(f"{study.title}: score with {name}", scores(results, name, study.phase))
    for name in others:
        lead = scores(results, name, study.phase) - scores(results, first, study.phase)
        yield from mean_figures(f"{study.title}: {name} against {first}", lead)
        windows = [phase for phase in study.scenario.phases if phase.name.isdecimal()]
        if windows:
            lags = [(scores(results, name, one) - scores(results, first, one)).mean() for one in windows]
            behind = [one.end for one, lag in zip(windows, lags, strict=True) if lag < -2.0]
            yield {
                "name": f"{study.title}: requests until {name} is within 2 points of {first} for good",
                "value": max(behind, default=0),
                "unit": "requests",
            }


def scores(results: Sequence[Mapping[str, PolicyResult]], name: str, phase: Phase) -> Floats:
    """Return the scores of a variant in a phase, means over pools; shape (N,)."""
    by_pool = [one[name].phases[phase].by_seed for one in results]
    mean: Floats = np.mean(np.array(by_pool), axis=0)
    return mean


def mean_figures(name: str, by_seed: Floats) -> Iterator[Figure]:
    yield {"name": name, "value": round(float(by_seed.mean()), 2), "unit": "points"}
    if len(by_seed) > 1:
        error = float(by_seed.std(ddof=1)) / len(by_seed) ** 0.5
        yield {"name": f"{name}: standard error", "value": round(error, 2), "unit": "points"}


def of_one_absurd_latency() -> Iterator[Figure]:
    """Yield what one latency of an hour does among ten of a second, as it is and if it were an ordinary observation."""
    decision = DecisionFacts("chat", "model", Kind.SAMPLED, 0)
    told = [events_of(decision, Outcome(Status.OK, latency_us)) for latency_us in [10**6] * 10 + [3600 * 10**6]]
    latencies = [event for events in told for event in events if event.signal == "latency"]
    calm, *others = (
        infer(record(Sums.empty(10_000_000), events), 0, InferenceSettings()).latency
        for events in (latencies[:10], latencies, [event._replace(source="") for event in latencies])
    )
    for where, belief in zip(("as it is", "counted as ordinary"), others, strict=True):
        moved = belief.mean.item(0) - calm.mean.item(0)
        spread = belief.spread.item(0) - calm.spread.item(0)
        name = f"one latency of an hour among ten of a second, {where}"
        yield {"name": f"{name}: ln latency moves by", "value": round(moved, 3), "unit": "nats"}
        factor = float(np.exp(moved + spread / 2))
        yield {"name": f"{name}: expected latency is multiplied by", "value": round(factor, 2), "unit": "times"}


def worlds(data: Path | None) -> Iterator[World]:
    if data is None:
        for seed in INVENTED_SEEDS:
            yield world_of(generate(seed))
        return
    outcomes = read_outcomes(data / TABLE)
    yield world_of(outcomes, NAMED)
    for seed in POOL_SEEDS:
        yield world_of(outcomes, drawn_pool(outcomes.models, seed))


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Measure what knowledge is worth.")
    parser.add_argument("--data", type=Path, help=f"folder with {TABLE}")
    parser.add_argument("--steps", type=int, default=4500, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=0, help="processes; default: one per core")
    parser.add_argument("--pools", type=int, default=2, help="tables or pools of models, of 2; default: %(default)s")
    parser.add_argument("--half-life", type=float, default=HALF_LIFE, help="of knowledge; default: %(default)s")
    parser.add_argument("--only", default="", metavar="WORDS", help="only studies whose titles have these words")
    options = parser.parse_args()
    places = [*islice(worlds(options.data), options.pools)]
    figures = [*of_one_absurd_latency()]
    for study in studies(options.steps):
        if options.only in study.title:
            seeds = range(options.seeds)
            results = [played(world, study, seeds, options.workers, options.half_life) for world in places]
            figures += figures_of(study, results)
    command = f"{COMMAND} --data DATA" if options.data else COMMAND
    print(json.dumps([{**figure, "command": command} for figure in figures], indent=1))


if __name__ == "__main__":
    main()
