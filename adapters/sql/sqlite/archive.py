"""The archive of a store in a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from adapters.sql.archive import FolderArchive
from adapters.sql.sqlite.inspection import read_only

P = ParamSpec("P")
T = TypeVar("T")


def file_archive(folder: Path, file: Path) -> FolderArchive:
    """Return one that reads the file beside the server that has it, on connections of its own."""

    def read(work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with read_only(file) as connection:
            return work(connection, *args, **kwargs)

    return FolderArchive(folder, lambda _: read)
