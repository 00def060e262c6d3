"""Text of a file, by the line or in pieces, compressed with gzip or not; never more in memory than a limit."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

from adapters.traffic.errors import LogError

PIECE_BYTES: Final = 1_000_000
_STAND_INS: Final = ("-\n", '"\n')
"""For a line with an even and with an odd number of quotes: a cell over several lines still ends where it did."""


class Line(NamedTuple):
    """A line, what is read of the file with it, and whether it was too long: its text only stands for it then."""

    text: str
    done: float
    is_too_long: bool = False


class Opened(NamedTuple):
    """What is read, and the file on disk that tells how far."""

    content: BinaryIO
    on_disk: BinaryIO


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a file for reading. Whatever prevents that, also later on, is a LogError."""
    try:
        with path.open("rb") as file:
            is_compressed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            yield Opened(cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_compressed else file, file)
    except (OSError, EOFError, zlib.error) as error:
        raise LogError(f"{path} cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise LogError(f"{path} cannot be read as UTF-8 text: {error}") from error


def lines(path: Path, limit: int) -> Iterator[Line]:
    """Yield lines. Raises LogError where the file is no text in UTF-8."""
    with opened(path) as (file, on_disk):
        size, encoding = max(path.stat().st_size, 1), "utf-8-sig"
        while line := file.readline(limit + 1):
            if len(line) <= limit:
                yield Line(line.decode(encoding), on_disk.tell() / size)
            else:
                quotes = _quotes_to_the_end(file, line)
                yield Line(_STAND_INS[quotes % 2], on_disk.tell() / size, is_too_long=True)
            encoding = "utf-8"


def _quotes_to_the_end(file: BinaryIO, line: bytes) -> int:
    """Read on to the end of a line; return the number of quotes in the whole line."""
    quotes = line.count(b'"')
    while line and not line.endswith(b"\n"):
        line = file.readline(PIECE_BYTES)
        quotes += line.count(b'"')
    return quotes


def pieces(path: Path) -> Iterator[tuple[str, float]]:
    """Yield text, and the share of the file read with it. Raises LogError where it is no text in UTF-8."""
    with opened(path) as (file, on_disk):
        size, decoder = max(path.stat().st_size, 1), codecs.getincrementaldecoder("utf-8-sig")()
        while content := file.read(PIECE_BYTES):
            yield decoder.decode(content), on_disk.tell() / size
