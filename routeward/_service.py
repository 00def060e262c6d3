"""Where the service packages are, wherever routeward was installed.

A wheel carries them in `routeward/_app/`, so that it installs no name as common as `bandit` or `server`. In a
checkout they stand beside `routeward`.
"""

import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_CARRIED = _PACKAGE / "_app"
FOLDER = _CARRIED if _CARRIED.is_dir() else _PACKAGE.parent


def make_importable() -> None:
    """Put the service packages before anything else of their names on the import path. Safe to repeat."""
    if sys.path[0] != str(FOLDER):
        sys.path.insert(0, str(FOLDER))
