"""What a simulation found, as a table for people."""

import math
from collections.abc import Callable, Sequence

from rich.table import Table

from simulations.command import Simulation
from simulations.results import PolicyResult
from simulations.scenario import Phase


def summary_table(simulation: Simulation) -> Table:
    """Return the policies as a table, best first; where a run has several phases, with the score of each."""
    options, policies = simulation.options, simulation.comparison.policies
    columns = _columns([*policies["routeward"].phases])
    table = Table(title=f"{options.scenario}: {options.steps} requests, {options.seeds} seeds")
    table.add_column("policy", no_wrap=True)
    for heading in columns:
        table.add_column(heading, justify="right")
    for name in sorted(policies, key=lambda name: -(policies[name].score.mean or -math.inf)):
        table.add_row(name, *(cell(policies[name]) for cell in columns.values()))
    return table


def _columns(phases: Sequence[Phase]) -> dict[str, Callable[[PolicyResult], str]]:
    """Return what a table shows of a policy, by heading."""

    def of_phase(phase: Phase) -> Callable[[PolicyResult], str]:
        return lambda result: _shown(result.phases[phase].mean, ".1f")

    columns: dict[str, Callable[[PolicyResult], str]] = {
        "score": lambda result: _shown(result.score.mean, ".1f"),
        "+-": lambda result: _shown(result.score.standard_error, ".1f"),
    }
    if len(phases) > 1:
        columns |= {phase.name: of_phase(phase) for phase in phases}
    columns["regret"] = lambda result: f"{result.regret:.1f}"
    if len(phases) == 1:
        columns["ahead from"] = lambda result: _shown(result.passes_best_fixed_at, ".0f")
    return columns


def _shown(value: float | None, spec: str) -> str:
    return "-" if value is None else format(value, spec)
