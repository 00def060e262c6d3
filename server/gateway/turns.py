"""Whose turn it is: the model that was drawn, its fallbacks, and then, where the budget grants it, some again."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from adapters.providers.errors import CredentialRefusedError, ModelMissingError
from server.gateway.availability import Availability
from server.gateway.breaker import State
from server.gateway.chats import Attempt
from server.gateway.figures import Figures
from server.gateway.outcomes import Turn
from server.gateway.retries import LONGEST_HOLD_S, MAX_PER_CALL, RetryBudget, wait_s
from server.routing import Decision, Router
from server.tokens import DecisionToken

SHORTEST_S: Final = 0.05
"""With less time left than this, nothing new is begun."""

LASTING: Final = (CredentialRefusedError, ModelMissingError)
"""What trying again does not mend."""


class Turns:
    """Orders the calls for decisions. The clock, in seconds, never goes back; uniform numbers are an argument."""

    def __init__(
        self,
        router: Router,
        availability: Availability,
        budget: RetryBudget,
        figures: Figures,
        clock_s: Callable[[], float],
        uniform: Callable[[], float],
    ) -> None:
        self._router = router
        self._availability = availability
        self._budget = budget
        self._figures = figures
        self._clock_s = clock_s
        self._uniform = uniform

    def first(self, decision: Decision, deadline_s: float) -> Turn:
        """Return the turn of the model that was drawn."""
        self._budget.earn()
        return self._turn(decision, decision.token, decision.id, 0, deadline_s)

    async def following(self, turn: Turn, attempts: Sequence[Attempt], deadline_s: float) -> Turn | None:
        """Return whose turn it is after `turn`, when it is time; None where nothing is left to try.

        `attempts` are those that failed so far. While there is another model to turn to, a turn may take half of the
        time that is left.
        """
        decision, number = turn.decision, turn.number + 1
        if deadline_s - self._clock_s() < SHORTEST_S:
            return None
        if number <= len(decision.option.fallbacks):
            token, decision_id = self._fallbacks(decision, attempts)[0]
            self._figures.fell_back(turn.model, token.model, _cause(attempts[-1]))
            return self._turn(decision, token, decision_id, number, deadline_s)
        retry, again = number - len(decision.option.fallbacks) - 1, self._worth_again(attempts)
        if retry == MAX_PER_CALL or not again or not await self._may_retry(again, retry, deadline_s):
            return None
        return self._turn(decision, *self._router.further(decision, again), number, deadline_s)

    def _turn(self, decision: Decision, token: DecisionToken, decision_id: str, number: int, deadline_s: float) -> Turn:
        now_s = self._clock_s()
        is_last = number >= len(decision.option.fallbacks)
        return Turn(decision, token, decision_id, number, now_s, (deadline_s - now_s) / (1.0 if is_last else 2.0))

    def _fallbacks(self, decision: Decision, attempts: Sequence[Attempt]) -> Sequence[tuple[DecisionToken, str]]:
        """Return the tokens of the fallbacks that were not tried, with their ids, those that fail just now last."""
        tried = {attempt.model for attempt in attempts}
        pairs = zip(decision.fallback_tokens, decision.fallback_ids, strict=True)
        left = [(token, decision_id) for token, decision_id in pairs if token.model not in tried]
        return sorted(left, key=lambda one: self._availability.state(one[0].model) is not State.CLOSED)

    def _worth_again(self, attempts: Sequence[Attempt]) -> str:
        """Return the best model whose failure may have passed; empty for none."""
        lasting = {attempt.model for attempt in attempts if isinstance(attempt.error, LASTING)}
        models = [attempt.model for attempt in attempts if attempt.model not in lasting]
        return min(models, key=self._availability.held_s, default="")

    async def _may_retry(self, model: str, retry: int, deadline_s: float) -> bool:
        """Wait until a model may be called again. Returns False, without waiting, where it may not in time."""
        held_s = self._availability.held_s(model)
        wait = max(wait_s(retry, self._uniform), held_s)
        if held_s > LONGEST_HOLD_S or self._clock_s() + wait + SHORTEST_S > deadline_s:
            return False
        granted = self._budget.spend()
        self._figures.retried(granted)
        if granted:
            await asyncio.sleep(wait)
        return granted


def _cause(failed: Attempt) -> str:
    return type(failed.error).__name__.removesuffix("Error")
