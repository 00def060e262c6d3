"""One server per file: an advisory lock that the kernel releases when its holder dies, however it dies."""

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from adapters.ledger import StoreLockedError


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a lock: the id of the process, and where it listens; None and "" where it does not say."""

    pid: int | None = None
    address: str = ""


class FileLock:
    """Holds `<file>.lock` for as long as it lives. The lock file stays behind: its presence means nothing.

    What stands in it is of its last holder, and only to be believed while somebody holds it.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, file: Path) -> Self:
        """Lock `file`. Raises StoreLockedError when another holder has it, OSError when it cannot be made."""
        path = _name(file)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise StoreLockedError(
                f"{file} is in use by another server; stop that one or give this one another file"
            ) from error
        except OSError:
            os.close(descriptor)
            raise
        return cls(path, descriptor)

    def note(self, address: str) -> None:
        """Leave a note who holds the lock and, unless `address` is empty, where it listens."""
        # It only spares people a search: a full disk must not keep a server from starting.
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()} {address}\n".encode(), 0)

    @staticmethod
    def noted(file: Path) -> Holder:
        """Return who left a note last in the lock of `file`."""
        try:
            pid, address = _name(file).read_text(encoding="utf-8").rstrip("\n").split(" ")
            return Holder(int(pid), address)
        except (OSError, ValueError):
            return Holder()

    def release(self) -> None:
        """Let the next one have it."""
        os.close(self._descriptor)


def _name(file: Path) -> Path:
    return file.with_name(file.name + ".lock")
