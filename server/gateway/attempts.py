"""The call loop: decide, call the model, turn to the next one where it fails, and report every attempt."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import TypeVar

from adapters.providers.chat import Answer, Body, Timeouts
from adapters.providers.errors import ProviderError, RateLimitedError
from bandit.eligibility import EJECTED
from server.credentials import Principal
from server.decision_log import DecisionLog
from server.gateway.chats import Attempt, CallFailedError, Chat, Completed, Served
from server.gateway.live import Beginning, LiveAnswer
from server.gateway.outcomes import Outcomes, Turn
from server.gateway.probes import Probes
from server.gateway.turns import Turns
from server.metrics import Metrics
from server.ports import Provider
from server.requests import Call
from server.routing import Decision, Router

T = TypeVar("T")


class Gateway:
    """Answers chats (`server.gateway.chats.Chats`). The clock, in seconds, never goes back."""

    def __init__(
        self,
        router: Router,
        decisions: DecisionLog,
        metrics: Metrics,
        providers: Mapping[str, Provider],
        *,
        turns: Turns,
        outcomes: Outcomes,
        probes: Probes,
        timeouts: Timeouts,
        uncallable: Mapping[str, str],
        clock_s: Callable[[], float],
    ) -> None:
        self._router = router
        self._decisions = decisions
        self._metrics = metrics
        self._providers = providers
        self._turns = turns
        self._outcomes = outcomes
        self._probes = probes
        self._timeouts = timeouts
        self._uncallable = uncallable
        self._clock_s = clock_s

    async def complete(self, chat: Chat, caller: Principal) -> Completed:
        """Return a whole answer. Raises ServiceError, CallFailedError."""

        async def ask(provider: Provider, turn: Turn) -> Answer:
            connect_s, first_token_s, idle_s, total_s = self._timeouts
            timeouts = Timeouts(connect_s, first_token_s, idle_s, min(turn.allotted_s, total_s))
            return await provider.complete(chat.body, timeouts)

        turn, answer, served = await self._answered(chat, caller, ask)
        self._outcomes.served(turn, answer.usage)
        return Completed(served._replace(request_id=answer.request_id), answer)

    async def stream(self, chat: Chat, caller: Principal) -> LiveAnswer:
        """Return an answer that has begun; the caller closes it. Raises ServiceError, CallFailedError."""
        deadline_s = self._clock_s() + chat.deadline_s

        async def ask(provider: Provider, turn: Turn) -> Beginning:
            timeouts = self._timeouts._replace(
                first_token_s=min(turn.allotted_s, self._timeouts.first_token_s),
                total_s=deadline_s - self._clock_s(),
            )
            beginning = Beginning(await provider.stream(chat.body, timeouts), self._clock_s)
            try:
                await beginning.arrive()
            except BaseException:
                await beginning.stream.aclose()
                raise
            return beginning

        turn, beginning, served = await self._answered(chat, caller, ask)
        served = served._replace(request_id=beginning.stream.request_id)
        return LiveAnswer(beginning, turn, served, self._outcomes)

    async def _answered(
        self, chat: Chat, caller: Principal, ask: Callable[[Provider, Turn], Awaitable[T]]
    ) -> tuple[Turn, T, Served]:
        deadline_s = self._clock_s() + chat.deadline_s
        decision = self._decide(chat.call, caller)
        self._probe(decision, chat.body)
        attempts: list[Attempt] = []
        try:
            turn: Turn | None = self._turns.first(decision, deadline_s)
        except RateLimitedError as error:
            raise CallFailedError([Attempt(decision.id, decision.model, error)]) from error
        while turn is not None:
            try:
                answer = await ask(self._providers[turn.model], turn)
            except ProviderError as error:
                self._outcomes.failed(turn, error)
                attempts.append(Attempt(turn.decision_id, turn.model, error))
                turn = await self._turns.following(turn, attempts, deadline_s) if error.elsewhere else None
            except asyncio.CancelledError:
                self._outcomes.cancelled(turn)
                raise
            else:
                attempts.append(Attempt(turn.decision_id, turn.model))
                return turn, answer, Served(decision, attempts, turn.forecast_usd)
        raise CallFailedError(attempts)

    def _decide(self, call: Call, caller: Principal) -> Decision:
        started = perf_counter()
        decision = self._router.route(call, caller, self._uncallable)
        seconds = perf_counter() - started
        self._decisions.append(decision)
        category = decision.question.request.category
        self._metrics.decided(caller.namespace, category, decision.model, decision.kind, seconds)
        return decision

    def _probe(self, decision: Decision, body: Body) -> None:
        """Try models that this call could have gone to, were they not failing."""
        for model, reason in decision.question.exclusions.items():
            if reason == EJECTED:
                self._probes.begin(model, decision, body)
