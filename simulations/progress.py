"""Shows how far work has come: a bar on a terminal, a plain line now and then elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from simulations.parallel import Progress

_LINES: Final = 5


@contextmanager
def shown_progress(console: Console, title: str, *, in_percent: bool = False) -> Iterator[Progress]:
    """Give a callback that shows how many tasks are done, of how many; or what share of them."""
    if not console.is_terminal:
        yield _plain(console, title, in_percent=in_percent)
        return
    done = TaskProgressColumn() if in_percent else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), done, TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain(console: Console, title: str, *, in_percent: bool) -> Progress:
    shown = 0

    def progress(done: int, total: int) -> None:
        nonlocal shown
        fifth = done * _LINES // max(total, 1)
        if fifth > shown:
            shown = fifth
            so_far = f"{done / max(total, 1):.0%}" if in_percent else f"{done} of {total}"
            console.print(f"{title}: {so_far}", highlight=False, soft_wrap=True)

    return progress
