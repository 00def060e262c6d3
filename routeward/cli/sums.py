"""`routeward collapse` and `merge`, and the sums of a log that `evaluate` starts from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from routeward.cli.engines import Address, EngineName, EngineOptions, Workers
from routeward.cli.logs import Format, LogOptions, Map, Namespace, Quality, opened, tell_left_out
from routeward.cli.options import Json
from routeward.cli.output import FOUND_PROBLEM, WRONG_USE, CommandError, console, counted, show
from routeward.cli.outputs import Force, refuse_existing, refuse_inputs
from routeward.cli.prices import Price, PriceList, PricesOfConfig

if TYPE_CHECKING:
    from adapters.traffic.log import LogReport
    from simulations.offpolicy.sums import LogSums

Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="File of sums to write.")]


def collapse(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="Log of calls: a file, a folder or a store.")],
    *,
    output: Output,
    price: Price = None,
    config: PricesOfConfig = None,
    map_: Map = None,
    quality: Quality = "any",
    format_: Format = "",
    namespace: Namespace = "",
    engine: EngineName = "",
    workers: Workers = 0,
    address: Address = "",
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Add a log up to the sums that `evaluate` needs: small, and addable to those of other logs with `merge`.

    Exit code 1, and no file, if no call can be used.
    """
    refuse_inputs([output], (log, config))
    refuse_existing([output], force=force)
    prices = PriceList.of(price, config)
    options = LogOptions(namespace, quality, tuple(map_ or ()), format_)
    sums, report = collapsed(log, options, prices, EngineOptions(engine, workers, address))
    if not sums.rows:
        reasons = "; ".join(_unusable(sums)) or "it is empty"
        raise CommandError("NO_CALLS", f"{log} holds no call that can be evaluated ({reasons}); no file was written")
    _write(sums, output, tuple(report.notes), as_json=as_json)


def merge(
    files: Annotated[list[Path], typer.Argument(metavar="SUMS", help="Files of sums.")],
    *,
    output: Output,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Add up files of sums of different logs, as if one log had been collapsed."""
    from simulations.errors import SimulationError
    from simulations.offpolicy.command import merged

    refuse_existing([output], force=force)
    try:
        sums = merged(files)
    except SimulationError as error:
        raise CommandError("SUMS_REFUSED", str(error), exit_code=WRONG_USE) from error
    _write(sums, output, (), as_json=as_json)


def collapsed(path: Path, options: LogOptions, prices: PriceList, where: EngineOptions) -> "tuple[LogSums, LogReport]":
    """Add a log up, and tell of rows that were left out. Raises CommandError."""
    from adapters.sql.sqlite.traffic import is_store, models_of
    from adapters.traffic.errors import LogError
    from simulations.errors import OptionsError
    from simulations.offpolicy.command import check_priced, sums_of_log
    from simulations.progress import shown_progress

    log, engine = opened(path, options), where.engine()
    try:
        prices = prices.beside(models_of(path)) if is_store(path) else prices
        with shown_progress(console(stderr=True), "reading the log", in_percent=True) as progress:
            sums = sums_of_log(log, progress, prices.all(), engine)
        check_priced(sums, prices.asked)
    except LogError as error:
        raise CommandError("LOG_REFUSED", str(error), exit_code=WRONG_USE) from error
    except OptionsError as error:
        raise CommandError("WRONG_USE", str(error), exit_code=WRONG_USE) from error
    log.report.notes.extend(filter(None, [prices.note()]))
    tell_left_out(log.report)
    return sums, log.report


def _unusable(sums: "LogSums") -> list[str]:
    return [f"{counted(count, 'call')} left out: {reason}" for reason, count in sums.unusable.items()]


def _write(sums: "LogSums", output: Path, notes: tuple[str, ...], *, as_json: bool) -> None:
    from simulations.offpolicy.storage import SumsFileError, write_sums

    try:
        write_sums(sums, output)
    except SumsFileError as error:
        raise CommandError("NOT_WRITTEN", str(error), exit_code=FOUND_PROBLEM) from error
    document = {
        "file": str(output),
        "bytes": output.stat().st_size,
        "calls": sums.rows,
        "left_out": dict(sums.unusable),
        "categories": sorted({context.category for context in sums.contexts}),
        "models": list(sums.models),
        "notes": list(notes),
    }
    said = [f"{sums.rows:,} calls of {len(sums.models)} models added up in {output}", *_unusable(sums), *notes]
    show(document, lambda: "\n  ".join(said), as_json=as_json)
