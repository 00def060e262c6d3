"""`routeward demo`: from options to everything that the demo has shown."""

import asyncio
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from types import FrameType
from typing import Final, Protocol

from adapters.ledger import StoreError
from simulations.demo.accounts import Account, account, chosen_shares, rivals
from simulations.demo.configuration import DATABASE, configuration
from simulations.demo.curve import RECENT, Point, curve_of
from simulations.demo.errors import ServerFailedError
from simulations.demo.lessons import Lesson, lessons, posterior
from simulations.demo.memory import Memory, OpenArchive, memory_of, saved_in
from simulations.demo.options import DemoOptions
from simulations.demo.process import Server, serving
from simulations.demo.stage import Stage, stage_of
from simulations.demo.traffic import Player, Tally
from simulations.errors import OptionsError

CONFIG: Final = "routeward.toml"
LOG: Final = "server.log"


class Screen(Protocol):
    """Is told how the demo goes."""

    def opens(self, stage: Stage, options: DemoOptions) -> None:
        """Everything is there; the server is started."""

    def serves(self, server: Server, options: DemoOptions) -> None:
        """The server is ready; traffic begins."""

    def plays(self, tally: Tally, stage: Stage) -> None:
        """Traffic is under way; told several times a second, and at its end."""

    def restarts(self) -> None:
        """Traffic has ended; the server is stopped and started again."""


@dataclass(frozen=True, slots=True, eq=False)
class Demo:
    """What was played, what was learned, what it was worth, and what was remembered.

    `late` is the account of the last quarter of the requests, `curve` how the score grew.
    """

    options: DemoOptions
    stage: Stage
    seconds: float
    lessons: tuple[Lesson, ...]
    routeward: Account
    late: Account
    curve: tuple[Point, ...]
    rivals: Mapping[str, Account]
    memory: Memory

    @property
    def sound(self) -> bool:
        """Whether everything was remembered, and the sums equal the fold of their log."""
        return self.memory.remembered and not self.memory.saved.discrepancies

    def as_json(self) -> dict[str, object]:
        """Return everything as JSON values; unknown is null."""
        world, options, policies = self.stage.world, self.options, {"routeward": self.routeward, **self.rivals}
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
            "traffic": {
                "requests": options.requests,
                "seconds": self.seconds,
                "requests_per_second": options.requests / self.seconds,
            },
            "score": self.routeward.score,
            "score_of_last_quarter": self.late.score,
            "learning_curve": [{"requests": one.requests, f"score_of_last_{RECENT}": one.score} for one in self.curve],
            "policies": {name: asdict(one) | {"model": one.model or None} for name, one in policies.items()},
            "learned": [asdict(lesson) | {"is_best": lesson.is_best} for lesson in self.lessons],
            "memory": asdict(self.memory) | {"sums_verified": not self.memory.saved.discrepancies},
        }


def demo(options: DemoOptions, screen: Screen, open_archive: OpenArchive) -> Demo:
    """Start a server, play traffic to it, and see what it learned and what it remembers.

    Whatever happens, its process has ended when this returns or raises, and its folder is gone unless it is to be
    kept. Call it from the main thread. Raises SimulationError where options or table cannot be used,
    ServerFailedError, and KeyboardInterrupt for SIGTERM and SIGHUP too.
    """
    options.check()
    stage = stage_of(options)
    text = configuration(stage.world, options.objective)
    with _interruptible(), _folder(options.keep) as folder:
        (folder / CONFIG).write_text(text, encoding="utf-8")
        screen.opens(stage, options)
        return _played(options, stage, folder, screen, open_archive)


def _played(options: DemoOptions, stage: Stage, folder: Path, screen: Screen, open_archive: OpenArchive) -> Demo:
    player = Player(
        stage.world,
        stage.traffic,
        requests_per_second=options.requests_per_second,
        clock=monotonic,
        watch=lambda tally: screen.plays(tally, stage),
    )
    with serving(folder / CONFIG, folder / LOG) as server:
        screen.serves(server, options)
        tally = asyncio.run(player.play(server.target))
        learned = posterior(server.target, tally.revision)
    screen.restarts()
    try:
        saved = saved_in(folder / DATABASE, open_archive)
    except StoreError as error:
        raise ServerFailedError(f"what the server stored cannot be read: {error}") from error
    with serving(folder / CONFIG, folder / LOG) as server:
        memory = memory_of(saved, learned, posterior(server.target, 0), server.started_in_s)
    categories, truth, quarter = stage.traffic.categories, stage.truth, -(-options.requests // 4)
    shares = chosen_shares(categories, tally.models, truth.value_usd.shape)
    late = chosen_shares(categories[-quarter:], tally.models[-quarter:], truth.value_usd.shape)
    return Demo(
        options=options,
        stage=stage,
        seconds=tally.seconds,
        lessons=lessons(learned, truth, stage.world.categories),
        routeward=account(truth, shares),
        late=account(truth, late),
        curve=curve_of(tally, stage.traffic, truth),
        rivals=rivals(truth, shares),
        memory=memory,
    )


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with TemporaryDirectory(prefix="routeward-demo-") as folder:
            yield Path(folder)
        return
    for name in (CONFIG, DATABASE):
        if (keep / name).exists():
            raise OptionsError(f"{keep / name} exists already, and is left as it is; name another folder to keep")
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionsError(f"the folder {keep} cannot be made: {error.strerror}") from error
    yield keep


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let whatever ends a program in order do what Ctrl-C does, so that everything is cleaned up."""
    default = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in default:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in default:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Do what Ctrl-C does just now: an event loop cancels its tasks, anything else raises KeyboardInterrupt."""
    handler = signal.getsignal(signal.SIGINT)
    (handler if callable(handler) else signal.default_int_handler)(number, frame)
