"""A server process as one of several: the sockets that it inherits, and what its supervisor and it tell each other.

They speak over a pair of sockets. The worker says one line of JSON: where it serves, or why it does not. The supervisor
says single letters, and its end, whatever the reason, is an order to drain.
"""

import asyncio
import json
import os
import re
import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from server.listening import Addresses, Inherited
from server.settings import Settings

DRAIN: Final = b"d"
"""The whole service stops: tell health checks, then let callers leave."""

RETIRE: Final = b"r"
"""Another worker serves in this one's place already: callers need no time to go elsewhere."""

HURRY: Final = b"h"

LONGEST_REASON: Final = 4096
"""Characters; JSON makes at most 48 KiB of them, which is sent at once and is no longer than lines may be."""

_ORDERS_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker is told at its start: its number, the addresses, and the numbers of open files that it inherits.

    `link` is the pair's end of the worker. Without `metrics_file` and `gateway_file` there are none to serve on.
    """

    number: int
    workers: int
    listen: str
    metrics: str
    link: int
    metrics_file: int | None = None
    gateway_file: int | None = None

    def text(self) -> str:
        """Return it as one argument of a command."""
        return json.dumps(asdict(self))

    @classmethod
    def parsed(cls, text: str) -> "Place":
        """Read what `text` returned."""
        return cls(**json.loads(text))

    @property
    def files(self) -> tuple[int, ...]:
        """Open files that the process must inherit."""
        return tuple(file for file in (self.link, self.metrics_file, self.gateway_file) if file is not None)


def with_own_files(settings: Settings, number: int) -> Settings:
    """Return the settings of a worker: what one process alone can have gets its number, as `spool.db` `spool.0.db`."""
    return replace(
        settings,
        store=replace(settings.store, snapshot_path=_own(settings.store.snapshot_path, number)),
        spool=replace(settings.spool, path=_own(settings.spool.path, number)),
    )


def taking_over(settings: Settings) -> Settings:
    """Return the settings, before files have numbers, of the one process that takes over the spools of nobody.

    Those are left by more workers than there are now, or by a server without workers where there are some now.
    """
    path, workers = settings.spool.path, settings.server.workers
    if path is None:
        return settings
    own = {numbered(path, number) for number in range(workers)} if workers > 1 else {path}
    named = re.compile(rf"{re.escape(path.stem)}(\.(0|[1-9]\d*))?{re.escape(path.suffix)}")
    try:
        names = os.listdir(path.parent)
    except OSError:
        return settings  # opening the spool says what is wrong with the folder, if it is needed
    found = (path.with_name(name) for name in names if named.fullmatch(name))
    return replace(settings, spool=replace(settings.spool, left=tuple(sorted(one for one in found if one not in own))))


def numbered(path: Path, number: int) -> Path:
    """Return the name of a file for the worker of this number."""
    return path.with_name(f"{path.stem}.{number}{path.suffix}")


def _own(path: Path | None, number: int) -> Path | None:
    return path and numbered(path, number)


class Worker:
    """A worker, as it sees itself."""

    def __init__(self, place: Place) -> None:
        self.number: Final = place.number
        self.inherited: Final = Inherited(
            _inherited(place.metrics_file), _inherited(place.gateway_file), is_worker=True
        )
        self.is_replaced = False
        """Whether another worker serves in this one's place."""
        self._link = socket.socket(fileno=place.link)
        self._link.setblocking(False)

    def obey(self, stop: asyncio.Event, hurry: asyncio.Event) -> None:
        """Set the events when the supervisor says so; `stop` also when there is none any more."""
        loop = asyncio.get_running_loop()

        def on_order() -> None:
            orders = self._link.recv(_ORDERS_BYTES)
            if not orders:
                loop.remove_reader(self._link)
            self.is_replaced = self.is_replaced or RETIRE in orders
            stop.set()
            if HURRY in orders:
                hurry.set()

        loop.add_reader(self._link, on_order)

    def tell_ready(self, addresses: Addresses) -> None:
        """Tell the supervisor that this worker serves."""
        self._tell({"ready": addresses.grpc})

    def tell_refused(self, why: str) -> None:
        """Tell the supervisor why this worker cannot serve, in the first `LONGEST_REASON` characters of it."""
        self._tell({"refused": why[:LONGEST_REASON]})

    def close(self) -> None:
        """Hear and tell nothing any more."""
        self._link.close()

    def _tell(self, message: dict[str, str]) -> None:
        try:
            self._link.send(json.dumps(message).encode() + b"\n")
        except OSError:
            return  # the supervisor is gone, which is an order of its own


def _inherited(file: int | None) -> socket.socket | None:
    return None if file is None else socket.socket(fileno=file)
