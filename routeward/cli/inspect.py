"""`routeward inspect`: what a log of calls can say, and what it cannot."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from routeward.cli.logs import Format, LogOptions, Map, Namespace, Quality, opened
from routeward.cli.options import Json
from routeward.cli.output import WRONG_USE, CommandError, console, counted, percent, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from adapters.traffic.log import Log

_MOST: Final = 20
"""Names that the table shows."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def inspect(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="Log of calls: a file, a folder or a store.")],
    *,
    map_: Map = None,
    quality: Quality = "any",
    format_: Format = "",
    namespace: Namespace = "",
    as_json: Json = False,
) -> None:
    """Read a log of calls and tell what it can say: which rows, which facts, which commands.

    Exit code 1 if it holds no usable call.
    """
    from adapters.traffic.errors import LogError
    from simulations.progress import shown_progress

    found = opened(log, LogOptions(namespace, quality, tuple(map_ or ()), format_))
    try:
        with shown_progress(console(stderr=True), "reading the log", in_percent=True) as progress:
            document = _document(log, found, progress)
    except LogError as error:
        raise CommandError("LOG_REFUSED", str(error), exit_code=WRONG_USE) from error
    if not document["calls"]:
        message = f"{log} holds no usable call ({_reasons(document) or 'it is empty'})"
        raise CommandError("NO_CALLS", message, details={"log": document})
    show(document, lambda: _table(document), as_json=as_json)


def _document(path: Path, log: "Log", progress: Any) -> dict[str, Any]:
    from adapters.traffic.abilities import abilities
    from adapters.traffic.calls import Call

    cells, first, last = Counter[tuple[str, str]](), None, None
    for call in log.calls(progress):
        cells[call.category, call.model] += 1
        if call.time_us is not None:
            first = call.time_us if first is None else min(first, call.time_us)
            last = call.time_us if last is None else max(last, call.time_us)
    report = log.report
    categories, models = _by_name(cells, 0), _by_name(cells, 1)
    return {
        "log": str(path),
        "format": report.format,
        "calls": report.used,
        "from": _iso(first),
        "to": _iso(last),
        "categories": dict(categories.most_common()),
        "models": dict(models.most_common()),
        "knows": {name: report.knows[name] / max(report.used, 1) for name in Call._fields},
        "judgements": dict(sorted(report.sources.items())),
        "rejected": {
            reason: {"rows": one.count, "first_lines": one.places()} for reason, one in sorted(report.rejected.items())
        },
        "notes": [*report.notes, *_alone(cells)],
        "allows": {one.command: {"allowed": one.is_allowed, "says": one.says} for one in abilities(report)},
    }


def _by_name(cells: Counter[tuple[str, str]], place: int) -> Counter[str]:
    found = Counter[str]()
    for names, count in cells.items():
        found[names[place]] += count
    return found


def _alone(cells: Counter[tuple[str, str]]) -> Iterator[str]:
    """Yield a note where categories have one model each: there is nothing to choose in them."""
    models = Counter(category for category, _ in cells)
    alone = sum(count == 1 for count in models.values())
    if alone:
        yield f"in {alone:,} of {len(models):,} categories all calls went to one model: nothing can be compared there"


def _iso(time_us: int | None) -> str | None:
    return None if time_us is None else (_EPOCH + timedelta(microseconds=time_us)).isoformat()


def _reasons(document: dict[str, Any]) -> str:
    return ", ".join(f"{one['rows']:,} x {reason}" for reason, one in document["rejected"].items())


def _table(document: dict[str, Any]) -> "RenderableType":
    from rich.console import Group

    return Group(*_lines(document))


def _lines(document: dict[str, Any]) -> Iterator["RenderableType"]:
    between = f", {document['from']} to {document['to']}" if document["from"] else ""
    yield f"{counted(document['calls'], 'call')} in format {document['format']}{between}"
    yield f"  models      {_counted(document['models'])}"
    yield f"  categories  {_counted(document['categories'])}"
    if document["judgements"]:
        yield f"  judgements  {_counted(document['judgements'])}"
    yield "\nknown of a call"
    for name, share in document["knows"].items():
        yield f"  {name:<20} {percent(share) if share else '-':>6}"
    if document["rejected"]:
        yield "\nleft out"
    for reason, one in document["rejected"].items():
        yield f"  {one['rows']:,} x {reason} (first lines: {one['first_lines']})"
    if document["notes"]:
        yield "\nnote"
    yield from (f"  {note}" for note in document["notes"])
    yield "\nallows"
    for command, one in document["allows"].items():
        yield f"  {command:<12} {'yes' if one['allowed'] else 'no '}  {one['says']}"


def _counted(names: dict[str, int]) -> str:
    shown = [f"{name} {count:,}" for name, count in list(names.items())[:_MOST]]
    more = [f"and {len(names) - _MOST} more"] if len(names) > _MOST else []
    return ", ".join([*shown, *more])
