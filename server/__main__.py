"""`python -m server --config FILE`: the service as the child of another program, which reads its log.

The demo, the benchmarks and the tests start it so: it needs neither typer nor rich, and the log is all it prints.
People run `routeward serve`.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Final

from server.config import ConfigError, load
from server.listening import StartError
from server.logs import LEVELS, logger
from server.main import run

EXIT_REFUSED: Final = 2


def main() -> int:
    """Read the command line and the configuration, and serve. Returns 0, or 2 where it cannot start."""
    parser = argparse.ArgumentParser(
        prog="python -m server",
        description="Run the routeward service for another program; people run: routeward serve",
    )
    parser.add_argument("--config", type=Path, required=True, help="TOML file; `routeward init` makes one")
    parser.add_argument("--log-level", choices=LEVELS, default="info", help="default: %(default)s")
    options = parser.parse_args()
    try:
        settings = load(options.config, os.environ, serving=True)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    log = logger(level=options.log_level)
    try:
        run(settings, log)
    except StartError as error:
        log.error("refused_to_start", error=str(error))
        return EXIT_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
