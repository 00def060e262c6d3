"""One server per file: an advisory lock that the kernel releases when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path
from typing import Self

from adapters.ledger import StoreLockedError


class FileLock:
    """Holds `<file>.lock` for as long as it lives. The lock file stays behind: its presence means nothing."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, file: Path) -> Self:
        """Lock `file`. Raises StoreLockedError when another holder has it, OSError when it cannot be made."""
        lock = file.with_name(file.name + ".lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
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
        return cls(descriptor)

    def release(self) -> None:
        """Let the next one have it."""
        os.close(self._descriptor)
