"""Shows the demo while it runs: a live picture on a terminal, a plain line now and then elsewhere."""

from types import TracebackType
from typing import Final, Self

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from simulations.demo.accounts import Account, Floats, account, chosen_shares, rivals
from simulations.demo.configuration import REFRESH_S
from simulations.demo.figures import per_thousand, percent, whole
from simulations.demo.options import DemoOptions
from simulations.demo.process import Server
from simulations.demo.stage import Stage
from simulations.demo.traffic import CLIENTS, Tally

RECENT: Final = 500
LABEL: Final = 11
"""Width of the labels on the left."""
_PLAIN_EVERY_S: Final = 2.0
_BAR: Final = 50


class ConsoleScreen:
    """Writes to a console. Use it in a `with` statement, whose end takes the live picture away."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._told_s = -_PLAIN_EVERY_S

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
            f"{len(world.prompts):,} prompts",
        )
        if stage.left_out_models and not options.models:
            self._tell("", "models taken evenly from the cheapest to the dearest; --models names others")
        if world.dropped_prompts:
            self._tell("", f"{world.dropped_prompts:,} prompts left out that not all of these models answered")
        for reason, count in outcomes.rejected.items():
            self._tell("", f"{count:,} rows left out: {reason}")
        answer, second = options.answer_value_usd, options.second_value_usd
        self._tell("Value", f"a good answer is worth ${answer:g}, a second of waiting costs ${second:g}")
        self._tell("Score", "0 is choosing at random, 100 the best model of each category from the first request on")

    def serves(self, server: Server, options: DemoOptions) -> None:
        """Say that the server is there, and what is asked of it."""
        started = f"ready on {server.target} after {server.started_in_s:.1f} s, with an embedded SQLite"
        self._tell("Server", f"{started}; publishes every {REFRESH_S:g} s")
        requests = f"{options.requests:,} requests of {CLIENTS} clients, up to {options.requests_per_second:g} a second"
        self._tell("Traffic", f"{requests}; users judge {percent(options.thumbs)} of the answers")

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
            self._tell("", f"{_pace(tally)}; {_worth(tally, stage)}")

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
    progress.add_row(" " * (LABEL - 2), done, _pace(tally))
    return Group(
        progress,
        Text(f"{indent}{_worth(tally, stage)}\n"),
        Text(f"{indent}chosen in the last {len(models)} requests", "dim"),
        grid,
    )


def _pace(tally: Tally) -> str:
    return f"{len(tally.ended):,} of {tally.requests:,}, {len(tally.ended) / max(tally.seconds, 1e-9):,.0f} a second"


def _worth(tally: Tally, stage: Stage) -> str:
    last = tally.ended[-RECENT:]
    so_far, recent = _account(tally.ended, tally, stage), _account(last, tally, stage)
    random = rivals(stage.truth, _shares(tally.ended, tally, stage))["random"]
    return (
        f"worth {per_thousand(so_far.value_usd)} per 1,000 (random {per_thousand(random.value_usd)}), "
        f"score {whole(so_far.score)}, of the last {len(last)}: {whole(recent.score)}"
    )


def _account(requests: list[int], tally: Tally, stage: Stage) -> Account:
    return account(stage.truth, _shares(requests, tally, stage))


def _shares(requests: list[int], tally: Tally, stage: Stage) -> Floats:
    return chosen_shares(stage.traffic.categories[requests], tally.models[requests], stage.truth.value_usd.shape)
