"""`routeward generate`: a made-up table of outcomes, or a made-up log of traffic."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from routeward.cli.options import Json
from routeward.cli.output import WRONG_USE, CommandError, console, show

if TYPE_CHECKING:
    from simulations.logs.invented import LogSettings

LOG = "A log of traffic"


def generate(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", show_default=False, help="CSV file for a table of outcomes.")
    ] = None,
    *,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal files.")] = 0,
    prompts: Annotated[int, typer.Option(min=1, max=1_000_000, help="Prompts per category of a table.")] = 60,
    log: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a log instead: .jsonl, .csv or .parquet.", rich_help_panel=LOG),
    ] = None,
    rows: Annotated[
        int, typer.Option(min=1, max=10_000_000_000, metavar="N", help="Calls.", rich_help_panel=LOG)
    ] = 20_000,
    logger: Annotated[
        str, typer.Option(metavar="NAME", help="Who chose: uniform or thompson, which learns.", rich_help_panel=LOG)
    ] = "thompson",
    judged: Annotated[
        float, typer.Option(min=0, max=1, metavar="X", help="Share of answers judged.", rich_help_panel=LOG)
    ] = 1.0,
    errors: Annotated[
        float, typer.Option(min=0, max=0.5, metavar="X", help="Share of calls that fail.", rich_help_panel=LOG)
    ] = 0.01,
    session: Annotated[
        int, typer.Option(min=1, max=1_000_000, metavar="N", help="Calls per session.", rich_help_panel=LOG)
    ] = 1,
    days: Annotated[
        float, typer.Option(min=0.001, max=3650, help="Time that the calls are spread over.", rich_help_panel=LOG)
    ] = 7.0,
    refresh_rows: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Calls between two lessons of thompson.", rich_help_panel=LOG),
    ] = 100,
    force: Annotated[bool, typer.Option("--force", metavar="", help="Replace a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a made-up table of outcomes, or a made-up log, to try the other commands on."""
    if (file is None) == (log is None):
        message = "give one file: FILE for a table of outcomes, or --log FILE for a log of traffic"
        raise CommandError("WRONG_USE", message, exit_code=WRONG_USE)
    wanted = file or log or Path()
    if wanted.exists() and not force:
        raise CommandError("FILE_EXISTS", f"{wanted} is there already; choose another name, or --force to replace it")
    if log is None:
        _write_table(wanted, seed, prompts, as_json=as_json)
        return
    from simulations.logs.invented import LogSettings

    settings = LogSettings(
        rows=rows,
        seed=seed,
        logger=logger,
        judged_share=judged,
        error_share=errors,
        session_length=session,
        days=days,
        refresh_rows=refresh_rows,
    )
    _write_log(log, settings, as_json=as_json)


def _write_table(file: Path, seed: int, prompts: int, *, as_json: bool) -> None:
    from simulations.errors import SimulationError
    from simulations.generator import generate as generated
    from simulations.generator import write_csv

    outcomes = generated(seed, prompts_per_category=prompts)
    try:
        write_csv(outcomes, file)
    except SimulationError as error:
        raise CommandError("NOT_WRITTEN", str(error)) from error
    document = {"file": str(file), "answers": len(outcomes.answers), "models": outcomes.models}
    text = f"wrote {len(outcomes.answers)} answers of {len(outcomes.models)} made-up models to {file}"
    show(document, lambda: text, as_json=as_json)


def _write_log(path: Path, settings: "LogSettings", *, as_json: bool) -> None:
    from simulations.errors import LogNotWrittenError, SimulationError
    from simulations.logs.files import write_log
    from simulations.logs.invented import InventedLog
    from simulations.progress import shown_progress

    try:
        log = InventedLog(settings)
        with shown_progress(console(stderr=True), "calls") as progress:
            write_log(log, path, progress)
    except LogNotWrittenError as error:
        raise CommandError("NOT_WRITTEN", str(error)) from error
    except SimulationError as error:
        raise CommandError("WRONG_USE", str(error), exit_code=WRONG_USE) from error
    document = {"file": str(path), "calls": settings.rows, "truth": log.truth.as_json()}
    text = f"wrote {settings.rows} calls of {len(settings.models)} made-up models to {path}; --json tells the truth"
    show(document, lambda: text, as_json=as_json)
