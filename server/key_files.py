"""Files that hold keys: only their owner can read them, and they are written whole or not at all."""

import os
import stat
from pathlib import Path
from typing import Final

MAX_CHARACTERS: Final = 65_536


class KeyFileError(Exception):
    """A file of keys cannot be used; the text says what to do and never holds a secret."""


def read_entries(path: Path) -> list[str]:
    """Return the lines of a file without comments. Raises FileNotFoundError where there is none, KeyFileError."""
    try:
        # Opened without waiting, as a pipe would have it.
        with open(path, encoding="ascii", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise KeyFileError(f"{path} is no regular file; name one, or none to have it made")
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise KeyFileError(f"{path} can be read by others; run  chmod 600 {path}")
            lines = file.read(MAX_CHARACTERS).splitlines()
    except FileNotFoundError:
        raise
    except (OSError, UnicodeError) as error:
        raise KeyFileError(f"{path} cannot be read: {_reason(error)}") from error
    return [line.partition("#")[0] for line in lines]


def write(path: Path, text: str, *, replace: bool) -> None:
    """Write a file of mode 0600. An existing one is replaced, or else left as it is. Raises KeyFileError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _publish(draft, path, replace=replace)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {_reason(error)}") from error


def _publish(draft: Path, path: Path, *, replace: bool) -> None:
    try:
        if replace:
            draft.replace(path)
        elif not path.exists():
            path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)


def _reason(error: OSError | UnicodeError) -> str:
    return error.strerror or "unknown reason" if isinstance(error, OSError) else "it is not ASCII text"
