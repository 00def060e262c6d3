"""`routeward evaluate`, and `collapse` and `merge` for logs that are larger than a machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from routeward.cli.evaluation_tables import verdict_and_policies
from routeward.cli.logs import Format, LogOptions, Map, Namespace, Quality, opened
from routeward.cli.options import Json
from routeward.cli.output import FOUND_PROBLEM, WRONG_USE, CommandError, console, print_json, show
from routeward.cli.outputs import PRINTED, Force, checked_json, refuse_existing, refuse_inputs
from routeward.cli.report import ReportFile, RequestsPerMonth, checked_report, deliver_report

if TYPE_CHECKING:
    from adapters.traffic.log import LogReport
    from simulations.offpolicy.sums import LogSums

Policies = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="TOML file of policies: a table  [policies.NAME]  with a model, or shares of models, by category.",
        show_default="each model alone, and all alike",
    ),
]
MinLift = Annotated[
    float | None,
    typer.Option(
        metavar="USD",
        help="Exit with 1 unless the lift of every policy is above this with confidence, in dollars a call.",
        show_default="none",
    ),
]
Sums = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="File of sums to write.")]


def evaluate(
    log: Annotated[
        Path, typer.Argument(metavar="LOG", help="Log of calls: a file, a folder, a store, or sums of `collapse`.")
    ],
    *,
    policies: Policies = None,
    answer_value_usd: Annotated[float, typer.Option(help="Dollars that a fully good answer is worth.")] = 0.05,
    second_value_usd: Annotated[float, typer.Option(help="Dollars that a second less of waiting is worth.")] = 0.001,
    confidence: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    min_lift: MinLift = None,
    seed: Annotated[int, typer.Option(help="Draws what holds intervals of several policies at once.")] = 0,
    map_: Map = None,
    quality: Quality = "any",
    format_: Format = "",
    namespace: Namespace = "",
    json: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="File for the result; - prints it instead.")
    ] = None,
    report: ReportFile = None,
    requests_per_month: RequestsPerMonth = None,
    force: Force = False,
) -> None:
    """Tell what other policies would have been worth on logged traffic, or refuse to.

    Exit code 1 if the log cannot support what was asked: so it can stand in a pipeline.
    """
    from simulations.errors import SimulationError
    from simulations.offpolicy.command import EvaluateOptions, evaluated, problems

    checked_json(json, (log, policies))
    checked_report(report, requests_per_month, inputs=(log, policies), json=json, force=force)
    options = EvaluateOptions(policies, answer_value_usd, second_value_usd, confidence, seed)
    try:
        sums, read = _sums(log, LogOptions(namespace, quality, tuple(map_ or ()), format_))
        document = evaluated(sums, log.name, options, read)
    except SimulationError as error:
        raise CommandError("EVALUATION_REFUSED", str(error), exit_code=WRONG_USE) from error
    _deliver(document, json)
    deliver_report(document, report, requests_per_month)
    if found := problems(document, named=policies is not None, min_lift=min_lift):
        for problem in found:
            console(stderr=True).print(problem, soft_wrap=True)
        raise typer.Exit(FOUND_PROBLEM)


def collapse(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="Log of calls: a file, a folder or a store.")],
    *,
    output: Sums,
    map_: Map = None,
    quality: Quality = "any",
    format_: Format = "",
    namespace: Namespace = "",
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Add a log up to the sums that `evaluate` needs: small, and addable to those of other logs with `merge`."""
    refuse_inputs([output], (log,))
    refuse_existing([output], force=force)
    sums, _ = _sums(log, LogOptions(namespace, quality, tuple(map_ or ()), format_))
    _write(sums, output, as_json=as_json)


def merge(
    files: Annotated[list[Path], typer.Argument(metavar="SUMS", help="Files of sums.")],
    *,
    output: Sums,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Add up files of sums, as if one log had been collapsed."""
    from simulations.errors import SimulationError
    from simulations.offpolicy.command import merged

    refuse_existing([output], force=force)
    try:
        sums = merged(files)
    except SimulationError as error:
        raise CommandError("SUMS_REFUSED", str(error), exit_code=WRONG_USE) from error
    _write(sums, output, as_json=as_json)


def _sums(path: Path, options: LogOptions) -> "tuple[LogSums, LogReport | None]":
    from adapters.traffic.errors import LogError
    from simulations.offpolicy.command import sums_of_log
    from simulations.offpolicy.storage import is_sums, read_sums
    from simulations.progress import shown_progress

    if is_sums(path):
        return read_sums(path), None
    log = opened(path, options)
    try:
        with shown_progress(console(stderr=True), "reading the log, per mille") as progress:
            return sums_of_log(log, progress), log.report
    except LogError as error:
        raise CommandError("LOG_REFUSED", str(error), exit_code=WRONG_USE) from error


def _deliver(document: dict[str, Any], out: Path | None) -> None:
    """Write or print the document, and show it to people unless it was printed."""
    if out == PRINTED:
        print_json(document)
        return
    if out is not None:
        from simulations.documents import write_document

        write_document(document, out)
    console().print(verdict_and_policies(document))


def _write(sums: "LogSums", output: Path, *, as_json: bool) -> None:
    from simulations.offpolicy.storage import SumsFileError, write_sums

    try:
        write_sums(sums, output)
    except SumsFileError as error:
        raise CommandError("NOT_WRITTEN", str(error)) from error
    left_out = dict(sums.unusable)
    document = {
        "file": str(output),
        "bytes": output.stat().st_size,
        "calls": sums.rows,
        "left_out": left_out,
        "categories": sorted({context.category for context in sums.contexts}),
        "models": list(sums.models),
    }
    reasons = "".join(f"\n  {count:,} left out: {reason}" for reason, count in left_out.items())
    text = f"{sums.rows:,} calls of {len(sums.models)} models added up in {output}{reasons}"
    show(document, lambda: text, as_json=as_json)
