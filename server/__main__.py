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
from server.workers.place import Place, Worker, taking_over, with_own_files
from server.workers.supervisor import serve

EXIT_REFUSED: Final = 2


def main() -> int:
    """Read the command line and the configuration, and serve. Returns 0, or 2 where it cannot start."""
    parser = argparse.ArgumentParser(
        prog="python -m server",
        description="Run the routeward service for another program; people run: routeward serve",
    )
    parser.add_argument("--config", type=Path, required=True, help="TOML file; `routeward init` makes one")
    parser.add_argument("--log-level", choices=LEVELS, default="info", help="default: %(default)s")
    parser.add_argument("--worker", type=Place.parsed, help=argparse.SUPPRESS)  # what a supervisor tells its workers
    options = parser.parse_args()
    if options.worker is not None:
        return _work(options.config, options.worker, options.log_level)
    try:
        settings = load(options.config, os.environ, serving=True)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    log = logger(level=options.log_level)
    try:
        serve(options.config, settings, log, level=options.log_level)
    except StartError as error:
        log.error("refused_to_start", error=str(error))
        return EXIT_REFUSED
    return 0


def _work(config: Path, place: Place, level: str) -> int:
    """Serve as a worker; why it cannot is for its supervisor to say."""
    log, worker = logger(level=level).bind(worker=place.number), Worker(place)
    addresses = {"listen": place.listen, "metrics": place.metrics}
    try:
        settings = load(config, os.environ, **addresses, workers=place.workers, serving=True)
        if place.number == 0:
            settings = taking_over(settings)
        run(with_own_files(settings, place.number), log, worker)
    except (ConfigError, StartError) as error:
        worker.tell_refused(str(error))
        return EXIT_REFUSED
    finally:
        worker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
