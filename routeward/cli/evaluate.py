"""`routeward evaluate`: what other policies would have been worth on logged traffic."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from routeward.cli.engines import Address, EngineName, EngineOptions, Workers
from routeward.cli.evaluation_tables import verdict_and_policies
from routeward.cli.logs import Format, LogOptions, Map, Namespace, Quality, refuse
from routeward.cli.output import FOUND_PROBLEM, WRONG_USE, CommandError, console, print_json
from routeward.cli.outputs import PRINTED, Force, checked_json
from routeward.cli.prices import Price, PriceList, PricesOfConfig
from routeward.cli.report import ReportFile, checked_report, deliver_report
from routeward.cli.sums import collapsed

if TYPE_CHECKING:
    from adapters.traffic.log import LogReport
    from simulations.offpolicy.sums import LogSums

MOST_USD: Final = 1_000_000
Policies = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="TOML file of policies: a table  \\[policies.NAME]  with a model, or shares of models, by category.",
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
RequestsPerMonth = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        help="Volume that dollars a month are told for.",
        show_default="none; on the page, the log's pace",
    ),
]


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
    price: Price = None,
    config: PricesOfConfig = None,
    map_: Map = None,
    quality: Quality = "any",
    format_: Format = "",
    namespace: Namespace = "",
    engine: EngineName = "",
    workers: Workers = 0,
    address: Address = "",
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
    from simulations.offpolicy.policies import read_policies
    from simulations.ranges import check_range

    inputs = (log, policies, config)
    checked_json(json, inputs)
    checked_report(report, requests_per_month, inputs=inputs, json=json, force=force)
    try:
        chosen = None if policies is None else read_policies(policies)
        options = EvaluateOptions(chosen, answer_value_usd, second_value_usd, confidence, seed)
        if min_lift is not None:
            check_range("--min-lift", min_lift, (-MOST_USD, MOST_USD))
        prices = PriceList.of(price, config)
        where = EngineOptions(engine, workers, address)
        sums, read = _sums(log, LogOptions(namespace, quality, tuple(map_ or ()), format_), prices, where)
        document = evaluated(sums, log.name, options, read)
    except SimulationError as error:
        raise CommandError("EVALUATION_REFUSED", str(error), exit_code=WRONG_USE) from error
    _deliver(document, json, requests_per_month)
    deliver_report(document, report, requests_per_month)
    if found := problems(document, named=policies is not None, min_lift=min_lift):
        for problem in found:
            console(stderr=True).print(problem, soft_wrap=True)
        raise typer.Exit(FOUND_PROBLEM)


def _sums(
    path: Path, options: LogOptions, prices: PriceList, where: EngineOptions
) -> "tuple[LogSums, LogReport | None]":
    from simulations.offpolicy.storage import is_sums, read_sums

    if not is_sums(path):
        return collapsed(path, options, prices, where)
    given = [*options.given(), *prices.given(), *where.given()]
    refuse(given, f"{path} holds sums; give it to `collapse`, which reads the log")
    return read_sums(path), None


def _deliver(document: dict[str, Any], out: Path | None, requests_per_month: float | None) -> None:
    """Write or print the document, and show it to people unless it was printed."""
    if out == PRINTED:
        print_json(document)
        return
    if out is not None:
        from simulations.documents import write_document

        write_document(document, out)
    people = console()
    people.print(verdict_and_policies(document, people.width, requests_per_month))
