"""What several processes that serve together need to share, and a configuration for one may lack."""

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Final

from adapters.toml.problems import Finding
from server.config.checks import file_beside_database, key_file_of
from server.config.environment import TOKEN_KEYS_VARIABLE
from server.config.store import POSTGRES_VARIABLE
from server.config.tables import Tables, number_of, text_of
from server.http import fingerprint_keys

_PLACE: Final = ("server", "workers")


def check_workers(document: Tables, environ: Mapping[str, str], folder: FilePath) -> Iterator[Finding]:
    """Find what several workers lack: a store that all of them use, and keys that all of them know."""
    if not number_of(document, *_PLACE) > 1:
        return
    if not (environ.get(POSTGRES_VARIABLE) or text_of(document, "store", "postgres")):
        message = "several workers need a store that they share, and this one is for one process alone"
        yield Finding(_PLACE, message, f"set {POSTGRES_VARIABLE} to the URL of a PostgreSQL, or leave it at 1")
    if not environ.get(TOKEN_KEYS_VARIABLE) and key_file_of(document, folder) is None:
        message = "several workers need keys that sign decision ids in a file or a variable"
        yield Finding(_PLACE, message, f"name a token_key_file, or set {TOKEN_KEYS_VARIABLE}")
    named = text_of(document, "gateway", "fingerprint_key_file")
    if (
        text_of(document, "gateway", "listen")
        and not environ.get(fingerprint_keys.VARIABLE)
        and file_beside_database(document, folder, named, ".fingerprint") is None
    ):
        message = "several workers need the key of fingerprints in a file or a variable"
        yield Finding(_PLACE, message, f"name a fingerprint_key_file, or set {fingerprint_keys.VARIABLE}")
