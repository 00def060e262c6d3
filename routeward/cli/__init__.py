"""The command `routeward`. It needs the extra `server`; `pip install routeward` alone is the client library."""

import sys
from importlib.util import find_spec

from routeward._service import make_importable

_NEEDED = ("rich", "typer")


def main() -> int:
    """Run the command line; return its exit code: 0 fine, 1 found a problem, 2 wrong use or something missing."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sys.stderr.write(f"The command routeward needs {', '.join(missing)}: run  pip install 'routeward[server]'\n")
        return 2
    make_importable()
    from routeward.cli.app import run

    return run(sys.argv[1:])
