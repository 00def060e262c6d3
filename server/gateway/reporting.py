"""Reports outcomes on the same path as Feedback: exactly once, and kept until the store takes them."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from structlog.typing import FilteringBoundLogger

from bandit.signals import Outcome
from server.credentials import Principal
from server.errors import ServiceError
from server.gateway.figures import Figures
from server.learning import Learner
from server.metrics import Metrics
from server.requests import Observation
from server.tokens import DecisionToken

MAX_WAITING: Final = 20_000
"""Outcomes that wait while the store does not take them; more are dropped and counted."""

MAX_BATCH: Final = 256
GATHER_S: Final = 0.05
"""How long outcomes wait for more of them: all of a batch share a commit, which costs as much as a hundred of them."""

RETRY_AFTER_S: Final = 1.0


class _Waiting(NamedTuple):
    caller: Principal
    token: DecisionToken
    observation: Observation


class Reporter:
    """Queues outcomes, and records them in batches. One that is sent again has the same time, so it counts once."""

    def __init__(
        self,
        learner: Learner,
        metrics: Metrics,
        figures: Figures,
        log: FilteringBoundLogger,
        clock: Callable[[], int],
    ) -> None:
        self._learner = learner
        self._metrics = metrics
        self._figures = figures
        self._log = log
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._closing = False

    def report(self, caller: Principal, token: DecisionToken, outcome: Outcome) -> None:
        """Have the outcome of a decision recorded."""
        if len(self._waiting) >= MAX_WAITING:
            self._figures.reports_dropped.add()
            return
        observation = Observation(outcome.signal, outcome, self._clock())
        self._waiting.append(_Waiting(caller, token, observation))
        self._wake.set()

    @property
    def waiting(self) -> int:
        """How many outcomes are not recorded yet."""
        return len(self._waiting)

    def close(self) -> None:
        """Let `run` return when everything that waits is recorded."""
        self._closing = True
        self._wake.set()

    async def run(self) -> None:
        """Record until closed."""
        while self._waiting or not self._closing:
            await self._wake.wait()
            if len(self._waiting) < MAX_BATCH and not self._closing:
                await asyncio.sleep(GATHER_S)
            if self._waiting:
                await self._record()
            elif not self._closing:
                self._wake.clear()

    async def _record(self) -> None:
        """Record a batch: the outcomes of each caller for himself, all at once."""
        by_caller: dict[Principal, list[_Waiting]] = {}
        for _ in range(min(len(self._waiting), MAX_BATCH)):
            one = self._waiting.popleft()
            by_caller.setdefault(one.caller, []).append(one)
        recorded = (self._record_of(caller, batch) for caller, batch in by_caller.items())
        waits = await asyncio.gather(*recorded, return_exceptions=True)
        for failed in waits:
            if isinstance(failed, BaseException):
                raise failed
        if wait_s := max(wait for wait in waits if isinstance(wait, float)):
            await asyncio.sleep(wait_s)

    async def _record_of(self, caller: Principal, batch: list[_Waiting]) -> float:
        """Record outcomes of one caller; return how long to wait where they have to be recorded again, 0 for done."""
        try:
            own = ((one.token, one.observation) for one in batch)
            results = await self._learner.record_own(own, self._clock(), caller)
        except ServiceError as error:
            self._waiting.extendleft(reversed(batch))
            self._log.warning("outcomes_wait", outcomes=len(self._waiting), reason=error.reason)
            return error.retry_after_s or RETRY_AFTER_S
        except BaseException:
            # Recording again is safe: what was stored has the same time, and counts once.
            self._waiting.extendleft(reversed(batch))
            raise
        for result in results:
            if isinstance(result, ServiceError):
                self._metrics.refused(result.reason)
                self._log.warning("outcome_refused", reason=result.reason)
            else:
                self._metrics.recorded(result.results)
        return 0.0
