"""Writes a report: JSON and CSV of every number always, the page where plotly is installed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from simulations.page.documents import read_document, result_of
from simulations.page.errors import DocumentError, MissingPlotlyError, NotWrittenError
from simulations.page.figures import missing_plotly
from simulations.page.layout import documents_by_name, page
from simulations.page.numbers import as_csv


class Written(NamedTuple):
    """Where a report was written to."""

    page: Path
    json: Path
    csv: Path


def write_report(documents: Sequence[Mapping[str, Any]], out: Path, requests_per_month: float | None = None) -> Written:
    """Write documents as a page, and beside it as JSON and CSV, which come first and need no extra.

    `out` is the page's name; the others have its stem. What is there is replaced.

    Dollars a month are told for `requests_per_month`, or for the pace of each log. Raises DocumentError for what is no
    result, NotWrittenError, and MissingPlotlyError when JSON and CSV are written and the page cannot be.
    """
    results = [result_of(document) for document in documents]
    written = Written(out, out.with_suffix(".json"), out.with_suffix(".csv"))
    named = documents_by_name(results)
    content = documents[0] if len(documents) == 1 else named
    if not _holds(written.json, content):  # it may be the very file that the document was read from
        _write(written.json, json.dumps(content, indent=2, allow_nan=False) + "\n")
    _write(written.csv, as_csv(named))
    _write(written.page, page(results, _plotly(), requests_per_month))
    return written


def page_needs() -> MissingPlotlyError | None:
    """Return what keeps a page from being written on this machine, before there is anything to write."""
    try:
        _plotly()
    except MissingPlotlyError as error:
        return error
    return None


def _plotly() -> str:
    """Return the script that draws the charts. Raises MissingPlotlyError without the extra."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise missing_plotly("charts") from error
    script: str = get_plotlyjs()
    return script


def _holds(path: Path, content: Mapping[str, Any]) -> bool:
    try:
        return read_document(path) == content
    except DocumentError:
        return False


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise NotWrittenError(f"{path} cannot be written: {error.strerror}") from error
