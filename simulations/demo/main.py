"""The composition root of the demo: picks the store that its archive is read with."""

from pathlib import Path

from rich.console import Console

from adapters.sql.sqlite import SqliteStore
from simulations.demo.command import Demo, demo
from simulations.demo.configuration import BUCKET_S
from simulations.demo.options import DemoOptions
from simulations.demo.screen import ConsoleScreen


def play(options: DemoOptions, console: Console) -> Demo:
    """Play the demo and show on `console` how it goes: see `simulations.demo.command.demo`."""
    with ConsoleScreen(console) as screen:
        return demo(options, screen, _opened)


async def _opened(file: Path) -> SqliteStore:
    return await SqliteStore.open(file, bucket_us=round(BUCKET_S * 1e6))
