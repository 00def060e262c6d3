"""Callers who leave: the real service, a real provider that waits, and what is left of them."""

from pathlib import Path

from benchmarks._gateway.cancellation import AFTERWARDS, cancelled
from benchmarks._gateway.processes import gateway, upstream, write_gateway


def test_who_leaves_takes_the_call_to_the_provider_along_and_nothing_stays_behind(tmp_path: Path) -> None:
    with upstream() as provider, gateway(write_gateway(tmp_path, {"mock": provider.base_url})) as target:
        left = cancelled(target, provider, callers=40, at_once=20)
    assert left.heard_of == left.cancelled == 40
    assert left.still_waiting == 0
    assert left.succeeded == AFTERWARDS
    assert left.after.sockets <= left.before.sockets
