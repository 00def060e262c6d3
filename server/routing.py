"""The use case of the hot path: choose a model from memory. No I/O, nothing awaited, no types of the wire."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from bandit.draw import UniformSource, draw
from bandit.policy import Distribution
from bandit.signals import Kind
from server.billing import refuse_exhausted
from server.choices import Option
from server.credentials import Principal
from server.questions import NOTHING_BARRED, Question, Questions
from server.requests import Call
from server.tokens import DecisionToken, TokenKeys, fallback_tokens

CATEGORY_LIMIT: Final = "CATEGORY_LIMIT"
DEGRADED: Final = "DEGRADED"


class Decision(NamedTuple):
    """A decision with everything it was made from.

    `token` is what its id says. `uniform` is None where nothing was drawn. `reason` is empty for the ordinary draw.
    """

    id: str
    token: DecisionToken
    keys: TokenKeys
    call: Call
    caller: Principal
    uniform: float | None
    question: Question
    distribution: Distribution
    option: Option
    reason: str

    @property
    def model(self) -> str:
        """The model that was chosen."""
        return self.token.model

    @property
    def kind(self) -> Kind:
        """How it was chosen."""
        return self.token.kind

    @property
    def propensity(self) -> float:
        """The probability that it was drawn with."""
        return self.token.propensity

    @property
    def nonce(self) -> bytes:
        """What names the decision."""
        return self.token.nonce

    @property
    def decided_us(self) -> int:
        """When it was made."""
        return self.token.decided_us

    @property
    def fallback_tokens(self) -> Sequence[DecisionToken]:
        """What the decision ids of the option's fallbacks say."""
        return fallback_tokens(self.token, self.option.fallbacks)

    @property
    def fallback_ids(self) -> Sequence[str]:
        """The decision ids of the option's fallbacks, signed here and now: most decisions never need them."""
        return self.keys.sign_fallbacks(self.token, self.option.fallbacks)


class Router:
    """Decides. The clock (microseconds), randomness and nonces (12 bytes) are arguments; for one thread."""

    def __init__(
        self,
        questions: Questions,
        keys: TokenKeys,
        *,
        clock: Callable[[], int],
        rng: UniformSource,
        nonce: Callable[[], bytes],
    ) -> None:
        self._questions = questions
        self._keys = keys
        self._clock = clock
        self._rng = rng
        self._nonce = nonce

    def route(self, call: Call, caller: Principal, uncallable: Mapping[str, str] = NOTHING_BARRED) -> Decision:
        """Choose a model for `call`; `uncallable` says why models may not be chosen, by id.

        Raises what `Questions.ask` and `Question.choices` raise, and BudgetExhaustedError.
        """
        now_us = self._clock()
        question = self._questions.ask(call, caller, now_us, uncallable)
        snapshot, request = question.published.snapshot, question.request
        if snapshot.budgets:
            refuse_exhausted(snapshot, request.category, request.profile, now_us)
        choices = question.choices()
        distribution = choices.distribution
        if call.model:
            kind, position, propensity, uniform = Kind.FORCED, distribution.ranking[0], 1.0, None
        else:
            kind, (position, propensity, uniform) = distribution.kind, draw(distribution, self._rng)
        option = choices.option(position)
        category = request.category
        token = DecisionToken(
            caller.namespace,
            category,
            option.model,
            kind,
            propensity,
            now_us,
            self._nonce(),
            call.input_tokens,
            profile=question.payer,
            priced=distribution.forecasts.budget_price > 0.0,
        )
        return Decision(
            id=self._keys.sign(token),
            token=token,
            keys=self._keys,
            call=call,
            caller=caller,
            uniform=uniform,
            question=question,
            distribution=distribution,
            option=option,
            reason=reason_of(call, question, distribution),
        )

    def further(self, decision: Decision, model: str) -> tuple[DecisionToken, str]:
        """Return a token for one more call to a model, beside those of a decision and its fallbacks, and its id."""
        token = decision.token._replace(
            model=model, kind=Kind.FALLBACK, propensity=1.0, nonce=self._nonce(), parent=decision.nonce
        )
        return token, self._keys.sign(token)


def reason_of(call: Call, question: Question, distribution: Distribution) -> str:
    """Return why a decision for `call` is not the ordinary draw of its category; empty where it is."""
    if question.published.degraded:
        return DEGRADED
    if distribution.reason is not None and not call.model:
        return distribution.reason.value
    return "" if question.request.category == call.category else CATEGORY_LIMIT
