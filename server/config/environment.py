"""Secrets of the server's own that stand in the environment."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from adapters.postgres_url import REMEDY, is_readable
from adapters.toml.problems import Problem
from server.config.store import POSTGRES_VARIABLE, UNREADABLE
from server.http import fingerprint_keys
from server.key_files import KeyFileError
from server.settings import TokenKey
from server.token_keys import TokenKeyError, parse_keys

TOKEN_KEYS_VARIABLE: Final = "ROUTEWARD_TOKEN_KEYS"  # noqa: S105


class Secrets(NamedTuple):
    """What the environment holds, each empty where it does not, and what is wrong with it."""

    token_keys: tuple[TokenKey, ...]
    fingerprint_key: bytes
    postgres_url: str
    problems: tuple[Problem, ...]


def secrets_of(environ: Mapping[str, str]) -> Secrets:
    """Read the keys that sign decision ids, the one of fingerprints, and where PostgreSQL is."""
    token_keys, wrong_token_keys = _token_keys(environ)
    fingerprint_key, wrong_fingerprint_key = _fingerprint_key(environ)
    postgres_url, wrong_url = _postgres_url(environ)
    wrong = *wrong_token_keys, *wrong_fingerprint_key, *wrong_url
    return Secrets(token_keys, fingerprint_key, postgres_url, wrong)


def _postgres_url(environ: Mapping[str, str]) -> tuple[str, list[Problem]]:
    text = environ.get(POSTGRES_VARIABLE, "")
    # It may hold a password, so it is not shown.
    if text and not text.startswith(("postgres://", "postgresql://")):
        return "", [Problem(POSTGRES_VARIABLE, "it is no URL of a PostgreSQL", REMEDY)]
    if not is_readable(text):
        return "", [Problem(POSTGRES_VARIABLE, UNREADABLE, REMEDY)]
    return text, []


def _token_keys(environ: Mapping[str, str]) -> tuple[tuple[TokenKey, ...], list[Problem]]:
    text = environ.get(TOKEN_KEYS_VARIABLE, "")
    try:
        return (parse_keys(text.split(","), TOKEN_KEYS_VARIABLE) if text else ()), []
    except TokenKeyError as error:
        hint = "make a key with  routeward keys rotate FILE  and join the lines of that file with commas"
        return (), [Problem(TOKEN_KEYS_VARIABLE, str(error), hint)]


def _fingerprint_key(environ: Mapping[str, str]) -> tuple[bytes, list[Problem]]:
    text = environ.get(fingerprint_keys.VARIABLE, "")
    try:
        return (fingerprint_keys.parse_key(text, fingerprint_keys.VARIABLE) if text else b""), []
    except KeyFileError as error:
        hint = "make one with  openssl rand -hex 32;  replicas share it"
        return b"", [Problem(fingerprint_keys.VARIABLE, str(error), hint)]
