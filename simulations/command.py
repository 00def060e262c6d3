"""`routeward simulate`: from options to a result, and its JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from bandit.request import Objective
from simulations import ranges
from simulations.arrivals import evenly
from simulations.compare import Comparison, compare
from simulations.errors import OptionsError
from simulations.outcomes import Outcomes, read_outcomes
from simulations.parallel import Progress, unwatched
from simulations.peers.kinds import PEERS
from simulations.ranges import check_range
from simulations.result_json import finite, happenings, policy_json, world_json
from simulations.roles import named
from simulations.scenario import Scenario, scenario_of
from simulations.service import ServiceSettings
from simulations.world import World, world_of
from simulations.worlds.world_file import WorldFile

_SEEDS: Final = (1, 10_000)
_RUN: Final = (1, 100_000_000)
_REFRESH: Final = (0.000_001, 1_000_000)
_WORKERS: Final = (0, 1000)
_DELAY: Final = (0, 10_000_000)
_SHARE: Final = (0, 1)


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """What to simulate.

    `outcomes` is a .parquet or .csv table, `models` those to choose from (all by default). Dollars value a fully good
    answer and a second of waiting. Seeds are `first_seed` and those after it. Categories come equally often, or with
    `by_share` as often as in the table. 0 `workers` are as many as there are cores; their number changes no result.
    Quality is reported `quality_delay` requests after the decision, and of a share of the requests; None is what the
    scenario says. With `peers`, other people's bandits take part, which needs their packages. `budget_usd` is what a
    request may cost on average; None is what the scenario says. A `world` file replaces the built-in scenario, whose
    name is then that of the world, and may have outcomes of its own.
    """

    outcomes: Path | None = None
    models: tuple[str, ...] = ()
    scenario: str = "stationary"
    answer_value_usd: float = 0.05
    second_value_usd: float = 0.001
    steps: int = 4500
    seeds: int = 16
    requests_per_second: float = 1.0
    refresh_seconds: float = 5.0
    first_seed: int = 0
    by_share: bool = False
    workers: int = 0
    quality_delay: int | None = None
    quality_share: float | None = None
    peers: bool = False
    budget_usd: float | None = None
    world: WorldFile | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """What was asked, what happened, the world it was asked of, and how every policy did."""

    options: SimulateOptions
    scenario: Scenario
    outcomes: Outcomes
    world: World
    comparison: Comparison

    def as_json(self) -> dict[str, object]:
        """Return the result as JSON values; unknown is null."""
        policies = self.comparison.policies
        return {
            "policies": {name: policy_json(result, self.options.budget_usd) for name, result in policies.items()},
            "seed_scores": {
                name: [finite(score) for score in result.score.by_seed] for name, result in policies.items()
            },
            "multipliers": dict(self.comparison.multipliers),
            "peer_settings": {name: dict(settings) for name, settings in self.comparison.peer_settings.items()},
            "settings": self._settings(),
            "scenario": {"name": self.scenario.name, "events": happenings(self.scenario.events)},
            "world": world_json(self.world, self.outcomes),
        }

    def _settings(self) -> dict[str, object]:
        settings = asdict(replace(self.options, world=None))
        del settings["world"]
        table = self.options.outcomes
        return settings | {"outcomes": None if table is None else table.name}


def simulate(options: SimulateOptions, progress: Progress = unwatched) -> Simulation:
    """Run every policy in the world of a table.

    Raises SimulationError, whose message says what to do, where options or table do not allow it.
    """
    _check(options)
    scenario = _scenario(options)
    scenario = scenario.reporting(options.quality_delay, options.quality_share).within(options.budget_usd)
    options = replace(
        options,
        quality_delay=scenario.quality_delay,
        quality_share=scenario.quality_share,
        budget_usd=scenario.usd_per_request,
    )
    outcomes = _outcomes(options)
    world = world_of(outcomes, options.models)
    if options.world is not None:
        options.world.check_world([model.id for model in world.models], len(world.categories))
    scenario = named(world, scenario)
    comparison = compare(
        world,
        scenario,
        range(options.first_seed, options.first_seed + options.seeds),
        ServiceSettings(refresh_s=options.refresh_seconds),
        by_share=options.by_share,
        peers=PEERS if options.peers else (),
        workers=options.workers,
        progress=progress,
    )
    return Simulation(options, scenario, outcomes, world, comparison)


def options_of(given: Mapping[str, Any], world: Path | None) -> SimulateOptions:
    """Return the options that are given, of others those of a world file, and the defaults of what neither gives.

    Raises WorldFileError for a file with mistakes, OptionsError for options that do not go with it.
    """
    if world is None:
        return SimulateOptions(**given)
    if "scenario" in given:
        raise OptionsError("--scenario and --world are both given; a world says itself what happens in it")
    file = WorldFile.read(world).without(given)
    return SimulateOptions(**{**file.options(), **given}, world=file)


def _scenario(options: SimulateOptions) -> Scenario:
    objective = Objective(options.answer_value_usd, options.second_value_usd)
    if options.world is not None:
        return options.world.scenario(objective, options.steps, options.requests_per_second)
    scenario = scenario_of(options.scenario, objective, options.steps)
    return replace(scenario, arrivals=evenly(options.steps, options.requests_per_second))


def _outcomes(options: SimulateOptions) -> Outcomes:
    invented = None if options.world is None else options.world.invented()
    if invented is not None:
        return invented
    if options.outcomes is None:
        raise OptionsError("no table of outcomes is given; give --outcomes FILE, or a world file that has one")
    return read_outcomes(options.outcomes)


def _check(options: SimulateOptions) -> None:
    check_range("--answer-value-usd", options.answer_value_usd, ranges.ANSWER_VALUE_USD)
    check_range("--second-value-usd", options.second_value_usd, ranges.SECOND_VALUE_USD)
    check_range("--steps", options.steps, ranges.REQUESTS)
    check_range("--seeds", options.seeds, _SEEDS)
    check_range("--steps times --seeds", options.steps * options.seeds, _RUN)
    check_range("--first-seed", options.first_seed, ranges.SEED)
    check_range("--requests-per-second", options.requests_per_second, ranges.REQUESTS_PER_SECOND)
    if options.refresh_seconds != 0:
        check_range("--refresh-seconds, unless it is 0 (after each request),", options.refresh_seconds, _REFRESH)
    check_range("--workers", options.workers, _WORKERS)
    if options.quality_delay is not None:
        check_range("--quality-delay", options.quality_delay, _DELAY)
    if options.quality_share is not None:
        check_range("--quality-share", options.quality_share, _SHARE)
