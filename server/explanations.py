"""The use case of ExplainDecision: why a decision came out as it did, or would."""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from adapters.ledger import StoreError
from bandit.policy import Distribution
from bandit.records import DecisionRecord, DistributionRecord
from bandit.signals import Kind
from bandit.stated import stated_best
from server.billing import refuse_exhausted
from server.credentials import Principal
from server.decision_log import DecisionLog, distribution_record
from server.errors import (
    DecisionAheadError,
    DecisionIdInvalidError,
    DecisionNotLoggedError,
    ForeignDecisionError,
    LogUnavailableError,
)
from server.ports import Store
from server.questions import Question, Questions
from server.requests import Call
from server.routing import reason_of
from server.tokens import DecisionToken, TokenAheadError, TokenInvalidError, TokenKeys

RETRY_AFTER_S: Final = 1.0

_SEED: Final = 20261126
"""Of the draws behind P(best): whoever asks twice of one snapshot is told the same."""


class Explanation(NamedTuple):
    """What a decision was drawn from, or would be.

    `decision` is None for a call that is only imagined. `fallback_model` is the model of the id that was asked about
    where that is one of the decision's fallbacks. `best` is P(best) by model, empty where it is not stated.
    """

    category: str
    kind: Kind
    reason: str
    input_tokens: int | None
    drawn_from: DistributionRecord
    decision: DecisionRecord | None = None
    fallback_model: str = ""
    best: Mapping[str, float] = {}


class Explanations:
    """Explains decisions by the log, and calls by the present snapshot."""

    def __init__(self, store: Store, decisions: DecisionLog, questions: Questions, keys: TokenKeys) -> None:
        self._store = store
        self._decisions = decisions
        self._questions = questions
        self._keys = keys

    async def of_decision(self, decision_id: str, now_us: int, caller: Principal) -> Explanation:
        """Explain a decision by the numbers it was made with, given its id or that of one of its fallbacks.

        Raises DecisionIdInvalidError, DecisionAheadError, ForeignDecisionError, DecisionNotLoggedError,
        LogUnavailableError.
        """
        token = self._verified(decision_id, now_us, caller)
        made = await self._logged(token)
        if made is None:
            raise DecisionNotLoggedError
        is_fallback = bool(token.parent)
        return Explanation(
            category=made.category,
            kind=Kind.FALLBACK if is_fallback else made.kind,
            reason=made.reason,
            input_tokens=made.input_tokens,
            drawn_from=made.distribution,
            decision=made,
            fallback_model=token.model if is_fallback else "",
        )

    def of_call(self, call: Call, now_us: int, caller: Principal) -> Explanation:
        """Explain what would be decided for a call now; nothing is decided, logged or remembered.

        Raises what `Questions.imagine` and `Question.choices` raise, and BudgetExhaustedError.
        """
        question = self._questions.imagine(call, caller, now_us)
        snapshot, category = question.published.snapshot, question.request.category
        refuse_exhausted(snapshot, category, question.request.profile, now_us)
        distribution = question.choices().distribution
        return Explanation(
            category=category,
            kind=Kind.FORCED if call.model else distribution.kind,
            reason=reason_of(call, question, distribution),
            input_tokens=call.input_tokens,
            drawn_from=distribution_record(question, distribution),
            best=_stated_best(question, distribution),
        )

    def _verified(self, decision_id: str, now_us: int, caller: Principal) -> DecisionToken:
        try:
            # However old: the log may hold a decision for longer than feedback about it is taken.
            token = self._keys.verify(decision_id, now_us, math.inf)
        except TokenAheadError as error:
            raise DecisionAheadError(error.ahead_s) from error
        except TokenInvalidError as error:
            raise DecisionIdInvalidError from error
        if token.namespace != caller.namespace:
            raise ForeignDecisionError
        return token

    async def _logged(self, token: DecisionToken) -> DecisionRecord | None:
        key = token.namespace, token.parent or token.nonce, token.decided_us
        try:
            found = await self._store.decision(*key)
            if found is None:
                # It may still wait to be written.
                await self._decisions.flush()
                found = await self._store.decision(*key)
        except StoreError as error:
            raise LogUnavailableError(RETRY_AFTER_S) from error
        return found


def _stated_best(question: Question, distribution: Distribution) -> Mapping[str, float]:
    """Return P(best) of the models that may be chosen, where being best is what counts and `stated_best` knows all."""
    snapshot, request = question.published.snapshot, question.request
    if request.cached_model or snapshot.settings.mode(request.category).cheapest_within is not None:
        return {}
    candidates = sum(1 << position for position in distribution.ranking)
    stated = stated_best(snapshot, request._replace(eligible=candidates), np.random.default_rng(_SEED))
    return {snapshot.models[position].id: stated[position] for position in distribution.ranking}
