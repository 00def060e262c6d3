"""`routeward simulate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from routeward.cli.output import WRONG_USE, CommandError, console, print_json

if TYPE_CHECKING:
    from simulations.command import SimulateOptions

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
        Path, typer.Option(metavar="FILE", show_default=False, help="Table of outcomes: .parquet or .csv.")
    ],
    models: Annotated[str, typer.Option(metavar="A,B,C", help="Models to choose from.", show_default="all")] = "",
    scenario: Annotated[str, typer.Option(metavar="NAME", help=_SCENARIOS)] = "stationary",
    answer_value_usd: Annotated[float, typer.Option(help="Dollars that a fully good answer is worth.")] = 0.05,
    second_value_usd: Annotated[float, typer.Option(help="Dollars that a second less of waiting is worth.")] = 0.001,
    steps: Annotated[int, typer.Option(help="Requests per seed.")] = 4500,
    seeds: Annotated[int, typer.Option(help="Repetitions, each with random numbers of its own.")] = 16,
    requests_per_second: Annotated[float, typer.Option(help="Pace of the requests.")] = 1.0,
    refresh_seconds: Annotated[float, typer.Option(help="Time between two publications of what was learned.")] = 5.0,
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
    from simulations.command import SimulateOptions

    options = SimulateOptions(
        outcomes=outcomes,
        models=tuple(name.strip() for name in models.split(",") if name.strip()),
        scenario=scenario,
        answer_value_usd=answer_value_usd,
        second_value_usd=second_value_usd,
        steps=steps,
        seeds=seeds,
        requests_per_second=requests_per_second,
        refresh_seconds=refresh_seconds,
        workers=workers,
        peers=peers,
        quality_delay=quality_delay,
        quality_share=quality_share,
        budget_usd=budget,
    )
    _simulate(options, json)


def _simulate(options: "SimulateOptions", out: Path | None) -> None:
    """Run it, and write or show the result."""
    from simulations.command import simulate as simulated
    from simulations.command import write_json
    from simulations.errors import SimulationError
    from simulations.progress import shown_progress
    from simulations.summary import summary_table

    if out not in (None, PRINTED) and not out.parent.is_dir():
        raise CommandError("SIMULATION_REFUSED", f"there is no folder {out.parent}; make it", exit_code=WRONG_USE)
    try:
        with shown_progress(console(stderr=True), "runs") as progress:
            simulation = simulated(options, progress)
        if out == PRINTED:
            print_json(simulation.as_json())
            return
        if out is not None:
            write_json(simulation, out)
    except SimulationError as error:
        raise CommandError("SIMULATION_REFUSED", str(error), exit_code=WRONG_USE) from error
    console().print(summary_table(simulation))
