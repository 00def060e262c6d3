"""What a simulation found, as a table for people."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from simulations.command import Simulation
from simulations.counting import counted
from simulations.results import PolicyResult
from simulations.scenario import Phase

LASTING: Final = 0.1
"""Share of a run that a lead must have lasted to be shown."""

_LEGEND: Final = "score: 0 is a random choice, 100 the best model of each category, which shows only afterwards."
_AHEAD: Final = "ahead from: the request from which on a policy was worth more than the best fixed model."


def summary_table(simulation: Simulation) -> Table:
    """Return the policies as a table, best first; where a run has several phases, with the score of each."""
    options, policies = simulation.options, simulation.comparison.policies
    columns = _columns([*policies["routeward"].phases], options.budget_usd)
    title = f"{options.scenario}: {options.steps} requests, {counted(options.seeds, 'seed')}"
    table = Table(title=title, caption=_caption(simulation), box=SIMPLE_HEAD, caption_justify="left")
    table.add_column("policy", no_wrap=True)
    for heading in columns:
        table.add_column(heading, justify="right")
    for name in sorted(policies, key=lambda name: -(policies[name].score.mean or -math.inf)):
        table.add_row(name, *(cell(policies[name]) for cell in columns.values()))
    return table


def _columns(phases: Sequence[Phase], budget_usd: float | None) -> dict[str, Callable[[PolicyResult], str]]:
    """Return what a table shows of a policy, by heading."""

    def of_phase(phase: Phase) -> Callable[[PolicyResult], str]:
        return lambda result: _shown(result.phases[phase].mean, ".1f")

    columns: dict[str, Callable[[PolicyResult], str]] = {
        "score": lambda result: _shown(result.score.mean, ".1f"),
        "±": lambda result: _shown(result.score.standard_error, ".1f"),
    }
    if len(phases) > 1:
        columns |= {phase.name: of_phase(phase) for phase in phases}
    if budget_usd is not None:
        columns["of budget"] = lambda result: _shares(result, budget_usd)
    columns["regret"] = lambda result: f"{result.regret:.1f}"
    if len(phases) == 1:
        columns["ahead from"] = lambda result: _shown(_lasting(result.passes_best_fixed_at, phases[0]), ".0f")
    return columns


def _shares(result: PolicyResult, budget_usd: float) -> str:
    """Show what share of the budget was spent in each phase."""
    spent = [score.mean for score in result.spend_usd.values()]
    return " ".join("-" if usd is None else f"{usd / budget_usd:.0%}" for usd in spent)


def _lasting(start: float | None, run: Phase) -> float | None:
    """Leave out a lead that only the last requests showed: luck puts any policy ahead of another in a few."""
    return start if start is not None and start <= run.end - LASTING * (run.end - run.start) else None


def _caption(simulation: Simulation) -> str:
    lines = [*_left_out(simulation), *_tuned(simulation), _LEGEND]
    if len(simulation.comparison.policies["routeward"].phases) == 1:
        lines.append(_AHEAD)
    return "\n".join(lines)


def _tuned(simulation: Simulation) -> Iterator[str]:
    """Say what the peers were best with."""
    for name, settings in simulation.comparison.peer_settings.items():
        yield f"{name}: {', '.join(f'{setting} {value:g}' for setting, value in settings.items())}"


def _left_out(simulation: Simulation) -> Iterator[str]:
    """Say what of the table was not played."""
    world, rejected = simulation.world, simulation.outcomes.rejected
    if world.dropped_prompts:
        total = len(world.prompts) + world.dropped_prompts
        yield f"{len(world.prompts)} of {total} prompts: not every model answered the others."
    for reason, count in rejected.items():
        yield f"{counted(count, 'row')} left out: {reason}."


def _shown(value: float | None, spec: str) -> str:
    return "-" if value is None else format(value, spec)
