"""Run the service: `python -m server --config FILE`."""

import argparse
import os
import sys
from pathlib import Path

from server.config import ConfigError, load
from server.logs import LEVELS, logger
from server.main import EXIT_REFUSED, run


def main() -> int:
    """Read the command line and the configuration, and serve."""
    parser = argparse.ArgumentParser(prog="python -m server", description="Run the routeward service.")
    parser.add_argument("--config", type=Path, required=True, help="TOML file; `routeward init` makes one")
    parser.add_argument("--log-level", choices=LEVELS, default="info", help="default: %(default)s")
    options = parser.parse_args()
    try:
        settings = load(options.config, os.environ)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    return run(settings, logger(level=options.log_level))


if __name__ == "__main__":
    sys.exit(main())
