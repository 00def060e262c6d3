"""The use case of the hot path: choose a model from memory. No I/O, nothing awaited, no types of the wire."""

from collections.abc import Callable
from typing import Final, NamedTuple

from bandit.draw import UniformSource, draw
from bandit.fallbacks import fallbacks
from bandit.policy import Distribution
from bandit.signals import Kind
from server.credentials import Principal
from server.questions import Question, Questions
from server.requests import Call
from server.tokens import DecisionToken, TokenKeys

CATEGORY_LIMIT: Final = "CATEGORY_LIMIT"
LEAST_VIOLATION: Final = "LEAST_VIOLATION"


class Fallback(NamedTuple):
    """A model to try when the ones before it failed, and the decision id of that attempt."""

    model: str
    decision_id: str


class Decision(NamedTuple):
    """A decision with everything it was made from.

    `category` is what the call was routed as, `position` the model's place in the snapshot; `uniform` is None
    where nothing was drawn. `reason` is empty for the ordinary draw.
    """

    id: str
    nonce: bytes
    decided_us: int
    call: Call
    caller: Principal
    kind: Kind
    model: str
    position: int
    propensity: float
    uniform: float | None
    question: Question
    distribution: Distribution
    fallbacks: tuple[Fallback, ...]
    reason: str


class Router:
    """Decides. The clock (microseconds), randomness and nonces (12 bytes) are arguments; for one thread."""

    def __init__(
        self,
        questions: Questions,
        keys: TokenKeys,
        *,
        max_fallbacks: int,
        clock: Callable[[], int],
        rng: UniformSource,
        nonce: Callable[[], bytes],
    ) -> None:
        self._questions = questions
        self._sign = keys.sign
        self._max_fallbacks = max_fallbacks
        self._clock = clock
        self._rng = rng
        self._nonce = nonce

    def route(self, call: Call, caller: Principal) -> Decision:
        """Choose a model for `call`. Raises what `Questions.ask` and `Question.distribution` raise."""
        now_us = self._clock()
        question = self._questions.ask(call, caller, now_us)
        distribution = question.distribution()
        if call.model:
            kind, index, propensity, uniform = Kind.FORCED, distribution.ranking[0], 1.0, None
        else:
            drawn = draw(distribution, self._rng)
            kind, index, propensity, uniform = Kind.SAMPLED, drawn.index, drawn.propensity, drawn.uniform
        models = question.published.snapshot.models
        namespace, category = caller.namespace, question.request.category
        model, tokens, nonce = models[index].id, call.input_tokens, self._nonce()
        token = DecisionToken(namespace, category, model, kind, propensity, now_us, nonce, tokens)
        attempts = []
        for other in fallbacks(models, distribution.ranking, index, self._max_fallbacks):
            attempt = DecisionToken(
                namespace, category, models[other].id, Kind.FALLBACK, 1.0, now_us, self._nonce(), tokens, nonce
            )
            attempts.append(Fallback(attempt.model, self._sign(attempt)))
        return Decision(
            id=self._sign(token),
            nonce=nonce,
            decided_us=now_us,
            call=call,
            caller=caller,
            kind=kind,
            model=model,
            position=index,
            propensity=propensity,
            uniform=uniform,
            question=question,
            distribution=distribution,
            fallbacks=tuple(attempts),
            reason=_reason(call, category, distribution),
        )


def _reason(call: Call, category: str, distribution: Distribution) -> str:
    if distribution.least_violation:
        return LEAST_VIOLATION
    return "" if category == call.category else CATEGORY_LIMIT
