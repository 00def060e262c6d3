"""Rows of one file as mappings: comma-separated values and JSON (standard library), or Parquet (DuckDB).

Text may be compressed with gzip. What a file holds is told by its content first and by its suffix second.
"""

import codecs
import csv
import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, NamedTuple, cast

from adapters.traffic.errors import LogError, MissingExtraError

Row = Mapping[str, object]
FileKind = Literal["csv", "json lines", "json", "parquet"]
_FETCHED: Final = 10_000
BROKEN: Final[Row] = {}
"""Stands for a row that cannot be read."""
MAX_LINE_BYTES: Final = 1_000_000
"""A longer line of a table is no row of a log, and is never held in memory as a whole."""
MAX_JSON_BYTES: Final = 32_000_000
"""The same for a line or an element of JSON: collectors of traces write thousands of spans in one."""
MAX_DOCUMENT_BYTES: Final = 64_000_000
"""A single JSON document is read as a whole."""
_STAND_INS: Final = ("-\n", '"\n')
"""For a line with an even and with an odd number of quotes: a cell over several lines still ends where it did."""
_DELIMITERS: Final = ",;\t"
_BLANKS: Final = " \t\r\n"
_KINDS: Final[Mapping[str, FileKind]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
    ".json": "json",
    ".parquet": "parquet",
}
SUFFIXES: Final = tuple(_KINDS)


class Record(NamedTuple):
    """A row, its line in the file (an element or a row counts as one), and the share of the file read with it.

    `file` is its name where the log has several.
    """

    row: Row
    line: int
    done: float
    file: str = ""


class _Line(NamedTuple):
    """A line, what is read of the file with it, and whether it was too long: its text only stands for it then."""

    text: str
    done: float
    is_too_long: bool = False


def records_of(path: Path) -> Iterator[Record]:
    """Yield every row of a file; `BROKEN` stands for one that cannot be read.

    Raises LogError for a file that is not there, of another format or not readable, and MissingExtraError.
    """
    match kind_of(path):
        case "csv":
            return _table(path)
        case "json lines":
            return _json_lines(path)
        case "json":
            return _json(path)
        case "parquet":
            return _parquet(path)


def kind_of(path: Path) -> FileKind:
    """Return what a file holds. Raises LogError for one that is not there or holds something else."""
    if not path.is_file():
        raise LogError(f"{path} is not a file")
    suffix = path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    kind = _KINDS.get(suffix)
    try:
        with _opened(path) as (file, _):
            start = file.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip()
    except (OSError, EOFError) as error:
        raise LogError(f"{path} cannot be read: {error}") from error
    if start.startswith(b"PAR1"):
        return "parquet"
    if start[:1] in (b"{", b"[") and kind != "json lines":
        return "json"
    if kind is None:
        raise LogError(f"{path}: cannot read '{suffix}'; give a .jsonl, .json, .csv or .parquet file, or a folder")
    return kind


class _Opened(NamedTuple):
    """What is read, and the file on disk that tells how far."""

    content: BinaryIO
    on_disk: BinaryIO


@contextmanager
def _opened(path: Path) -> Iterator[_Opened]:
    with path.open("rb") as file:
        is_compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        yield _Opened(cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_compressed else file, file)


def _lines(path: Path, limit: int) -> Iterator[_Line]:
    size, is_first = max(path.stat().st_size, 1), True
    try:
        with _opened(path) as (file, on_disk):
            while line := file.readline(limit + 1):
                encoding = "utf-8-sig" if is_first else "utf-8"
                is_first = False
                if len(line) <= limit:
                    yield _Line(line.decode(encoding), on_disk.tell() / size)
                else:
                    quotes = _quotes_to_the_end(file, line)
                    yield _Line(_STAND_INS[quotes % 2], on_disk.tell() / size, is_too_long=True)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise LogError(f"{path} cannot be read as UTF-8 text: {error}") from error


def _quotes_to_the_end(file: BinaryIO, line: bytes) -> int:
    """Read on to the end of a line; return the number of quotes in the whole line."""
    quotes = line.count(b'"')
    while line and not line.endswith(b"\n"):
        line = file.readline(MAX_LINE_BYTES)
        quotes += line.count(b'"')
    return quotes


def _table(path: Path) -> Iterator[Record]:
    done, is_cut = 0.0, False

    def text() -> Iterator[str]:
        nonlocal done, is_cut
        for line in _lines(path, MAX_LINE_BYTES):
            done, is_cut = line.done, is_cut or line.is_too_long
            yield line.text

    lines = text()
    head = next(lines, "")
    if is_cut:
        raise LogError(f"{path}: the line with the names of columns is longer than {MAX_LINE_BYTES:,} bytes")
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.DictReader(_again(head, lines), restkey="", delimiter=delimiter)
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        for row in reader:
            is_whole = not is_cut and "" not in row and None not in row.values()
            yield Record(row if is_whole else BROKEN, reader.line_num, done)
            is_cut = False
    except csv.Error as error:
        raise LogError(f"{path} cannot be read as comma-separated values: {error}") from error


def _again(first: str, others: Iterator[str]) -> Iterator[str]:
    yield first
    yield from others


def _json_lines(path: Path) -> Iterator[Record]:
    for number, (text, done, is_too_long) in enumerate(_lines(path, MAX_JSON_BYTES), start=1):
        if text.strip():
            yield Record(BROKEN if is_too_long else _object(text), number, done)


def _object(text: str) -> Row:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return BROKEN
    return row if isinstance(row, dict) else BROKEN


def _json(path: Path) -> Iterator[Record]:
    """Yield lines of objects, elements of an array, or the one object that the file is."""
    first = next((line for line in _lines(path, MAX_JSON_BYTES) if line.text.strip()), _Line("", 1.0))
    if first.text.lstrip("\ufeff \t\r\n").startswith("["):
        return _elements(path)
    is_whole = first.is_too_long or _object(first.text) is not BROKEN
    return _json_lines(path) if is_whole else _document(path)


def _document(path: Path) -> Iterator[Record]:
    """Yield the object that a file is, or those that its `data` lists, as answers of services do."""
    with _opened(path) as (file, _):
        content = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(content) > MAX_DOCUMENT_BYTES:
        raise LogError(
            f"{path} is one JSON document over {MAX_DOCUMENT_BYTES // 1_000_000} MB; write one object a line"
        )
    try:
        document: Any = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise LogError(f"{path} is neither JSON nor lines of JSON: {error}") from error
    listed = document.get("data")
    rows = listed if isinstance(listed, list) else [document]
    for number, row in enumerate(rows, start=1):
        yield Record(row if isinstance(row, dict) else BROKEN, number, number / len(rows))


def _elements(path: Path) -> Iterator[Record]:
    """Yield the elements of an array, as much of it in memory as is read at a time."""
    decoder, text, number = json.JSONDecoder(), "", 0
    for piece, done in _pieces(path):
        text, start = text + piece, 0
        while True:
            start = _end_of_blanks(text, start, "[" if number == 0 else ",")
            try:
                element, end = decoder.raw_decode(text, start)
            except (ValueError, RecursionError):
                break
            if end == len(text):  # it may go on
                break
            number, start = number + 1, end
            yield Record(element if isinstance(element, dict) else BROKEN, number, done)
        text = text[start:]
        if len(text) > MAX_JSON_BYTES:
            break
    if text.strip() != "]":
        raise LogError(f"{path}: element {number + 1} of the array is no JSON, cut or too long")


def _end_of_blanks(text: str, start: int, mark: str) -> int:
    while text[start : start + 1] in _BLANKS + mark and start < len(text):
        start += 1
    return start


def _pieces(path: Path) -> Iterator[tuple[str, float]]:
    size = max(path.stat().st_size, 1)
    try:
        with _opened(path) as (file, on_disk):
            decoder = codecs.getincrementaldecoder("utf-8-sig")()
            while content := file.read(MAX_LINE_BYTES):
                yield decoder.decode(content), on_disk.tell() / size
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise LogError(f"{path} cannot be read as UTF-8 text: {error}") from error


def _parquet(path: Path) -> Iterator[Record]:
    if find_spec("duckdb") is None:
        raise MissingExtraError(
            f"reading {path.name} needs DuckDB: pip install 'routeward[replay]' (or convert the log to .csv)"
        )
    import duckdb

    with duckdb.connect() as connection:
        try:
            [total] = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone() or (0,)
            found = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
            columns, read = [column for column, *_ in found.description or ()], 0
            while rows := found.fetchmany(_FETCHED):
                for row in rows:
                    read += 1
                    yield Record(dict(zip(columns, row, strict=True)), read, read / total)
        except duckdb.Error as error:
            raise LogError(f"{path} cannot be read as Parquet: {error}") from error
