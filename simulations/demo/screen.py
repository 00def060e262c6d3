"""Shows the demo while it runs: a live picture on a terminal, a plain line now and then elsewhere."""

from types import TracebackType
from typing import Final, Self

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from simulations.counting import counted
from simulations.demo.accounts import chosen_shares, rivals
from simulations.demo.configuration import REFRESH_S
from simulations.demo.curve import RECENT, account_of
from simulations.demo.figures import per_thousand, percent, whole
from simulations.demo.options import DemoOptions
from simulations.demo.process import Server
from simulations.demo.stage import Stage
from simulations.demo.traffic import CLIENTS, Tally

LABEL: Final = 11
"""Width of the labels on the left."""
_PLAIN_EVERY_S: Final = 2.0
_BAR: Final = 24


class ConsoleScreen:
    """Writes to a console. Use it in a `with` statement, whose end takes the live picture away."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._told_s = -_PLAIN_EVERY_S
        self._headed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def opens(self, stage: Stage, options: DemoOptions) -> None:
        """Say what is played."""
        world, outcomes = stage.world, stage.outcomes
        of_all = f" of {len(outcomes.models)}" if stage.left_out_models else ""
        self._tell(
            "World",
            f"{stage.source}: {len(world.models)}{of_all} models, {len(world.categories)} categories, "
            f"{counted(len(world.prompts), 'prompt')}",
        )
        if stage.left_out_models and not options.models:
            self._tell("", "picked evenly from the cheapest to the dearest; --models names others")
        if world.dropped_prompts:
            self._tell("", f"{counted(world.dropped_prompts, 'prompt')} left out that not all of these models answered")
        for reason, count in outcomes.rejected.items():
            self._tell("", f"{counted(count, 'row')} left out: {reason}")
        answer, second = options.answer_value_usd, options.second_value_usd
        self._tell("Value", f"a good answer is worth ${answer:g}, a second of waiting costs ${second:g}")
        self._tell("Score", "0 is choosing at random, 100 always the best model of each category")

    def serves(self, server: Server, options: DemoOptions) -> None:
        """Say that the server is there, and what is asked of it."""
        self._tell("Server", f"ready on {server.target} after {server.started_in_s:.1f} s, with an embedded SQLite")
        self._tell("", f"publishes what it learned every {REFRESH_S:g} s")
        requests = f"{options.requests:,} requests of {CLIENTS} clients"
        self._tell("Traffic", f"{requests}, up to {options.requests_per_second:g} a second")
        self._tell("", f"users judge {percent(options.thumbs)} of the answers")

    def plays(self, tally: Tally, stage: Stage) -> None:
        """Show how far traffic has come, and what it is worth."""
        if not tally.ended:
            return
        ended = len(tally.ended) == tally.requests
        if self._console.is_terminal and not ended:
            self._live.start()
            self._live.update(_picture(tally, stage), refresh=True)
        elif ended or tally.seconds >= self._told_s + _PLAIN_EVERY_S:
            self._live.stop()
            self._told_s = tally.seconds
            if not self._headed:
                self._headed = True
                self._tell("", _HEADINGS)
            self._tell("", _figures(tally, stage))
            if ended:
                self._tell("", f"{tally.requests:,} requests in {tally.seconds:,.1f} s, {_pace(tally)}")

    def restarts(self) -> None:
        """Say what happens next."""
        self._tell("Restart", "the server is stopped, and started again on the same file")

    def _tell(self, label: str, text: str) -> None:
        self._console.print(Text.assemble((label.ljust(LABEL), "bold"), text), soft_wrap=True)


def _picture(tally: Tally, stage: Stage) -> Group:
    """Return progress, worth so far, and how often each model was chosen of late."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=LABEL - 2)
    grid.add_column(overflow="ellipsis", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(width=_BAR)
    models = tally.models[tally.ended[-RECENT:]]
    shares = np.bincount(models, minlength=len(stage.world.models)) / len(models)
    for model, share in zip(stage.world.models, shares.tolist(), strict=True):
        grid.add_row("", model.id, percent(share), ProgressBar(total=1.0, completed=share, width=_BAR))
    done = ProgressBar(total=tally.requests, completed=len(tally.ended), width=_BAR)
    indent = " " * LABEL
    progress = Table.grid(padding=(0, 2, 0, 0))
    progress.add_row(" " * (LABEL - 2), done, f"{len(tally.ended):,} of {tally.requests:,}, {_pace(tally)}")
    return Group(
        progress,
        Text(f"{indent}{_HEADINGS}\n{indent}{_figures(tally, stage)}\n"),
        Text(f"{indent}chosen in the last {len(models)} requests", "dim"),
        grid,
    )


def _pace(tally: Tally) -> str:
    return f"{len(tally.ended) / max(tally.seconds, 1e-9):,.0f} a second"


def _figures(tally: Tally, stage: Stage) -> str:
    """Return what is worth how much so far, under the headings."""
    traffic, truth = stage.traffic, stage.truth
    so_far = account_of(tally.ended, tally, traffic, truth)
    recent = account_of(tally.ended[-RECENT:], tally, traffic, truth)
    shares = chosen_shares(traffic.categories[tally.ended], tally.models[tally.ended], truth.value_usd.shape)
    random = rivals(truth, shares)["random"]
    return _row(
        f"{len(tally.ended):,}",
        per_thousand(so_far.value_usd),
        per_thousand(random.value_usd),
        whole(so_far.score),
        whole(recent.score),
    )


def _row(*cells: str) -> str:
    return "  ".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True))


_WIDTHS: Final = (10, 11, 10, 5, 8)
_HEADINGS: Final = _row("requests", "$ per 1,000", "random", "score", f"last {RECENT}")
