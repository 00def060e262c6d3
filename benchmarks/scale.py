"""Logs that are large: what a first pass over them takes, what policies cost after it, and that memory stays flat.

Each figure is measured in a process of its own. CPU seconds are those of all its threads: where nothing else runs, a
first pass takes about as many seconds as they are, divided by the cores.
"""

import argparse
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import reduce
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import numpy as np

from adapters.traffic.formats import open_log
from bandit.request import Objective
from simulations.engines import Threads
from simulations.logs.files import write_log
from simulations.logs.invented import InventedLog, LogSettings
from simulations.offpolicy.collapse import collapse
from simulations.offpolicy.command import BATCH
from simulations.offpolicy.evaluation import evaluate
from simulations.offpolicy.first_pass import first_pass
from simulations.offpolicy.policies import Policy
from simulations.offpolicy.storage import read_sums, write_sums
from simulations.offpolicy.sums import LogSums, laid_out, merge

COMMAND: Final = "python -m benchmarks.scale"
POLICIES: Final = 100
PARTS: Final = 4


class Measured(NamedTuple):
    """What a function returned and took; `peak_mb` is of its whole process, libraries included."""

    result: Any
    wall_s: float
    cpu_s: float
    peak_mb: float


class Figure(NamedTuple):
    name: str
    value: float
    unit: str


def settings(rows: int) -> LogSettings:
    return LogSettings(rows, seed=3, logger="thompson", session_length=3)


def measured(function: Callable[..., Any], *arguments: Any) -> Measured:
    """Call a function in a new process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        return executor.submit(_measured, function, arguments).result()


def _measured(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Measured:
    wall, cpu = time.perf_counter(), time.process_time()
    result = function(*arguments)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    # Not of getrusage: what that tells begins with the peak of whoever started the process.
    [peak] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return Measured(result, wall, cpu, int(peak) / 1024)


def by_the_database(log: Path, sums: Path) -> int:
    found = first_pass(open_log(log), Threads())
    if found is None:
        raise RuntimeError(f"{log} has a row that is not certain; remove the file, and it is written anew")
    write_sums(found, sums)
    return found.rows


def by_the_row(log: Path, sums: Path) -> int:
    found = collapse(open_log(log).batches(BATCH))
    write_sums(found, sums)
    return found.rows


def streamed(rows: int) -> int:
    """Add up a log of a uniform logger that is drawn meanwhile."""
    return collapse(InventedLog(LogSettings(rows)).batches(BATCH)).rows


def evaluated(sums: Path, count: int) -> int:
    """Evaluate random policies, each another mixture of models in each category."""
    log, rng = read_sums(sums), np.random.default_rng(1)
    categories = sorted({context.category for context in log.contexts})

    def mixture() -> dict[str, float]:
        return dict(zip(log.models, rng.dirichlet(np.ones(len(log.models))).tolist(), strict=True))

    policies = [Policy(f"random {n}", {category: mixture() for category in categories}) for n in range(count)]
    found, _ = evaluate(log, policies, Objective(0.05, 0.001), rng=rng)
    return len(found.policies)


def difference(a: LogSums, b: LogSums) -> float:
    """Return the largest relative difference of sums; infinity where an integer, a name or a shape differs."""
    if (a.contexts, a.models, a.width, a.rows) != (b.contexts, b.models, b.width, b.rows):
        return float("inf")
    if not (np.array_equal(a.cells.keys, b.cells.keys) and np.array_equal(a.cells.counts, b.cells.counts)):
        return float("inf")
    pairs = [(getattr(a, name), getattr(b, name)) for name in ("squares", "largest", "latencies", "calibration")]
    pairs.append((a.cells.values, b.cells.values))
    return max(float((np.abs(x - y) / np.maximum(np.abs(y), 1e-300)).max()) for x, y in pairs)


def of_first_pass(log: Path, rows: int, folder: Path) -> Iterator[Figure]:
    """Measure the way through the database, and policies after it."""
    found = measured(by_the_database, log, folder / "log.sums")
    yield Figure(f"first pass of {rows:,} rows of Parquet, CPU", found.cpu_s, "s")
    yield Figure(f"first pass of {rows:,} rows of Parquet, wall", found.wall_s, "s")
    yield Figure(f"first pass of {rows:,} rows of Parquet, memory", found.peak_mb, "MB")
    for count in (1, POLICIES):
        found = measured(evaluated, folder / "log.sums", count)
        yield Figure(f"evaluation of {count} policies from its sums, CPU", found.cpu_s, "s")
        yield Figure(f"evaluation of {count} policies from its sums, wall", found.wall_s, "s")
        yield Figure(f"evaluation of {count} policies from its sums, memory", found.peak_mb, "MB")


def of_both_ways(rows: int, folder: Path) -> Iterator[Figure]:
    """Compare the way through the database with the ordinary one, and parts that merge with the whole."""
    log = folder / "short.parquet"
    write_log(InventedLog(settings(rows)), log)
    ways = {"by the database": by_the_database, "by the row": by_the_row}
    for name, way in ways.items():
        found = measured(way, log, folder / f"{name}.sums")
        yield Figure(f"rows added up {name}, per second of CPU", rows / found.cpu_s, "rows/s")
    database, by_row = (read_sums(folder / f"{name}.sums") for name in ways)
    yield Figure(
        "largest relative difference of both ways",
        difference(laid_out(database, by_row.contexts, by_row.models), by_row),
        "",
    )
    batches = list(InventedLog(settings(rows)).batches(max(rows // PARTS // 10, 1)))
    parts = [collapse(batches[n::PARTS]) for n in range(PARTS)]
    yield Figure(
        f"largest relative difference of {PARTS} parts, merged, to the whole",
        difference(reduce(merge, parts), collapse(batches)),
        "",
    )


def of_streams(rows: int) -> Iterator[Figure]:
    """Measure adding up a log that is drawn meanwhile."""
    for length in (max(rows // 10, 1), rows):
        found = measured(streamed, length)
        yield Figure(f"memory of adding up a stream of {length:,} rows", found.peak_mb, "MB")
    yield Figure("rows drawn and added up, per second of CPU", rows / found.cpu_s, "rows/s")


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Measure what large logs take.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the log; default: %(default)s")
    parser.add_argument("--stream-rows", type=int, help="rows of the stream; default: as many as the log has")
    parser.add_argument("--log", type=Path, help="Parquet file with the log, which is written if it is not there")
    options = parser.parse_args()
    rows: int = options.rows
    with TemporaryDirectory() as name:
        folder = Path(name)
        log = options.log or folder / "log.parquet"
        if not log.exists():
            write_log(InventedLog(settings(rows)), log)
        figures = [*of_first_pass(log, rows, folder), *of_both_ways(max(rows // 100, 1000), folder)]
        figures += of_streams(options.stream_rows or rows)
    command = f"{COMMAND} --rows {rows}" + (f" --stream-rows {options.stream_rows}" if options.stream_rows else "")
    print(
        json.dumps([{**f._asdict(), "value": float(f"{f.value:.4g}"), "command": command} for f in figures], indent=1)
    )


if __name__ == "__main__":
    main()
