"""Where the key of fingerprints comes from: the environment, or a file that only its owner can read.

Both hold 32 to 64 bytes in hexadecimal. Replicas must share it: under another key the same task has another name.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from server import key_files
from server.key_files import KeyFileError
from server.settings import GatewaySettings

KEY_BYTES: Final = 32
VARIABLE: Final = "ROUTEWARD_FINGERPRINT_KEY"
_KEY: Final = re.compile(r"(?:[0-9A-Fa-f]{2}){32,64}")


def fingerprint_key(settings: GatewaySettings, entropy: Callable[[int], bytes]) -> bytes:
    """Return the key to use, making its file where there is none. Raises KeyFileError.

    Without a key in the environment and without a file, it lasts as long as the process.
    """
    if settings.fingerprint_key:
        return settings.fingerprint_key
    if settings.fingerprint_key_file is None:
        return entropy(KEY_BYTES)
    return _read_or_create(settings.fingerprint_key_file, entropy)


def parse_key(text: str, origin: str) -> bytes:
    """Read the key that `origin` holds. Raises KeyFileError."""
    if _KEY.fullmatch(text.strip()) is None:
        raise KeyFileError(f"{origin} is not one key of 64 to 128 hexadecimal digits")
    return bytes.fromhex(text.strip())


def _read_or_create(path: Path, entropy: Callable[[int], bytes]) -> bytes:
    try:
        return _read(path)
    except FileNotFoundError:
        text = "# Names kinds of tasks; learned categories depend on it. Replicas must share this file.\n"
        key_files.write(path, f"{text}{entropy(KEY_BYTES).hex()}\n", replace=False)
        return _read(path)


def _read(path: Path) -> bytes:
    return parse_key("\n".join(key_files.read_entries(path)), str(path))
