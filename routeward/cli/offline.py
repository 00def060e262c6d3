"""`routeward simulate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from routeward.cli.output import WRONG_USE, CommandError, console, print_json

PRINTED: Final = Path("-")
SCENARIOS: Final = {
    "stationary": "nothing changes",
    "profiles": "three objectives in one stream",
    "quality-drop": "the best model turns bad for a third",
    "outage": "calls to the best model fail for a third",
    "latency-spike": "the best model is slow for a third",
    "price-change": "a model costs a tenth for a third",
    "poisoned": "false votes on two models for a third",
    "model-added": "the best model joins after a third",
    "bad-model-added": "the worst model joins after a third",
    "category-added": "three categories join after a third",
    "delayed": "quality is known 1,000 requests late",
    "sparse": "quality is known of a tenth of the requests",
    "budget": "on a budget, the dearest at 1% for a third",
}
_SCENARIOS: Final = "\n\n".join(["What happens:", *(f"{name}: {what}." for name, what in SCENARIOS.items())])

BudgetUsd = Annotated[
    float | None, typer.Option(metavar="USD", show_default="the scenario's", help="What a request may cost on average.")
]


def simulate(
    *,
    outcomes: Annotated[
        Path | None, typer.Option(metavar="FILE", show_default=False, help="Table of outcomes: .parquet or .csv.")
    ] = None,
    models: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="Models to choose from.", show_default="all")
    ] = None,
    scenario: Annotated[str | None, typer.Option(metavar="NAME", help=_SCENARIOS, show_default="stationary")] = None,
    world: Annotated[
        Path | None, typer.Option(metavar="FILE", help="World file, TOML, in place of a scenario; options override it.")
    ] = None,
    answer_value_usd: Annotated[
        float | None, typer.Option(help="Dollars that a fully good answer is worth.", show_default="0.05")
    ] = None,
    second_value_usd: Annotated[
        float | None, typer.Option(help="Dollars that a second less of waiting is worth.", show_default="0.001")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Requests per seed.", show_default="4500")] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Repetitions, each with random numbers of its own.", show_default="16")
    ] = None,
    requests_per_second: Annotated[float | None, typer.Option(help="Pace of the requests.", show_default="1.0")] = None,
    refresh_seconds: Annotated[
        float | None, typer.Option(help="Time between two publications of what was learned.", show_default="5.0")
    ] = None,
    quality_delay: Annotated[
        int | None,
        typer.Option(metavar="N", show_default="the scenario's", help="Requests until quality is reported."),
    ] = None,
    quality_share: Annotated[
        float | None,
        typer.Option(metavar="X", show_default="the scenario's", help="Share of requests with reported quality."),
    ] = None,
    peers: Annotated[
        bool, typer.Option("--peers", metavar="", help="Run other people's bandits too; takes minutes.")
    ] = False,
    budget: BudgetUsd = None,
    workers: Annotated[int, typer.Option(help="Processes; 0 is one per core.")] = 0,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="File for the result; - prints it instead.")
    ] = None,
) -> None:
    """Run routeward and every baseline on the same requests, and compare what each achieved."""
    options = {
        "outcomes": outcomes,
        "models": None if models is None else tuple(name.strip() for name in models.split(",") if name.strip()),
        "scenario": scenario,
        "answer_value_usd": answer_value_usd,
        "second_value_usd": second_value_usd,
        "steps": steps,
        "seeds": seeds,
        "requests_per_second": requests_per_second,
        "refresh_seconds": refresh_seconds,
        "quality_delay": quality_delay,
        "quality_share": quality_share,
        "budget_usd": budget,
    }
    given = {name: value for name, value in options.items() if value is not None}
    _simulate(given | {"workers": workers, "peers": peers}, world, json)


def _simulate(given: Mapping[str, Any], world: Path | None, out: Path | None) -> None:
    """Run it, and write or show the result."""
    from simulations.command import options_of
    from simulations.command import simulate as simulated
    from simulations.documents import write_document
    from simulations.errors import SimulationError
    from simulations.progress import shown_progress
    from simulations.summary import summary_table

    if out not in (None, PRINTED) and not out.parent.is_dir():
        raise CommandError("SIMULATION_REFUSED", f"there is no folder {out.parent}; make it", exit_code=WRONG_USE)
    try:
        options = options_of(given, world)
        with shown_progress(console(stderr=True), "runs") as progress:
            simulation = simulated(options, progress)
        if out == PRINTED:
            print_json(simulation.as_json())
            return
        if out is not None:
            write_document(simulation.as_json(), out)
    except SimulationError as error:
        raise CommandError("SIMULATION_REFUSED", str(error), exit_code=WRONG_USE) from error
    console().print(summary_table(simulation))
