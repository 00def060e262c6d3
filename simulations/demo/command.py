"""`routeward demo`: from options to everything that the demo has shown."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Protocol

import numpy as np

from adapters.ledger import StoreError
from simulations.demo.accounts import Account, Truth, account, chosen_shares, rivals, truth_of
from simulations.demo.configuration import DATABASE, configuration
from simulations.demo.errors import ServerFailedError
from simulations.demo.lessons import Lesson, lessons, posterior
from simulations.demo.memory import Memory, OpenArchive, memory_of, saved_in
from simulations.demo.options import DemoOptions
from simulations.demo.process import Server, serving
from simulations.demo.stage import Stage, stage_of
from simulations.demo.traffic import Player, Tally, Traffic, traffic_of
from simulations.errors import OptionsError

CONFIG, LOG = "routeward.toml", "server.log"


class Screen(Protocol):
    """Is told how the demo goes."""

    def opens(self, stage: Stage, options: DemoOptions) -> None:
        """The world is there."""

    def serves(self, server: Server) -> None:
        """The server is ready, and traffic begins."""

    def plays(self, tally: Tally, traffic: Traffic, truth: Truth) -> None:
        """Traffic is under way; told several times a second, and at its end."""

    def restarts(self) -> None:
        """Traffic has ended, and the server is stopped and started again."""


@dataclass(frozen=True, slots=True, eq=False)
class Demo:
    """What was played, what was learned, what it was worth, and what was remembered.

    `late` is the account of the last quarter of the requests.
    """

    options: DemoOptions
    stage: Stage
    seconds: float
    lessons: tuple[Lesson, ...]
    routeward: Account
    late: Account
    rivals: dict[str, Account]
    memory: Memory

    @property
    def sound(self) -> bool:
        """Whether everything was remembered, and the sums equal the fold of their log."""
        return self.memory.remembered and not self.memory.saved.discrepancies

    def as_json(self) -> dict[str, object]:
        """Return everything as JSON values; unknown is null."""
        world, options, requests = self.stage.world, self.options, self.options.requests
        return {
            "world": {
                "source": self.stage.source,
                "models": [model.id for model in world.models],
                "models_left_out": self.stage.left_out_models,
                "categories": list(world.categories),
                "prompts": len(world.prompts),
                "prompts_left_out": world.dropped_prompts,
                "rows_rejected": dict(self.stage.outcomes.rejected),
            },
            "settings": asdict(options)
            | {"outcomes": options.outcomes and options.outcomes.name, "keep": options.keep and str(options.keep)},
            "traffic": {"requests": requests, "seconds": self.seconds, "per_second": requests / self.seconds},
            "score": self.routeward.score,
            "late_score": self.late.score,
            "policies": {
                name: asdict(one) | {"model": one.model or None}
                for name, one in {"routeward": self.routeward, **self.rivals}.items()
            },
            "learned": [asdict(lesson) | {"is_best": lesson.behind_usd == 0} for lesson in self.lessons],
            "memory": asdict(self.memory) | {"sums_verified": not self.memory.saved.discrepancies},
        }


def demo(options: DemoOptions, screen: Screen, open_archive: OpenArchive) -> Demo:
    """Start a server, play traffic to it, and see what it learned and remembers.

    Whatever happens, its process has ended when this returns or raises, and its folder is gone unless it is to be
    kept. Raises SimulationError for options and tables that cannot be used, ServerFailedError, KeyboardInterrupt.
    """
    options.check()
    stage = stage_of(options)
    truth = truth_of(stage.world, options.objective)
    text = configuration(stage.world, options.objective)
    traffic = traffic_of(stage.world, options)
    with _interruptible(), _folder(options.keep) as folder:
        screen.opens(stage, options)
        (folder / CONFIG).write_text(text, encoding="utf-8")
        return _run(options, stage, truth, traffic, folder, screen, open_archive)


def _run(
    options: DemoOptions,
    stage: Stage,
    truth: Truth,
    traffic: Traffic,
    folder: Path,
    screen: Screen,
    open_archive: OpenArchive,
) -> Demo:
    player = Player(
        stage.world,
        traffic,
        requests_per_second=options.requests_per_second,
        clock=monotonic,
        watch=lambda tally: screen.plays(tally, traffic, truth),
    )
    with serving(folder / CONFIG, folder / LOG) as server:
        screen.serves(server)
        tally = asyncio.run(player.play(server.target))
        learned = posterior(server.target, tally.revision)
    screen.restarts()
    try:
        saved = asyncio.run(saved_in(folder / DATABASE, open_archive))
    except StoreError as error:
        raise ServerFailedError(f"what the server stored cannot be read: {error}") from error
    with serving(folder / CONFIG, folder / LOG) as server:
        memory = memory_of(saved, learned, posterior(server.target, 0), server.started_in_s)
    shape = truth.value_usd.shape
    shares = chosen_shares(traffic.categories, tally.models, shape)
    late = np.array(tally.ended[-max(1, len(traffic) // 4) :])
    return Demo(
        options=options,
        stage=stage,
        seconds=tally.seconds,
        lessons=lessons(learned, truth, stage.world.categories),
        routeward=account(truth, shares),
        late=account(truth, chosen_shares(traffic.categories[late], tally.models[late], shape)),
        rivals=dict(rivals(truth, shares)),
        memory=memory,
    )
