"""Command line of the simulations; `routeward simulate` is the same command."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from simulations.command import SimulateOptions, simulate, summary_table, write_json
from simulations.errors import SimulationError
from simulations.generator import generate, write_csv
from simulations.progress import shown_progress

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)


@app.command("simulate")
def simulate_command(
    outcomes: Annotated[Path, typer.Option(help="Table of outcomes: .parquet or .csv")],
    models: Annotated[str, typer.Option(help="Models to choose from, separated by commas; all by default")] = "",
    scenario: Annotated[str, typer.Option(help="stationary or profiles")] = "stationary",
    answer_value_usd: Annotated[float, typer.Option(help="Dollars that a fully good answer is worth")] = 0.05,
    second_value_usd: Annotated[float, typer.Option(help="Dollars that a second of waiting costs")] = 0.001,
    steps: Annotated[int, typer.Option(help="Requests per seed")] = 4500,
    seeds: Annotated[int, typer.Option(help="Number of seeds")] = 16,
    requests_per_second: Annotated[float, typer.Option(help="Pace of the requests")] = 1.0,
    refresh_seconds: Annotated[float, typer.Option(help="Seconds between refreshes of the snapshot")] = 5.0,
    workers: Annotated[int, typer.Option(help="Processes; 0 is one per core")] = 0,
    json: Annotated[Path | None, typer.Option(help="File to write the result to")] = None,
) -> None:
    """Run routeward and every baseline on the same requests and compare them."""
    console = Console(stderr=True)
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
    )
    try:
        with shown_progress(console, "runs") as progress:
            simulation = simulate(options, progress)
        if json is not None:
            write_json(simulation, json)
    except SimulationError as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    Console().print(summary_table(simulation))


@app.command("generate")
def generate_command(
    path: Annotated[Path, typer.Argument(help=".csv file to write")],
    seed: Annotated[int, typer.Option(help="Equal seeds give equal tables")] = 0,
    prompts: Annotated[int, typer.Option(help="Prompts per category")] = 60,
) -> None:
    """Write an invented table of outcomes."""
    write_csv(generate(seed, prompts_per_category=prompts), path)
