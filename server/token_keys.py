"""Where the keys that sign decision ids come from: the environment, or a file that only its owner can read.

Both hold `id:hex` entries, in the environment separated by commas, in the file one a line. The first signs.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from server import key_files
from server.key_files import KeyFileError
from server.settings import ServerSettings, TokenKey
from server.tokens import TokenKeys

Entropy = Callable[[int], bytes]
"""Returns this many random bytes; `os.urandom`, but in tests."""

KEY_BYTES: Final = 32
_ENTRY: Final = re.compile(r"([A-Za-z0-9_-]{1,16}):((?:[0-9A-Fa-f]{2}){32,64})")


class TokenKeyError(Exception):
    """The keys that sign decision ids cannot be used; the text says what to do and never holds a secret."""


def token_keys(settings: ServerSettings, entropy: Entropy) -> TokenKeys:
    """Return the keys to use, making the key file where there is none. Raises TokenKeyError.

    Without a key in the environment and without a file, the keys last as long as the process.
    """
    if settings.token_keys:
        return TokenKeys(settings.token_keys)
    if settings.token_key_file is None:
        return TokenKeys([new_key(entropy)])
    return TokenKeys(read_or_create(settings.token_key_file, entropy))


def new_key(entropy: Entropy) -> TokenKey:
    """Make a key with an id of its own."""
    return TokenKey(entropy(4).hex(), entropy(KEY_BYTES))


def parse_keys(entries: Iterable[str], origin: str) -> tuple[TokenKey, ...]:
    """Read `id:hex` entries that `origin` holds; empty ones do not count. Raises TokenKeyError."""
    keys = []
    for number, entry in enumerate((entry.strip() for entry in entries), 1):
        matched = _ENTRY.fullmatch(entry)
        if matched:
            keys.append(TokenKey(matched[1], bytes.fromhex(matched[2])))
        elif entry:
            raise TokenKeyError(f"entry {number} of {origin} is not ID:HEX with 64 to 128 hexadecimal digits")
    if not keys:
        raise TokenKeyError(f"{origin} holds no key; make one with `routeward keys rotate`")
    if len({key.id for key in keys}) < len(keys):
        raise TokenKeyError(f"{origin} holds two keys of one id; decision ids name their key by it")
    return tuple(keys)


def read_or_create(path: Path, entropy: Entropy) -> tuple[TokenKey, ...]:
    """Return the keys of a file, which is made with one new key where it is missing. Raises TokenKeyError."""
    try:
        return read_keys(path)
    except FileNotFoundError:
        write_keys(path, [new_key(entropy)], replace=False)
        return read_keys(path)


def read_keys(path: Path) -> tuple[TokenKey, ...]:
    """Return the keys of a file. Raises FileNotFoundError where there is none, TokenKeyError where it is unfit."""
    try:
        entries = key_files.read_entries(path)
    except KeyFileError as error:
        raise TokenKeyError(str(error)) from error
    return parse_keys(entries, str(path))


def write_keys(path: Path, keys: Iterable[TokenKey], *, replace: bool) -> None:
    """Write a key file that only its owner can read, whole or not at all.

    An existing file is replaced, or else left as it is. Raises TokenKeyError where the folder refuses.
    """
    text = "# Signs decision ids; the first key signs, all are accepted. Replicas must share this file.\n"
    text += "".join(f"{key.id}:{key.secret.hex()}\n" for key in keys)
    try:
        key_files.write(path, text, replace=replace)
    except KeyFileError as error:
        raise TokenKeyError(str(error)) from error
