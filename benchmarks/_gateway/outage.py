"""A provider goes down under load, and comes back: what callers notice, and what the broken model still gets.

Its model is the cheaper of two, so that nearly every call goes to it before. Attempts are read from what the service
stored, where each has its own decision.
"""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks._gateway.load import Call, Callers, Load
from benchmarks._gateway.processes import Model, Target, Upstream, gateway, upstream, write_gateway
from benchmarks._gateway.upstream import Order

MODES: Final = ("refuse", "fault", "stall")
CALLERS: Final = 8
FIRST_CALLS: Final = 20
"""Calls within which a broken model should be left alone."""
BROKEN: Final = "cheap"
PROBE_S: Final = 5.0
"""How often the gateway tries whether a model is back (`server.gateway.breaker`)."""
DEADLINE: Final = "X-Routeward-Timeout-Seconds: 4\r\n"
"""How long callers wait, of which a first model gets half."""


class Course(NamedTuple):
    """Calls before, during and after an outage, when the provider came back, and the load after that."""

    before: Load
    during: Load
    after: Load
    down_s: float
    back_s: float
    served_s: float | None


class Told(NamedTuple):
    """What came of one outage. Shares are of calls; `recovered_s` is None where it did not within the run."""

    calls: int
    failed: int
    share_before: float
    attempts_first: int
    share_later: float
    slowest_ms: float
    recovered_s: float | None


class Plan(NamedTuple):
    """How long a provider is well, down, and back, and how long each caller rests between two calls."""

    down_s: float
    calm_s: float = 4.0
    back_s: float = 1.5 * PROBE_S
    pause_s: float = 0.02


def play(target: Target, broken: Upstream, mode: str, plan: Plan) -> Course:
    """Run the load while the provider is well, down, and back."""

    async def run() -> Course:
        callers = Callers(target.address, pause_s=plan.pause_s, headers=DEADLINE)
        before = await callers.call(CALLERS, plan.calm_s)
        down_s = time.monotonic()
        broken.obey(Order(mode=mode))
        during = await callers.call(CALLERS, plan.down_s)
        back_s = time.monotonic()
        broken.obey(Order())
        after = await callers.call(CALLERS, plan.back_s)
        arrivals = broken.seen().arrivals_s
        return Course(before, during, after, down_s, back_s, arrivals[0] if arrivals else None)

    return asyncio.run(run())


def attempts(store: Path) -> list[float]:
    """Return when the broken model was chosen for an attempt, by CLOCK_MONOTONIC."""
    offset_s = time.time() - time.monotonic()
    with closing(sqlite3.connect(store)) as connection:
        rows = connection.execute("SELECT decided_us FROM signals WHERE model = ? AND signal = 'outcome'", [BROKEN])
        return sorted(decided_us / 1e6 - offset_s for (decided_us,) in rows)


def told(course: Course, tried_s: list[float]) -> Told:
    """Judge an outage by its calls and by the attempts at the broken model."""
    calls = sorted(course.during.calls)
    later_s = calls[FIRST_CALLS].begun_s
    in_first, in_later = _within(tried_s, course.down_s, later_s), _within(tried_s, later_s, course.back_s)
    everyone = [*course.before.calls, *calls, *course.after.calls]
    return Told(
        calls=len(calls),
        failed=sum(not call.is_right for call in everyone),
        share_before=_within(tried_s, 0, course.down_s) / max(len(course.before.calls), 1),
        attempts_first=in_first,
        share_later=in_later / (len(calls) - FIRST_CALLS),
        slowest_ms=1e3 * max(call.seconds for call in calls),
        recovered_s=None if course.served_s is None else course.served_s - course.back_s,
    )


def _within(times_s: list[float], first_s: float, end_s: float) -> int:
    return sum(first_s <= each < end_s for each in times_s)


def outage(mode: str, plan: Plan) -> tuple[Told, list[Call]]:
    """Let a provider fail in one way; return what that did, and the calls that failed."""
    with tempfile.TemporaryDirectory() as folder:
        with ExitStack() as stack:
            broken, well = stack.enter_context(upstream()), stack.enter_context(upstream())
            urls = {"broken": broken.base_url, "well": well.base_url}
            models = (Model(BROKEN, "broken", 0.1), Model("dear", "well", 100.0))
            path = write_gateway(Path(folder), urls, models)
            course = play(stack.enter_context(gateway(path)), broken, mode, plan)
        result = told(course, attempts(Path(folder) / "routeward.db"))
    failed = [call for load in course[:3] for call in load.calls if not call.is_right]
    return result, failed


def figures(down_s: float) -> Iterator[dict[str, Any]]:
    """Let a provider fail in every way, one after the other."""
    for mode in MODES:
        result, _ = outage(mode, Plan(down_s))
        for name, value, unit in (
            ("calls", result.calls, "calls"),
            ("failed", result.failed, "calls"),
            ("broken_share_before", result.share_before, "share"),
            (f"broken_attempts_in_first_{FIRST_CALLS}", result.attempts_first, "attempts"),
            ("broken_share_later", result.share_later, "share"),
            ("slowest", result.slowest_ms, "ms"),
        ):
            yield {"name": f"outage.{mode}.{name}", "value": round(value, 4), "unit": unit}
        if result.recovered_s is not None:
            yield {"name": f"outage.{mode}.recovered_after", "value": round(result.recovered_s, 2), "unit": "s"}
            intervals = round(result.recovered_s / PROBE_S, 2)
            said = "the interval of probes"
            yield {"name": f"outage.{mode}.recovery", "value": intervals, "unit": "ratio", "ratio_to": said}
