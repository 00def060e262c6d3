"""Copies of a store's file: made beside a running server, proved, and put in place whole or not at all."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, NullPool, create_engine

from adapters.ledger import StoreError
from adapters.sql import preparing, versions
from adapters.sql.sqlite.errors import DRIVER_ERRORS, typed_error
from adapters.sql.sqlite.inspection import facts_of, read_only
from adapters.sql.sqlite.lock import FileLock
from adapters.sql.verification import verify

PAGES: Final = 4096
"""Pages that are copied between two reports of progress."""
COMPANIONS: Final = ("-wal", "-shm")
"""What SQLite keeps beside a file, by the ending of its name."""

Progress = Callable[[int, int], object]
"""Told how much is done, of how much."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found of a copy: its version, how large it is, how many rows of its sums or spend differ from its log.

    The last is None where its tables are of an earlier version, which cannot be compared.
    """

    version: str
    size_bytes: int
    differing: int | None


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """Give a hidden name beside a path, for a file that only its owner can read; remove what is left of it."""
    file = path.with_name(f".{path.name}.part")
    try:
        _discard(file)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        yield file
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}; nothing that was there is lost") from error
    finally:
        _discard(file)


def copy_file(source: Path, target: Path, progress: Progress) -> None:
    """Copy a store as it is at one moment, also beside its server; the copy is one file, without a log beside it."""
    with read_only(source) as connection, closing(sqlite3.connect(target)) as copy:
        # The transaction of the connection begins with its first reading; what is written later is not copied.
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101 -- for the type alone
        try:
            driver.backup(copy, pages=PAGES, progress=lambda _, left, pages: progress(pages - left, pages))
            copy.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            raise StoreError(f"{source} cannot be copied to {target.parent}: {error}; nothing was lost") from error


def proved(file: Path, progress: Progress) -> Proof:
    """Return what is found of a copy. Raises StoreError for one that is damaged, or no store."""
    facts = facts_of(file)
    if facts.version is None or facts.bucket_us is None:
        raise StoreError(f"{file} is empty: a store that no server ever opened")
    with read_only(file) as connection:
        found = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
        if found != "ok":
            raise StoreError(f"the copy is damaged ({found}); check the disk, and the store itself")
        differing = None
        if facts.version == versions.HEAD:
            found_rows = verify(connection, bucket_us=facts.bucket_us, progress=progress)
            differing = sum(map(len, found_rows.values()))
    return Proof(facts.version, file.stat().st_size, differing)


def upgrade_copy(file: Path) -> None:
    """Bring the tables of a copy to the version of this code."""
    bucket_us = facts_of(file).bucket_us
    if bucket_us is None:
        raise StoreError(f"{file} is empty: a store that no server ever opened")
    with writing(file) as connection:
        preparing.prepare(connection, bucket_us=bucket_us)


@contextmanager
def writing(file: Path) -> Iterator[Connection]:
    """Give a connection to a file that nobody else has, in one transaction."""
    opened = partial(sqlite3.connect, file, isolation_level=None)
    engine = create_engine("sqlite://", creator=opened, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()
    except DRIVER_ERRORS as error:
        raise typed_error(error, file) from error


def put_in_place(file: Path, path: Path) -> None:
    """Bring a file to the disk, and give it its name: what was there is replaced in one step."""
    on_disk(file)
    file.replace(path)
    on_disk(path.parent)


def replace_store(file: Path, store: Path, kept: Path) -> Path | None:
    """Put a file in the place of a store that nobody has open; return where that one is kept, None without one.

    Raises StoreLockedError while a server has it.
    """
    store = store.resolve()
    lock = FileLock.acquire(store)
    try:
        replaced = store.exists() and store.stat().st_size > 0
        if replaced:
            # Its log first: it must never be taken for that of another file.
            for ending in (*COMPANIONS, ""):
                with suppress(FileNotFoundError):
                    store.with_name(store.name + ending).rename(kept.with_name(kept.name + ending))
        put_in_place(file, store)
    finally:
        lock.release()
    return kept if replaced else None


def on_disk(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(file: Path) -> None:
    for ending in ("", "-journal", *COMPANIONS):
        file.with_name(file.name + ending).unlink(missing_ok=True)
