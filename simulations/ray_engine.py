"""Chunks of a log on Ray: on every core of this machine, or of a cluster. The only module that knows Ray."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from socket import create_connection
from typing import Any, Final

from simulations.engines import AHEAD, Chunk, Result, in_order
from simulations.errors import MissingRayError, OptionsError

PATIENCE_S: Final = 5.0
"""How long a cluster may take to answer that it is there."""


@dataclass(frozen=True, slots=True)
class Ray:
    """Tasks of Ray: function and chunks must be picklable, and files be at the same paths everywhere.

    Where nobody is connected yet, the cluster at `address` is joined, or one on this machine is started; what was
    joined or started here ends with the work. 0 workers are as many as the cluster has cores. Raises MissingRayError
    without Ray, and, when it is used, OptionsError where there is no cluster at the address.
    """

    workers: int = 0
    address: str = ""

    def __post_init__(self) -> None:
        if find_spec("ray") is None:
            raise MissingRayError("the engine ray needs Ray: pip install 'routeward[ray]' (or use --engine processes)")

    def map(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """Yield results in order."""

        # Ray takes no partial, only a function.
        def work(chunk: Chunk) -> Result:
            return function(chunk)

        with self._connected() as ray:
            workers = self.workers or int(ray.cluster_resources().get("CPU", 1))
            yield from in_order(ray.remote(work).remote, ray.get, AHEAD * workers, chunks)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        # Ray would tell its makers that it is used.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        if ray.is_initialized():
            yield ray
            return
        if self.address:
            _require_reachable(self.address)
        here: dict[str, Any] = {"num_cpus": self.workers or os.cpu_count() or 1, "include_dashboard": False}
        try:
            ray.init(log_to_driver=False, **({"address": self.address} if self.address else here))
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise OptionsError(f"Ray cannot be used at {self.address or 'this machine'}: {error}") from error
        try:
            yield ray
        finally:
            ray.shutdown()


def _require_reachable(address: str) -> None:
    # Ray itself tries for minutes.
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        create_connection((host, int(port)), PATIENCE_S).close()
    except (OSError, OverflowError) as error:
        raise OptionsError(f"there is no cluster of Ray at {address}: {error}") from error
