"""Take PostgreSQL away from a service with a spool, under load; count what callers notice, and what is lost.

    python -m benchmarks.outages [--seconds 60] [--only stopped frozen unreachable read_only full]

One process routes 200 times and reports 100 times a second, whatever the answers do, with the deadlines of the SDK and
no retry. It does so for that long while all is well, as long through the fault, and a quarter of it after the end.
Every report is about a decision of its own, so in the end the store must hold each that was acknowledged. A fault
"full" needs root, who may mount a small file system. A p99 is the median of those of five slices of a phase.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import psutil

from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.store import PostgresStore
from benchmarks._load import SIGNING_KEY
from benchmarks._outages import FAULTS, Place
from benchmarks._processes import ServiceProcess, write_configuration
from benchmarks._steady import Answered

ROUTES_PER_S: Final = 200.0
FEEDBACKS_PER_S: Final = 100.0
SIGNALS: Final = 2
"""Of one report."""

SLICES: Final = 5
BUCKET_US: Final = 10_000_000
STORED_WITHIN_S: Final = 60.0
POLL_S: Final = 0.25
WARM_UP_S: Final = 2.0


@dataclass(slots=True)
class Watch:
    """What is seen of a service while it runs: its resident memory in MB, and signals stored by the time."""

    memory_mb: list[float] = field(default_factory=list)
    stored: list[tuple[float, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: calls as `benchmarks._steady` tells of them; when phases began, in seconds since 1970."""

    routes: Sequence[Answered]
    feedbacks: Sequence[Answered]
    began_s: float
    broke_s: float
    mended_s: float
    stored_after_s: float
    missing: int
    sums_differing: int
    memory_mb: Sequence[float]

    def p99_ms(self, since_s: float, until_s: float) -> float:
        """Return the median over slices of the time between of the p99 of Route in ms."""
        width = (until_s - since_s) / SLICES
        slices: list[list[float]] = [[] for _ in range(SLICES)]
        for due, _, seconds, _ in self.routes:
            if since_s <= due < until_s:
                slices[min(SLICES - 1, int((due - since_s) / width))].append(1e3 * seconds)
        return median(quantiles(one, n=100)[98] for one in slices if len(one) > 1)


@contextmanager
def load(address: str) -> Iterator[Callable[[], dict[str, Any]]]:
    """Call from another process; yield what ends that and tells what became of the calls."""
    command = [sys.executable, "-m", "benchmarks._steady", address, str(ROUTES_PER_S), str(FEEDBACKS_PER_S)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield lambda: dict(json.loads(process.communicate()[0]))
        finally:
            process.kill()


@contextmanager
def watched(service: ServiceProcess) -> Iterator[Watch]:
    """Look at the memory of a service every second."""
    watch, ended, process = Watch(), threading.Event(), psutil.Process(service.process.pid)

    def look() -> None:
        while not ended.wait(1.0):
            watch.memory_mb.append(process.memory_info().rss / 1e6)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join()


def run(fault: str, folder: Path, seconds: float) -> Verdict:
    """Run one fault, and judge."""
    with FAULTS[fault].place(folder) as place:
        more = f'[spool]\npath = "{folder}/spool.db"\n'
        environment = {
            "ROUTEWARD_POSTGRES": place.url,
            "ROUTEWARD_TOKEN_KEYS": f"{SIGNING_KEY.id}:{SIGNING_KEY.secret.hex()}",
        }
        with (
            ServiceProcess(write_configuration(folder, more=more), environment) as service,
            watched(service) as watch,
            load(service.address) as end,
        ):
            time.sleep(WARM_UP_S)
            began_s = time.time()
            time.sleep(seconds)
            broke_s = time.time()
            FAULTS[fault].begin(place)
            time.sleep(max(0.0, broke_s + seconds - time.time()))
            FAULTS[fault].end(place)
            mended_s = time.time()
            _count(place, watch, mended_s, until_s=mended_s + seconds / 4)
            told = end()
            acknowledged = SIGNALS * sum(not wrong for *_, wrong in told["feedback"])
            before = SIGNALS * sum(not wrong for _, made_s, _, wrong in told["feedback"] if made_s < mended_s)
            _count(place, watch, mended_s, until_s=time.time() + STORED_WITHIN_S, enough=before)
            missing = acknowledged - _awaited(place, acknowledged)
            service.stop()
        differing = asyncio.run(_differing(place.server.url(place.database)))
    stored_s = next((at for at, count in watch.stored if count >= before), mended_s + STORED_WITHIN_S)
    return Verdict(
        *(told["route"], told["feedback"], began_s, broke_s, mended_s),
        *(stored_s - mended_s, missing, differing, watch.memory_mb),
    )


def _count(place: Place, watch: Watch, mended_s: float, *, until_s: float, enough: int | None = None) -> None:
    """Count what is stored of the time before the end of the fault, until then or until it is enough."""
    statement = f"SELECT count(*) FROM signals WHERE decided_us < {round(mended_s * 1e6)}"  # noqa: S608 - a number
    while time.time() < until_s:
        watch.stored.append((time.time(), int(place.psql(statement))))
        if enough is not None and watch.stored[-1][1] >= enough:
            return
        time.sleep(POLL_S)


def _awaited(place: Place, enough: int) -> int:
    """Return how many signals are stored, once it is enough or has taken too long."""
    until_s = time.time() + STORED_WITHIN_S
    while (count := int(place.psql("SELECT count(*) FROM signals"))) < enough and time.time() < until_s:
        time.sleep(POLL_S)
    return count


async def _differing(url: str) -> int:
    store = await PostgresStore.attach(Reach(url))
    try:
        return sum(map(len, (await store.verify()).values()))
    finally:
        await store.close()


def figures(fault: str, verdict: Verdict, command: str) -> list[dict[str, Any]]:
    """Return what is published."""
    baseline_ms = verdict.p99_ms(verdict.began_s, verdict.broke_s)
    fault_ms = verdict.p99_ms(verdict.broke_s, verdict.mended_s)
    memory_mb = verdict.memory_mb
    values = (
        ("routes", len(verdict.routes), "calls"),
        ("routes_failed", _failed(verdict.routes), "calls"),
        ("route.p99.before", round(baseline_ms, 2), "ms"),
        ("route.p99.during", round(fault_ms, 2), "ms"),
        ("feedbacks", len(verdict.feedbacks), "calls"),
        ("feedbacks_failed", _failed(verdict.feedbacks), "calls"),
        ("feedback.longest", round(max(seconds for _, _, seconds, _ in verdict.feedbacks), 2), "s"),
        ("stored_after", round(verdict.stored_after_s, 2), "s"),
        ("missing", verdict.missing, "signals"),
        ("sums_differing", verdict.sums_differing, "rows"),
        ("memory.first", round(memory_mb[0], 1), "MB"),
        ("memory.most", round(max(memory_mb), 1), "MB"),
        ("memory.last", round(memory_mb[-1], 1), "MB"),
    )
    found = [
        {"name": f"outages.{fault}.{name}", "value": value, "unit": unit, "command": command}
        for name, value, unit in values
    ]
    ratio = {"value": round(fault_ms / baseline_ms, 2), "unit": "times", "ratio_to": "route.p99.before"}
    return [*found, {"name": f"outages.{fault}.route.p99.ratio", "command": command, **ratio}]


def complaints(verdict: Verdict) -> Iterator[str]:
    """Say what went wrong, how often, and when."""
    for method, calls in (("Route", verdict.routes), ("Feedback", verdict.feedbacks)):
        for reason in sorted({wrong for *_, wrong in calls if wrong}):
            due = [due_s - verdict.broke_s for due_s, *_, wrong in calls if wrong == reason]
            yield f"{len(due)} {method} from {min(due):.1f} to {max(due):.1f} s after the fault began: {reason}"


def _failed(calls: Sequence[Answered]) -> int:
    return sum(bool(wrong) for *_, wrong in calls)


def main(arguments: Sequence[str] | None = None) -> None:
    possible = [name for name, fault in FAULTS.items() if not (fault.needs_root and os.geteuid())]
    parser = argparse.ArgumentParser(description="Take the database away under load.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of a fault; default: %(default)g")
    parser.add_argument("--only", nargs="+", choices=possible, default=possible, metavar="FAULT", help="of %(choices)s")
    options = parser.parse_args(arguments)
    found = []
    for fault in options.only:
        command = f"python -m benchmarks.outages --seconds {options.seconds:g} --only {fault}"
        with tempfile.TemporaryDirectory() as folder:
            verdict = run(fault, Path(folder), options.seconds)
        for line in complaints(verdict):
            print(f"{fault}: {line}", file=sys.stderr)
        found += figures(fault, verdict, command)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
