"""How a PostgreSQL of one's own is taken away, and given back."""

import errno
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks._postgres import PostgresServer
from benchmarks._silence import Silence

ROOM_MB: Final = 512
"""Size of a disk that is filled; the programs of the server may be copied there as well."""

PIECE: Final = bytes(65_536)


@dataclass(frozen=True, slots=True)
class Place:
    """A server, an empty database of it, how a service reaches that, and what a fault needs besides."""

    server: PostgresServer
    database: str
    url: str
    silence: Silence | None = None
    disk: Path | None = None

    def psql(self, statement: str) -> str:
        """Run a statement in the database."""
        return self.server.psql(statement, self.database)


@dataclass(frozen=True, slots=True)
class Fault:
    """What takes a database away, and gives it back."""

    place: Callable[[Path], AbstractContextManager[Place]]
    begin: Callable[[Place], None]
    end: Callable[[Place], None]
    needs_root: bool = False


@contextmanager
def on_a_socket(_folder: Path) -> Iterator[Place]:
    """Yield a server that is reached over a socket of its machine."""
    with _running(PostgresServer.start()) as server:
        database = server.create_database()
        yield Place(server, database, server.url(database))


@contextmanager
def over_a_network(_folder: Path) -> Iterator[Place]:
    """Yield a server that is reached over something that can fall silent."""
    port = _free_port()
    with _running(PostgresServer.start(port=port)) as server:
        database, silence = server.create_database(), Silence(port)
        try:
            url = server.loopback_url(database).replace(f":{port}/", f":{silence.port}/")
            yield Place(server, database, url, silence=silence)
        finally:
            silence.close()


@contextmanager
def on_a_small_disk(folder: Path) -> Iterator[Place]:
    """Yield a server on a file system of its own."""
    disk = folder / "disk"
    disk.mkdir()
    # The server runs as another user.
    folder.chmod(0o755)
    _system("mount", "-t", "tmpfs", "-o", f"size={ROOM_MB}m,mode=755", "tmpfs", str(disk))
    try:
        # Little log is kept ahead, so that room for more is needed soon.
        with _running(PostgresServer.start(within=disk, min_wal_size="32MB", max_wal_size="64MB")) as server:
            database = server.create_database()
            yield Place(server, database, server.url(database), disk=disk)
    finally:
        _system("umount", "--lazy", str(disk))


@contextmanager
def _running(server: PostgresServer) -> Iterator[PostgresServer]:
    try:
        yield server
    finally:
        server.stop()


def fall_silent(place: Place) -> None:
    """Let nothing pass between the service and the server."""
    assert place.silence
    place.silence.fall()


def be_heard(place: Place) -> None:
    """Let everything pass."""
    assert place.silence
    place.silence.end()


def fill(place: Place) -> None:
    """Take all the room there is."""
    assert place.disk
    try:
        with (place.disk / "filling").open("wb", buffering=0) as file:
            while file.write(PIECE):
                pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def make_room(place: Place) -> None:
    """Give the room back; a server that ended for want of it is started, as whoever looks after it would."""
    assert place.disk
    (place.disk / "filling").unlink()
    if not place.server.runs:
        place.server.resume()


FAULTS: Final[Mapping[str, Fault]] = {
    "stopped": Fault(on_a_socket, lambda place: place.server.halt(), lambda place: place.server.resume()),
    "frozen": Fault(on_a_socket, lambda place: place.server.freeze(), lambda place: place.server.thaw()),
    "unreachable": Fault(over_a_network, fall_silent, be_heard),
    "read_only": Fault(
        on_a_socket,
        lambda place: place.server.configure("default_transaction_read_only", "on"),
        lambda place: place.server.configure("default_transaction_read_only", "off"),
    ),
    "full": Fault(on_a_small_disk, fill, make_room, needs_root=True),
}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _system(*command: str) -> None:
    subprocess.run(command, check=True)
