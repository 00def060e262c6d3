"""`routeward warm-start`: what earlier logs say, as a prior."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from routeward.cli.logs import Format, LogOptions, Map, Namespace, Quality, opened
from routeward.cli.options import Json
from routeward.cli.output import WRONG_USE, CommandError, console, counted, show

if TYPE_CHECKING:
    from adapters.traffic.lessons import Lessons

OUTPUT: Final = Path("warm-start.json")


def warm_start(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="Log of calls: a file, a folder or a store.")],
    *,
    output: Annotated[Path, typer.Option(metavar="FILE", help="File to write.")] = OUTPUT,
    map_: Map = None,
    quality: Quality = "any",
    format_: Format = "",
    namespace: Namespace = "",
    force: Annotated[bool, typer.Option("--force", metavar="", help="Replace a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Turn a log of earlier calls into a file that a server can start from.

    What teaches is quality, latency, output tokens and how calls ended; `routeward inspect` tells what a log knows.
    """
    from adapters.traffic.errors import LogError, WarmStartError
    from adapters.traffic.lessons import lessons_of
    from adapters.traffic.warm_start import write_warm_start
    from simulations.progress import shown_progress

    if output.exists() and not force:
        raise CommandError("FILE_EXISTS", f"{output} is there already; choose another name, or --force to replace it")
    found = opened(log, LogOptions(namespace, quality, tuple(map_ or ()), format_))
    try:
        with shown_progress(console(stderr=True), "reading the log", in_percent=True) as progress:
            lessons = lessons_of(found, progress)
    except LogError as error:
        raise CommandError("LOG_REFUSED", str(error), exit_code=WRONG_USE) from error
    if not lessons.cells:
        reasons = ", ".join(f"{one.count} x {reason}" for reason, one in lessons.rejected.items())
        raise CommandError("NOTHING_LEARNED", f"{log} holds no usable row ({reasons or 'it is empty'})")
    try:
        write_warm_start(lessons, output)
    except WarmStartError as error:
        raise CommandError("NOT_WRITTEN", str(error)) from error
    show(_document(lessons, output), lambda: _text(lessons, output), as_json=as_json)


def _document(lessons: "Lessons", output: Path) -> dict[str, object]:
    return {
        "file": str(output),
        "rows_used": lessons.used,
        "rows_rejected": {reason: one.count for reason, one in lessons.rejected.items()},
        "first_lines": {reason: one.places() for reason, one in lessons.rejected.items()},
        "categories": sorted({cell.category for cell in lessons.cells}),
        "models": sorted({cell.model for cell in lessons.cells}),
        "signals": dict(sorted(Counter(cell.signal for cell in lessons.cells).items())),
    }


def _text(lessons: "Lessons", output: Path) -> str:
    rejected = [
        f"  {counted(one.count, 'row')} left out: "
        f"{reason} (lines {one.places()}{', ...' * (one.count > len(one.lines))})"
        for reason, one in lessons.rejected.items()
    ]
    categories, models = ({cell[i] for cell in lessons.cells} for i in (0, 1))
    across = f"{counted(len(models), 'model')} in {counted(len(categories), 'category', 'categories')}"
    return "\n".join(
        [
            f"{counted(lessons.used, 'row')} used: {across}",
            *rejected,
            f'wrote {output}; name it in [learning]:  warm_start = "{output}"',
        ]
    )
