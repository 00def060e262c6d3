"""The gateway on one core: what it costs, streams, and survives, at a mock provider that answers at once.

    python -m benchmarks.gateway [--only overhead peers streams outage cancellation] [--short]

The gateway is the real service, with its store on disk and three models at the provider. Rates are right answers a
second of 16 callers in a closed loop, `cpu` is processor time of the measured process per call; each is the median of
rounds in which all targets are measured one after the other, and ratios are medians of the rounds' ratios. Callers
and provider run on another core where there is one.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._gateway import cancellation, outage, overhead, peers, streams
from benchmarks._gateway.processes import cores, pin


class Sizes(NamedTuple):
    """How much to run."""

    rounds: int
    seconds: float
    stream_s: float
    outage_s: float
    callers: int


FULL = Sizes(rounds=7, seconds=3.0, stream_s=50.0, outage_s=60.0, callers=1000)
SHORT = Sizes(rounds=1, seconds=0.5, stream_s=1.0, outage_s=2.0, callers=100)

EXPERIMENTS: dict[str, Callable[[Sizes], Iterator[dict[str, Any]]]] = {
    "overhead": lambda sizes: overhead.figures(sizes.rounds, sizes.seconds),
    "peers": lambda sizes: peers.figures(sizes.rounds, sizes.seconds),
    "streams": lambda sizes: streams.figures(sizes.stream_s),
    "outage": lambda sizes: outage.figures(sizes.outage_s),
    "cancellation": lambda sizes: cancellation.figures(sizes.callers),
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description="Measure the gateway.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, default=[*EXPERIMENTS], help="of %(choices)s")
    parser.add_argument("--short", action="store_true", help="see whether it runs; the figures mean nothing")
    options = parser.parse_args(arguments)
    pin(os.getpid(), cores()[1])
    sizes = SHORT if options.short else FULL
    found = [
        {**figure, "command": f"python -m benchmarks.gateway --only {name}" + (" --short" if options.short else "")}
        for name in options.only
        for figure in EXPERIMENTS[name](sizes)
    ]
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
