"""How fast invented logs are drawn and written, and that their length costs no memory.

Each figure is measured in a process of its own. `--rows N` sets the length, of which the memory must not depend: it is
measured at a hundredth of it as well.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from simulations.logs.files import PORTION, write_log
from simulations.logs.invented import InventedLog, LogSettings

COMMAND: Final = "python -m benchmarks.invented"
_FORMATS: Final = (".parquet", ".jsonl")
Figure = dict[str, object]


def drawn(rows: int, logger: str, refresh_rows: int) -> float:
    """Draw a log and return rows per second."""
    start = time.perf_counter()
    for _ in InventedLog(LogSettings(rows, logger=logger, refresh_rows=refresh_rows)).batches(PORTION):
        pass
    return rows / (time.perf_counter() - start)


def written(rows: int, suffix: str) -> float:
    """Write a log and return rows per second."""
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        write_log(InventedLog(LogSettings(rows)), Path(folder) / f"log{suffix}")
        return rows / (time.perf_counter() - start)


def peak_mb(rows: int) -> float:
    """Draw a log in another process and return the most memory that it had."""
    program = (
        f"from benchmarks.invented import drawn; drawn({rows}, 'uniform', 1); print(open('/proc/self/status').read())"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    # What getrusage tells would include the memory of this process, which the other one began as.
    [kilobytes] = re.findall(r"VmHWM:\s*(\d+) kB", finished.stdout)
    return int(kilobytes) / 1024


def figures(rows: int) -> Iterator[Figure]:
    """Yield every figure."""
    command = f"{COMMAND} --rows {rows}"
    for logger, refresh_rows in (("uniform", 1), ("thompson", 10_000), ("thompson", 100)):
        told = "" if logger == "uniform" else f", a refresh every {refresh_rows:,} rows"
        some = rows if refresh_rows != 100 else rows // 10
        yield row(f"drawn by {logger}{told}", drawn(some, logger, refresh_rows), "rows/s", command)
    for suffix in _FORMATS:
        some = rows if suffix == ".parquet" else rows // 10
        yield row(f"drawn and written as {suffix}", written(some, suffix), "rows/s", command)
    for length in (rows // 100, rows):
        yield row(f"memory at most, {length:,} rows", peak_mb(length), "MB", command)


def row(name: str, value: float, unit: str, command: str) -> Figure:
    """Return one figure."""
    return {"name": name, "value": round(value, 1), "unit": unit, "command": command}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--data", help="not needed")
    print(json.dumps(list(figures(parser.parse_args().rows)), indent=2))


if __name__ == "__main__":
    main()
