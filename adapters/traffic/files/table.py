"""Tables as text: commas, semicolons or tabs between cells."""

import csv
import reprlib
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from adapters.traffic.errors import LogError
from adapters.traffic.files.text import lines
from adapters.traffic.rows import BROKEN, Record

MAX_LINE_BYTES: Final = 1_000_000
"""A longer line is no row of a log, and is never held in memory as a whole."""
MAX_CELL_BYTES: Final = 32_000_000
"""The same for a cell over several lines."""
_DELIMITERS: Final = ",;\t"


def table(path: Path) -> Iterator[Record]:
    """Yield the rows of a table. Raises LogError where it is none."""
    done, is_cut = 0.0, False

    def text() -> Iterator[str]:
        nonlocal done, is_cut
        for line in lines(path, MAX_LINE_BYTES):
            done, is_cut = line.done, is_cut or line.is_too_long
            yield line.text

    read = text()
    head = next(read, "")
    if is_cut:
        raise LogError(f"{path}: the line with the names of columns is longer than {MAX_LINE_BYTES:,} bytes")
    delimiter = max(_DELIMITERS, key=head.count)
    csv.field_size_limit(MAX_CELL_BYTES)
    reader = csv.DictReader(chain([head], read), delimiter=delimiter)
    try:
        reader.fieldnames = names = [name.strip() for name in reader.fieldnames or ()]
        if twice := [name for name, count in Counter(filter(None, names)).items() if count > 1]:
            raise LogError(f"{path} has several columns called {reprlib.repr(twice[0])}; leave one, or rename them")
        for row in reader:
            is_whole = not is_cut and None not in row and None not in row.values()
            yield Record(row if is_whole else BROKEN, reader.line_num, done)
            is_cut = False
    except csv.Error as error:
        raise LogError(f"{path} cannot be read as comma-separated values: {error}") from error
