"""Whose turn it is: the model that was drawn, its fallbacks, and then, where the budget grants it, some again."""

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from adapters.providers.errors import (
    CredentialRefusedError,
    ModelMissingError,
    RateLimitedError,
    RequestRefusedError,
)
from server.gateway.availability import Availability
from server.gateway.breaker import State
from server.gateway.chats import Attempt
from server.gateway.failures import cause
from server.gateway.figures import Figures
from server.gateway.outcomes import SHORTEST_S, Turn
from server.gateway.retries import LONGEST_HOLD_S, MAX_PER_CALL, RetryBudget, wait_s
from server.routing import Decision, Router
from server.tokens import DecisionToken

LASTING: Final = (CredentialRefusedError, ModelMissingError, RequestRefusedError)
"""What trying again does not mend."""


class Turns:
    """Orders the calls for decisions. The clock, in seconds, never goes back; uniform numbers are an argument."""

    def __init__(
        self,
        router: Router,
        availability: Availability,
        figures: Figures,
        clock_s: Callable[[], float],
        uniform: Callable[[], float],
    ) -> None:
        self._router = router
        self._availability = availability
        self._budgets: defaultdict[str, RetryBudget] = defaultdict(RetryBudget)
        self._figures = figures
        self._clock_s = clock_s
        self._uniform = uniform

    def first(self, decision: Decision, deadline_s: float) -> Turn:
        """Return the turn of the model that was drawn, or of its first fallback where the model wants to be left alone.

        Raises RateLimitedError where they all do.
        """
        self._budgets[decision.caller.namespace].earn()
        if not self._availability.held_s(decision.model):
            return self._turn(
                decision, decision.token, decision.id, 0, deadline_s, is_last=not decision.option.fallbacks
            )
        fallbacks = self._fallbacks(decision, ())
        if not fallbacks:
            raise self._left_alone(decision)
        token, decision_id = fallbacks[0]
        self._figures.fell_back(decision.model, token.model, cause(RateLimitedError("")))
        return self._turn(decision, token, decision_id, 1, deadline_s, is_last=len(fallbacks) == 1)

    async def following(self, turn: Turn, attempts: Sequence[Attempt], deadline_s: float) -> Turn | None:
        """Return whose turn it is after `turn`, when it is time; None where nothing is left to try.

        `attempts` are those that failed so far. While there is another model to turn to, a turn may take half of the
        time that is left.
        """
        decision, number = turn.decision, turn.number + 1
        if deadline_s - self._clock_s() < SHORTEST_S:
            return None
        if fallbacks := self._fallbacks(decision, attempts):
            token, decision_id = fallbacks[0]
            failure = attempts[-1].error
            self._figures.fell_back(turn.model, token.model, cause(failure) if failure else "")
            is_last = len(fallbacks) == 1
            return self._turn(decision, token, decision_id, number, deadline_s, is_last=is_last, is_after_others=True)
        retry, again = len(attempts) - len({attempt.model for attempt in attempts}), self._worth_again(attempts)
        if retry == MAX_PER_CALL or not again or not await self._may_retry(decision, again, retry, deadline_s):
            return None
        further = self._router.further(decision, again)
        return self._turn(decision, *further, number, deadline_s, is_last=True, is_after_others=True)

    def _turn(
        self,
        decision: Decision,
        token: DecisionToken,
        decision_id: str,
        number: int,
        deadline_s: float,
        *,
        is_last: bool,
        is_after_others: bool = False,
    ) -> Turn:
        now_s = self._clock_s()
        allotted_s = (deadline_s - now_s) / (1.0 if is_last else 2.0)
        return Turn(decision, token, decision_id, number, now_s, allotted_s, is_after_others)

    def _fallbacks(self, decision: Decision, attempts: Sequence[Attempt]) -> Sequence[tuple[DecisionToken, str]]:
        """Return the tokens of the fallbacks that may be tried yet, with their ids, those that fail just now last.

        Those whose provider wants to be left alone are not called.
        """
        tried = {attempt.model for attempt in attempts}
        pairs = zip(decision.fallback_tokens, decision.fallback_ids, strict=True)
        left = [one for one in pairs if one[0].model not in tried and not self._availability.held_s(one[0].model)]
        return sorted(left, key=lambda one: self._availability.state(one[0].model) is not State.CLOSED)

    def _left_alone(self, decision: Decision) -> RateLimitedError:
        """Return what callers are told while every model that could serve them wants to be left alone."""
        models = decision.model, *decision.option.fallbacks
        wait_s = min(map(self._availability.held_s, models))
        message = f"the provider asked to be left alone for {math.ceil(wait_s)} s more, so it was not called"
        return RateLimitedError(message, retry_after_s=wait_s)

    def _worth_again(self, attempts: Sequence[Attempt]) -> str:
        """Return the best model whose failure may have passed; empty for none."""
        lasting = {attempt.model for attempt in attempts if isinstance(attempt.error, LASTING)}
        models = [attempt.model for attempt in attempts if attempt.model not in lasting]
        return min(models, key=self._availability.held_s, default="")

    async def _may_retry(self, decision: Decision, model: str, retry: int, deadline_s: float) -> bool:
        """Wait until a model may be called again. Returns False, without waiting, where it may not in time."""
        held_s = self._availability.held_s(model)
        wait = max(wait_s(retry, self._uniform), held_s)
        if held_s > LONGEST_HOLD_S or self._clock_s() + wait + SHORTEST_S > deadline_s:
            return False
        granted = self._budgets[decision.caller.namespace].spend()
        self._figures.retried(granted)
        if granted:
            await asyncio.sleep(wait)
        return granted
