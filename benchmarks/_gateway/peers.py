"""The gateway beside LiteLLM's proxy, on the same core, at the same model that answers at once.

LiteLLM is measured twice: as a relay to that model, like the gateway, and answering by itself with `mock_response`.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks._gateway.overhead import CONNECTIONS, absolute, in_turns, ratio
from benchmarks._gateway.processes import Target, gateway, litellm, upstream, write_gateway

CALLED: Final = "auto/bench"
MOCKED: Final = "Paris, where two million people live."
OWN: Final = "gateway"
PEERS: Final = {"litellm": "LiteLLM's proxy, relaying", "litellm_mock": "LiteLLM's proxy, mock_response"}


def figures(rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Measure all in turns, and what memory each has afterwards."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        targets = _started(Path(folder), stack)
        found = in_turns(targets, rounds, seconds)
        memory_mb = {name: target.memory_mb() for name, target in targets.items()}
    yield from absolute("peers", found)
    for name, value in memory_mb.items():
        yield {"name": f"peers.{name}.memory", "value": round(value, 1), "unit": "MB"}
    for name, said in PEERS.items():
        times = ratio(found[OWN], found[name], "calls_per_s")
        p50 = median(one.alone_p50_ms / other.alone_p50_ms for one, other in zip(found[OWN], found[name], strict=True))
        for figure, value in (
            (f"rate_at_{CONNECTIONS}", times),
            ("p50_at_1", p50),
            ("memory", memory_mb[OWN] / memory_mb[name]),
        ):
            yield {"name": f"peers.to_{name}.{figure}", "value": round(value, 3), "unit": "ratio", "ratio_to": said}


def _started(folder: Path, stack: ExitStack) -> dict[str, Target]:
    provider = stack.enter_context(upstream())
    relayed = {"model": "openai/mock", "api_base": provider.base_url, "api_key": "sk-bench"}
    mocked = {"model": "openai/mock", "api_key": "sk-bench", "mock_response": MOCKED}
    (folder / "mock").mkdir()
    mock = stack.enter_context(litellm(folder / "mock", {CALLED: mocked}))
    return {
        OWN: stack.enter_context(gateway(write_gateway(folder, {"mock": provider.base_url}))),
        "litellm": stack.enter_context(litellm(folder, {CALLED: relayed})),
        "litellm_mock": mock._replace(answer=MOCKED.encode()),
    }
