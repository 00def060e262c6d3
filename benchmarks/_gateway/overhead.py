"""What the gateway costs over a bare relay of the same libraries, on one core."""

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from benchmarks._gateway.load import Callers
from benchmarks._gateway.processes import Target, gateway, relay, upstream, write_gateway

CONNECTIONS: Final = 16
RELAY: Final = "bare relay (aiohttp server and client)"


class Measured(NamedTuple):
    """What one target did in one round."""

    calls_per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    alone_p50_ms: float
    failed: int


def measure(target: Target, seconds: float) -> Measured:
    """Let many callers call it, then one alone."""

    async def run() -> Measured:
        before_s = target.cpu_s()
        many = await Callers(target.address, answer=target.answer).call(CONNECTIONS, seconds)
        cpu_us = (target.cpu_s() - before_s) / max(len(many.calls), 1) * 1e6
        alone = await Callers(target.address, answer=target.answer).call(1, seconds / 2)
        return Measured(
            calls_per_s=many.calls_per_s,
            cpu_us=cpu_us,
            p50_ms=many.latency_ms(0.5),
            p99_ms=many.latency_ms(0.99),
            alone_p50_ms=alone.latency_ms(0.5),
            failed=many.failed + alone.failed,
        )

    return asyncio.run(run())


def in_turns(targets: Mapping[str, Target], rounds: int, seconds: float) -> dict[str, list[Measured]]:
    """Measure every target `rounds` times, one after the other, after a round that warms up."""
    found: dict[str, list[Measured]] = defaultdict(list)
    for number in range(rounds + 1):
        for name, target in targets.items():
            measured = measure(target, seconds)
            if number:
                found[name].append(measured)
    return found


def ratio(these: list[Measured], those: list[Measured], field: str) -> float:
    """Return the median of ratios of a field, round by round: what disturbs one disturbs its neighbour."""
    pairs = zip(these, those, strict=True)
    return float(median(getattr(one, field) / getattr(other, field) for one, other in pairs))


def middle(measured: list[Measured]) -> Measured:
    """Return the median of every field, and all failures."""
    fields = Measured(*map(median, zip(*measured, strict=True)))
    return fields._replace(failed=sum(one.failed for one in measured))


def figures(rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Measure both in turns."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        provider = stack.enter_context(upstream())
        configuration = write_gateway(Path(folder), {"mock": provider.base_url})
        targets = {
            "relay": stack.enter_context(relay(provider.base_url)),
            "gateway": stack.enter_context(gateway(configuration)),
        }
        found = in_turns(targets, rounds, seconds)
    yield from absolute("overhead", found)
    own, bare = found["gateway"], found["relay"]
    added_ms = median(one.alone_p50_ms - other.alone_p50_ms for one, other in zip(own, bare, strict=True))
    added_us = median(one.cpu_us - other.cpu_us for one, other in zip(own, bare, strict=True))
    for name, value, unit in (
        ("throughput", ratio(own, bare, "calls_per_s"), "ratio"),
        ("added_p50_at_1", added_ms, "ms"),
        ("added_cpu", added_us, "us/call"),
    ):
        yield {"name": f"overhead.{name}", "value": round(value, 3), "unit": unit, "ratio_to": RELAY}


def absolute(experiment: str, found: Mapping[str, list[Measured]]) -> Iterator[dict[str, Any]]:
    """Return what each target did."""
    for target, rounds in found.items():
        measured = middle(rounds)
        for name, value, unit in (
            (f"rate_at_{CONNECTIONS}", measured.calls_per_s, "calls/s"),
            ("cpu", measured.cpu_us, "us/call"),
            (f"p50_at_{CONNECTIONS}", measured.p50_ms, "ms"),
            (f"p99_at_{CONNECTIONS}", measured.p99_ms, "ms"),
            ("p50_at_1", measured.alone_p50_ms, "ms"),
            ("failed", measured.failed, "calls"),
        ):
            yield {"name": f"{experiment}.{target}.{name}", "value": round(value, 3), "unit": unit}
