"""`routeward report`, and the options by which other commands write a report too."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from routeward.cli.options import Json
from routeward.cli.output import FOUND_PROBLEM, WRONG_USE, CommandError, console, show
from routeward.cli.outputs import PRINTED, Force, refuse_existing, refuse_inputs, same_file

if TYPE_CHECKING:
    from simulations.page.write import Written

OUTPUT: Final = Path("report.html")
SUFFIXES: Final = (".html", ".htm")

ReportFile = Annotated[
    Path | None,
    typer.Option("--report", metavar="OUT.html", help="Page of pictures to write; JSON and CSV are written beside it."),
]
RequestsPerMonth = Annotated[
    float | None,
    typer.Option(metavar="N", show_default="the log's pace", help="Volume that dollars a month are told for."),
]


def report(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULT", help="What `evaluate --json` or `replay --json` wrote.")
    ],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Page to write.")] = OUTPUT,
    requests_per_month: RequestsPerMonth = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Show results as one HTML page that can be mailed, and every number as JSON and CSV beside it."""
    from simulations.page.documents import read_document
    from simulations.page.errors import PageError

    # The one result may be the page's own JSON: it is left as it is.
    own = len(results) == 1 and same_file(results[0], output.with_suffix(".json"))
    checked_report(output, requests_per_month, inputs=() if own else results, force=force, kept=results if own else ())
    try:
        documents = [read_document(path) for path in results]
    except PageError as error:
        raise CommandError("NO_RESULT", str(error), exit_code=WRONG_USE) from error
    written = write_report_of(documents, output, requests_per_month)
    show({name: str(path) for name, path in written._asdict().items()}, lambda: text_of(written), as_json=as_json)


def checked_report(
    output: Path | None,
    requests_per_month: float | None,
    *,
    inputs: Iterable[Path | None] = (),
    json: Path | None = None,
    kept: Sequence[Path] = (),
    force: bool = False,
) -> None:
    """Refuse, before anything runs, a report that could not be written, or over something. Raises CommandError.

    Neither the page nor the files beside it may be one of the `inputs`, lie in a folder that is one, or be the file of
    `--json`, and those that are there are replaced only with `force`, except the ones that are `kept` as they are.
    """
    if requests_per_month is not None and not 0 <= requests_per_month <= 1e15:
        message = f"--requests-per-month is {requests_per_month}; give a number from 0 to 1e15"
        raise CommandError("WRONG_USE", message, exit_code=WRONG_USE)
    if output is None:
        return
    if output.suffix.lower() not in SUFFIXES:
        message = (
            f"the page is called {output}; give it a name that ends with .html, for .json and .csv stand beside it"
        )
        raise CommandError("WRONG_USE", message, exit_code=WRONG_USE)
    if not output.parent.is_dir():
        raise CommandError("WRONG_USE", f"there is no folder {output.parent}; make it", exit_code=WRONG_USE)
    written = files_of(output)
    refuse_inputs(written, inputs)
    if json is not None and json != PRINTED and any(same_file(json, one) for one in written):
        message = f"--json {json} is written beside the page anyway; leave --json out, or give another name"
        raise CommandError("WRONG_USE", message, exit_code=WRONG_USE)
    refuse_existing((one for one in written if not any(same_file(one, path) for path in kept)), force=force)
    _tell_what_lacks(written)


def _tell_what_lacks(written: Sequence[Path]) -> None:
    """Say at once that the page will not be written, for what it shows may take long."""
    from simulations.page.write import page_needs

    if lacks := page_needs():
        page, *others = written
        said = f"{lacks}. Without it {page} is not written, only {' and '.join(map(str, others))}"
        console(stderr=True).print(said, soft_wrap=True)


def files_of(page: Path) -> tuple[Path, Path, Path]:
    """Return the page and the files that are written beside it."""
    return page, page.with_suffix(".json"), page.with_suffix(".csv")


def deliver_report(document: Mapping[str, Any], output: Path | None, requests_per_month: float | None) -> None:
    """Write the report that another command was asked for, and say so beside its own result. Raises CommandError."""
    if output is not None:
        written = write_report_of([document], output, requests_per_month)
        console(stderr=True).print(text_of(written), soft_wrap=True)


def write_report_of(
    documents: Sequence[Mapping[str, Any]], output: Path, requests_per_month: float | None
) -> "Written":
    """Write a report. Raises CommandError, also where JSON and CSV are written and the page cannot be."""
    from simulations.page.errors import DocumentError, MissingPlotlyError, PageError
    from simulations.page.write import write_report

    try:
        return write_report(documents, output, requests_per_month)
    except DocumentError as error:
        raise CommandError("NO_RESULT", str(error), exit_code=WRONG_USE) from error
    except MissingPlotlyError as error:
        message = f"{error}. Every number is in {output.with_suffix('.json')} and {output.with_suffix('.csv')}"
        raise CommandError("NOT_INSTALLED", message, exit_code=WRONG_USE) from error
    except PageError as error:
        raise CommandError("NOT_WRITTEN", str(error), exit_code=FOUND_PROBLEM) from error


def text_of(written: "Written") -> str:
    """Return what is said of a report that was written."""
    return f"wrote {written.page}; every number is in {written.json} and {written.csv}"
