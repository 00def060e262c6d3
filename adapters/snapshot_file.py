"""What was learned, in one local file: for a server that starts while its database does not answer.

Two lines of JSON. The first names format, version and SHA-256 of the second, which holds what was learned of each
namespace, and the registry. Readers ignore members that they do not know, so that more can be kept later under the same
version.
"""

import glob
import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Final

from adapters.ledger import StoredSums, StoreError
from adapters.registry import Entry, EntryKey, EntryKind, Registry
from adapters.saved import Saved
from bandit.spend import SpendKey, Tally
from bandit.sums import Moments, RowKey

FORMAT: Final = "routeward-snapshot"
VERSION: Final = 1
BESIDE: Final = ".new"


class SnapshotFileError(StoreError):
    """The file cannot be read, or written."""


class SnapshotFile:
    """A `server.ports.SavedSums` in a file. Its folder must exist. `bucket_us` is the width of a bucket of the sums."""

    def __init__(self, file: Path, *, bucket_us: int) -> None:
        self._file = file
        self._bucket_us = bucket_us
        self._writing = Lock()

    def read(self) -> Saved:
        """Return what was saved last; nothing where there is no file.

        Raises SnapshotFileError where it is damaged, of another version, or of buckets of another width.
        """
        try:
            header, _, body = self._file.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return Saved()
        except OSError as error:
            raise SnapshotFileError(f"{self._file} cannot be read: {error.strerror}") from error
        try:
            self._check(json.loads(header), body)
            document = json.loads(body)
            if document["bucket_us"] != self._bucket_us:
                raise SnapshotFileError(f"{self._file} keeps time buckets of {document['bucket_us']} us")
            namespaces = {name: _stored(learned) for name, learned in document["namespaces"].items()}
            return Saved(namespaces, _registry(document.get("registry", {"version": 0, "entries": []})))
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise SnapshotFileError(f"{self._file} is damaged") from error

    def write(self, saved: Saved) -> None:
        """Replace the file whole, once what replaces it is on the disk. Raises SnapshotFileError."""
        document = {
            "bucket_us": self._bucket_us,
            "namespaces": {name: _document(stored) for name, stored in saved.namespaces.items()},
            "registry": {"version": saved.registry.version, "entries": [*map(_entry, saved.registry.entries.values())]},
        }
        body = json.dumps(document, separators=(",", ":")).encode()
        header = json.dumps({"format": FORMAT, "version": VERSION, "sha256": sha256(body).hexdigest()}).encode()
        try:
            self._replace(header + b"\n" + body)
        except OSError as error:
            raise SnapshotFileError(f"{self._file} cannot be written: {error.strerror}") from error

    def _replace(self, content: bytes) -> None:
        # While a worker is replaced there are two processes with the file: each writes beside it on its own.
        beside = self._file.with_name(f"{self._file.name}.{os.getpid()}{BESIDE}")
        with self._writing:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._file)
            self._remove_left_overs()
            _sync_folder(self._file.parent)

    def _remove_left_overs(self) -> None:
        """Remove what processes that ended while they wrote have left."""
        for left in self._file.parent.glob(f"{glob.escape(self._file.name)}.*{BESIDE}"):
            pid = left.name.removeprefix(f"{self._file.name}.").removesuffix(BESIDE)
            if pid.isdecimal() and not _is_running(int(pid)):
                left.unlink(missing_ok=True)

    def _check(self, header: Mapping[str, Any], body: bytes) -> None:
        if header["format"] != FORMAT or header["version"] != VERSION:
            raise SnapshotFileError(f"{self._file} is of another version than {VERSION}")
        if header["sha256"] != sha256(body).hexdigest():
            raise SnapshotFileError(f"{self._file} is damaged")


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _sync_folder(folder: Path) -> None:
    """Have the disk hold the new name too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _document(stored: StoredSums) -> dict[str, Any]:
    return {
        "revision": stored.revision,
        "rows": [(*key, *moments) for key, moments in stored.rows.items()],
        "categories": stored.categories,
        "spend": [(*key, *tally) for key, tally in stored.spend.items()],
    }


def _stored(learned: Mapping[str, Any]) -> StoredSums:
    return StoredSums(
        int(learned["revision"]),
        {RowKey(*row[:5]): Moments(*row[5:]) for row in learned["rows"]},
        tuple(learned["categories"]),
        {SpendKey(*row[:4]): Tally(*row[4:]) for row in learned["spend"]},
    )


def _entry(entry: Entry) -> list[Any]:
    return [*entry.key, entry.settings, entry.managed_by, entry.version]


def _registry(document: Mapping[str, Any]) -> Registry:
    entries = [
        Entry(EntryKey(EntryKind(kind), namespace, name), settings, managed_by, version)
        for kind, namespace, name, settings, managed_by, version in document["entries"]
    ]
    return Registry(int(document["version"]), {entry.key: entry for entry in entries})
