"""Shows how far work has come: a bar on a terminal, a plain line now and then elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from simulations.parallel import Progress

_LINES: Final = 5


@contextmanager
def shown_progress(console: Console, title: str) -> Iterator[Progress]:
    """Give a callback that shows how many tasks are done, of how many."""
    if not console.is_terminal:
        yield _plain(console, title)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain(console: Console, title: str) -> Progress:
    shown = 0

    def progress(done: int, total: int) -> None:
        nonlocal shown
        fifth = done * _LINES // max(total, 1)
        if fifth > shown:
            shown = fifth
            console.print(f"{title}: {done} of {total}", highlight=False, soft_wrap=True)

    return progress
