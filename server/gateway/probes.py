"""Whether a model that failed is back: a copy of a call is sent to it, and given up at the first token.

So the caller of that call never waits for a broken model, and the draw is of a distribution without it.
"""

import asyncio
from collections.abc import Callable, Mapping

from structlog.typing import FilteringBoundLogger

from adapters.providers.chat import Body, Timeouts
from adapters.providers.errors import ProviderError
from server.gateway.availability import Availability
from server.gateway.breaker import PROBE_EVERY_S
from server.gateway.failures import logged
from server.gateway.figures import Figures
from server.gateway.live import Beginning
from server.gateway.outcomes import Outcomes, Turn
from server.ports import Provider
from server.routing import Decision, Router


class Probes:
    """Tries models, one at a time each. The clock, in seconds, never goes back."""

    def __init__(
        self,
        router: Router,
        providers: Mapping[str, Provider],
        availability: Availability,
        outcomes: Outcomes,
        figures: Figures,
        timeouts: Timeouts,
        log: FilteringBoundLogger,
        clock_s: Callable[[], float],
    ) -> None:
        self._router = router
        self._providers = providers
        self._availability = availability
        self._outcomes = outcomes
        self._figures = figures
        self._timeouts = timeouts
        self._log = log
        self._clock_s = clock_s
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, model: str, decision: Decision, body: Body) -> None:
        """Try a model with a copy of the call that `decision` is about, where it is time to.

        A call whose cost is limited is not copied: nothing says that the model would keep the limit.
        """
        if decision.call.constraints.max_cost_usd is not None or not self._availability.begin_probe(model):
            return
        token, decision_id = self._router.further(decision, model)
        turn = Turn(decision, token, decision_id, 1, self._clock_s(), self._timeouts.total_s)
        task = asyncio.create_task(self._try(turn, body), name=f"probe {model}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Give up what runs."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _try(self, turn: Turn, body: Body) -> None:
        served = False
        try:
            served = await self._answers(turn, body)
        except ProviderError as error:
            self._outcomes.failed(turn, error)
            # A request without words in its format was never sent; one that the provider refused shows that it is back.
            served = not error.is_failure and error.http_status is not None
            self._log.info("probe_failed", model=turn.model, **logged(error))
        finally:
            self._availability.end_probe(turn.model, turn.token.namespace, served=served)
            self._figures.probed(turn.model, served=served)

    async def _answers(self, turn: Turn, body: Body) -> bool:
        # A request that a stalled provider took is lost, also once it is back: waiting for it would hide that.
        patience_s = min(self._timeouts.first_token_s, max(PROBE_EVERY_S, turn.usual_s))
        timeouts = self._timeouts._replace(first_token_s=patience_s)
        beginning = Beginning(await self._providers[turn.model].stream(body, timeouts), self._clock_s)
        try:
            await beginning.arrive()
        finally:
            await beginning.stream.aclose()
        self._outcomes.tried(turn, beginning.first_token_s)
        return True
