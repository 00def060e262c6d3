"""`routeward demo`."""

from pathlib import Path
from typing import Annotated

import typer

from routeward.cli.options import Json
from routeward.cli.output import FOUND_PROBLEM, WRONG_USE, CommandError, console, show


def demo(
    *,
    outcomes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default="an invented sample", help="Table of outcomes: .parquet or .csv."),
    ] = None,
    models: Annotated[
        str, typer.Option(metavar="A,B,C", help="Models to choose from.", show_default="all of up to 12, else 10")
    ] = "",
    requests: Annotated[int, typer.Option(help="Requests to play.")] = 4500,
    thumbs: Annotated[float, typer.Option(help="Share of the answers that users judge.")] = 0.5,
    answer_value_usd: Annotated[float, typer.Option(help="Dollars that a fully good answer is worth.")] = 0.05,
    second_value_usd: Annotated[float, typer.Option(help="Dollars that a second less of waiting is worth.")] = 0.001,
    requests_per_second: Annotated[float, typer.Option(help="Pace of the requests, at most.")] = 250.0,
    seed: Annotated[int, typer.Option(help="Draws the prompts that are asked and the answers that are judged.")] = 0,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", show_default="none", help="Keep configuration, database and log there."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Start a real server, play traffic to it, and show what it learns, what that is worth, and what it remembers."""
    from simulations.demo.errors import ServerFailedError
    from simulations.demo.main import play
    from simulations.demo.options import DemoOptions
    from simulations.demo.summary import summary
    from simulations.errors import SimulationError

    options = DemoOptions(
        outcomes=outcomes,
        models=tuple(name.strip() for name in models.split(",") if name.strip()),
        requests=requests,
        thumbs=thumbs,
        answer_value_usd=answer_value_usd,
        second_value_usd=second_value_usd,
        requests_per_second=requests_per_second,
        seed=seed,
        keep=keep,
    )
    try:
        played = play(options, console(stderr=as_json))
    except ServerFailedError as error:
        raise CommandError("SERVER_FAILED", str(error)) from error
    except SimulationError as error:
        raise CommandError("DEMO_REFUSED", str(error), exit_code=WRONG_USE) from error
    show(played.as_json(), lambda: summary(played), as_json=as_json)
    if not played.sound:
        raise typer.Exit(FOUND_PROBLEM)
