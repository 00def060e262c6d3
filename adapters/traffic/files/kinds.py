"""What a file holds is told by its content first and by its suffix second."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

from adapters.traffic.errors import LogError
from adapters.traffic.files.json_rows import json_lines, json_rows
from adapters.traffic.files.parquet import parquet
from adapters.traffic.files.table import table
from adapters.traffic.files.text import opened
from adapters.traffic.rows import Record

FileKind = Literal["csv", "json lines", "json", "parquet"]
_KINDS: Final[Mapping[str, FileKind]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
    ".json": "json",
    ".parquet": "parquet",
}
_LOOKED_AT: Final = 1024
SUFFIXES: Final = tuple(_KINDS)


def records_of(path: Path) -> Iterator[Record]:
    """Yield every row of a file; `BROKEN` stands for one that cannot be read.

    Raises LogError for a file that is not there, of another format or not readable, and MissingExtraError.
    """
    match kind_of(path):
        case "csv":
            return table(path)
        case "json lines":
            return json_lines(path)
        case "json":
            return json_rows(path)
        case "parquet":
            return parquet(path)


def kind_of(path: Path) -> FileKind:
    """Return what a file holds. Raises LogError for one that is not there or holds something else."""
    if not path.is_file():
        raise LogError(f"{path} is not a file" if path.exists() else f"{path} does not exist")
    suffix = path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    kind = _KINDS.get(suffix)
    with opened(path) as (file, _):
        start = file.read(_LOOKED_AT).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"PAR1"):
        return "parquet"
    if start[:1] in (b"{", b"[") and kind != "json lines":
        return "json"
    if kind is None:
        raise LogError(f"{path}: cannot read '{suffix}'; give a .jsonl, .json, .csv or .parquet file, or a folder")
    return kind
