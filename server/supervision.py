"""Background tasks that do not die silently: a crash is logged, counted and reported, and the task starts anew."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from structlog.typing import FilteringBoundLogger

from server.metrics import Metrics

RESTART_AFTER_S: Final = 1.0


async def supervised(
    name: str,
    work: Callable[[], Awaitable[None]],
    metrics: Metrics,
    log: FilteringBoundLogger,
    on_crash: Callable[[], None] = lambda: None,
) -> None:
    """Run `work` until it returns, starting it anew after every exception."""
    while True:
        try:
            return await work()
        except Exception:
            log.exception("task_crashed", task=name)
            metrics.task_failures.labels(name).inc()
            on_crash()
        await asyncio.sleep(RESTART_AFTER_S)
