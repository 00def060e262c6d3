"""How fast logs are written and read: rows per second of the wall clock, per format, on an invented log.

What reading in columns takes in memory is measured in a process of its own, over a log and over one five times as long.
"""

import argparse
import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import duckdb

from adapters.sql.sqlite import SqliteStore
from adapters.sql.sqlite.traffic import decisions_of, extent_of, store_log
from adapters.traffic.calls import Call
from adapters.traffic.formats import open_log
from adapters.traffic.own.writing import write_file
from bandit.records import DecisionRecord, DistributionRecord, ModelForecast, SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Score, Status, to_fixed_point
from simulations.logs.files import write_log
from simulations.logs.invented import InventedLog, LogSettings

COMMAND: Final = "python -m benchmarks.logs"
HOUR_US: Final = 3_600_000_000
BATCH: Final = 1000
REPEATED: Final = (10, 50)
"""How often the export is repeated, for reading in columns."""
LONGER_US: Final = 30 * 86_400_000_000
"""What lies between two repetitions, so that the rows stay in the order of time."""


class Figure(NamedTuple):
    name: str
    value: float
    unit: str


def records_of(call: Call, number: int, drawn_from: DistributionRecord) -> tuple[DecisionRecord, list[SignalRecord]]:
    """Return a call as a server would have stored it."""
    time_us, nonce = call.time_us or 0, number.to_bytes(12, "big")
    facts = DecisionFacts(call.category, call.model, Kind.SAMPLED, time_us, call.requested_tokens)
    decision = DecisionRecord(
        "default",
        nonce,
        time_us,
        call.category,
        call.model,
        Kind.SAMPLED,
        call.propensity or 1.0,
        0.5,
        "",
        "balanced",
        drawn_from,
        call.requested_tokens,
        session_id=f"session-{number // 4}",
    )
    outcome = Outcome(
        call.status or Status.OK,
        None if call.latency_s is None else round(call.latency_s * 1e6),
        None,
        call.input_tokens,
        None,
        call.output_tokens,
        None if call.cost_usd is None else round(call.cost_usd * 1e9),
    )
    said: list[Outcome | Score] = [
        outcome,
        *([] if call.quality is None else [Score("judge", to_fixed_point(call.quality))]),
    ]
    return decision, [
        SignalRecord("default", nonce, fact.signal, fact, time_us + 1, time_us + 1, facts, decision.propensity)
        for fact in said
    ]


async def fill(file: Path, calls: Iterable[Call]) -> None:
    """Write a store of these calls. Calls that follow each other share what they were drawn from, as a server's do."""
    store, numbered = await SqliteStore.open(file, bucket_us=HOUR_US), enumerate(calls)
    known: dict[tuple[tuple[str, float], ...], DistributionRecord] = {}
    while batch := list(islice(numbered, BATCH)):
        pairs = []
        for number, call in batch:
            drawn = tuple((call.probabilities or {}).items())
            if drawn not in known:
                forecasts = {model: ModelForecast(p, 0.9, 0.002, 1.5, 0.01) for model, p in drawn}
                known[drawn] = DistributionRecord(len(known), 0, "", 0.05, 0.001, forecasts, {})
            pairs.append(records_of(call, number, known[drawn]))
        await store.log_decisions([decision for decision, _ in pairs])
        await store.write([record for _, said in pairs for record in said])
    await store.close()


def rate(rows: int, work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return rows / (time.perf_counter() - started)


def consumed(batches: Iterable[object]) -> int:
    return sum(1 for _ in batches)


def peak_mb(path: Path) -> float:
    """Return the peak of resident memory of a process that reads a log in columns."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_read_in_columns, (path,))


def _read_in_columns(path: Path) -> float:
    consumed(open_log(path).batches())
    # Not of getrusage: what that tells begins with the peak of whoever started the process.
    [peak] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(peak) / 1024


def repeated(path: Path, times: int) -> Path:
    """Write an export once after the other, at other times."""
    longer = path.with_name(f"longer-{times}.parquet")
    columns = f"time_us + n * {LONGER_US} AS time_us, call_id || '-' || n AS call_id, session || '-' || n AS session"
    with duckdb.connect() as connection:
        rows = connection.sql(
            f"SELECT own.* REPLACE ({columns}) FROM read_parquet($path) own, range($times) AS r(n)",  # noqa: S608 -- only of our own names
            params={"path": str(path), "times": times},
        )
        rows.order("time_us, call_id").write_parquet(str(longer), compression="zstd")
    return longer


def by_the_row(path: Path, rows: int) -> float:
    return rate(rows, lambda: consumed(open_log(path).calls()))


def of_files(folder: Path, rows: int) -> Iterator[Figure]:
    """Measure formats whose columns have the documented names."""
    for suffix in (".jsonl", ".csv", ".parquet"):
        path = folder / f"invented{suffix}"
        write_log(InventedLog(LogSettings(rows, session_length=4)), path)
        yield Figure(f"read {suffix[1:]}, by the row", by_the_row(path, rows), "rows/s")


def of_own_format(folder: Path, rows: int) -> Iterator[Figure]:
    """Measure the store, exports of it, and reading these."""
    store = folder / "store.db"
    asyncio.run(fill(store, open_log(folder / "invented.jsonl").calls()))
    yield Figure("read a store", rate(rows, lambda: consumed(store_log(store).calls())), "rows/s")
    for suffix in (".jsonl", ".parquet"):
        path = folder / f"exported{suffix}"
        yield Figure(f"export to {suffix[1:]}", rate(rows, partial(export, store, path)), "rows/s")
        yield Figure(f"size of an exported {suffix[1:]}", path.stat().st_size / rows, "bytes/row")
        yield Figure(f"read an exported {suffix[1:]}, by the row", by_the_row(path, rows), "rows/s")


def export(store: Path, path: Path) -> None:
    extent = extent_of(store)
    write_file(decisions_of(store, extent.oldest_us, extent.newest_us + 1), path)


def of_columns(folder: Path, rows: int) -> Iterator[Figure]:
    """Measure reading an export in columns."""
    short, long = (repeated(folder / "exported.parquet", times) for times in REPEATED)
    yield Figure(
        "read an exported parquet, in columns",
        rate(rows * REPEATED[0], lambda: consumed(open_log(short).batches())),
        "rows/s",
    )
    short_mb, long_mb = peak_mb(short), peak_mb(long)
    yield Figure(f"memory of reading {rows * REPEATED[0]:,} rows in columns", short_mb, "MB")
    yield Figure(f"memory of reading {rows * REPEATED[1]:,} rows in columns", long_mb, "MB")


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Measure how fast logs are written and read.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--rows", type=int, default=50_000, help="rows of the log; default: %(default)s")
    options = parser.parse_args()
    command = COMMAND if options.rows == 50_000 else f"{COMMAND} --rows {options.rows}"
    with TemporaryDirectory() as name:
        found = [figure for part in (of_files, of_own_format, of_columns) for figure in part(Path(name), options.rows)]
    print(json.dumps([{**f._asdict(), "value": float(f"{f.value:.4g}"), "command": command} for f in found], indent=1))


if __name__ == "__main__":
    main()
