"""What the end of a call to a model means: for what is learned, for its breaker, and for the figures."""

from collections.abc import Callable
from typing import Final, NamedTuple

from adapters.providers.chat import Timeouts, Usage
from adapters.providers.errors import ProviderError, ProviderTimeoutError
from bandit.catalogue import Prices
from bandit.signals import Outcome, Status
from bandit.spend import billed_nano_usd
from server.billing import TIMES_LIST
from server.fields import MAX_TOKENS, MAX_USD
from server.gateway.availability import Availability
from server.gateway.figures import Figures
from server.gateway.reporting import Reporter
from server.routing import Decision
from server.tokens import DecisionToken

UNKNOWN: Final = Usage()

SHORTEST_S: Final = 0.05
"""With less time left than this, nothing new is begun."""


class Turn(NamedTuple):
    """One call to a model under its own decision id, which says `token`.

    It began at `began_s` and may take `allotted_s` seconds: where it `is_after_others`, what those left of the time.
    """

    decision: Decision
    token: DecisionToken
    decision_id: str
    number: int
    began_s: float
    allotted_s: float
    is_after_others: bool = False

    @property
    def model(self) -> str:
        """The model that is called."""
        return self.token.model

    @property
    def _position(self) -> int:
        models = self.decision.question.published.snapshot.models
        return next(position for position, model in enumerate(models) if model.id == self.model)

    @property
    def forecast_usd(self) -> float:
        """What the call was expected to cost."""
        if self.number == 0:
            return self.decision.option.forecast.cost_usd
        return float(self.decision.distribution.forecasts.cost_usd[self._position])

    @property
    def prices(self) -> Prices:
        """What the model cost when the decision was made."""
        return self.decision.question.published.edition.models[self.model].prices

    @property
    def usual_s(self) -> float:
        """The time that nearly every answer of the model comes in."""
        return float(self.decision.distribution.forecasts.latency_p95_s[self._position])

    @property
    def is_long_enough(self) -> bool:
        """Whether nearly every answer of the model would have come in the time allotted."""
        return self.allotted_s >= self.usual_s


class Outcomes:
    """Settles turns. The clock, in seconds, never goes back."""

    def __init__(
        self,
        availability: Availability,
        reporter: Reporter,
        figures: Figures,
        timeouts: Timeouts,
        clock_s: Callable[[], float],
    ) -> None:
        self._availability = availability
        self._reporter = reporter
        self._figures = figures
        self._timeouts = timeouts
        self._clock_s = clock_s

    def served(self, turn: Turn, usage: Usage, first_token_s: float | None = None) -> None:
        """The model answered; `first_token_s` is when its first token came, None where that is not known."""
        self._availability.served(turn.model, turn.token.namespace, turn.began_s)
        self._settle(turn, Status.OK, usage, first_token_s, self._clock_s())

    def failed(
        self, turn: Turn, error: ProviderError, first_token_s: float | None = None, usage: Usage = UNKNOWN
    ) -> None:
        """The model did not answer, or not to the end; `usage` is what it said that it billed all the same."""
        if error.is_failure and self._is_its_fault(turn, error):
            self._availability.failed(turn.model, turn.token.namespace, turn.began_s, error)
        status = error.status
        if isinstance(error, ProviderTimeoutError) and turn.is_after_others and not turn.is_long_enough:
            # What the models before it left of the time says nothing about this one.
            status = Status.CANCELLED
        ended_s = self._clock_s() if status is Status.TIMEOUT else None
        self._settle(turn, status, usage, first_token_s, ended_s)

    def tried(self, turn: Turn, first_token_s: float | None) -> None:
        """A probe was answered, and given up at its first token: no more is known of it than that."""
        self._settle(turn, Status.OK, UNKNOWN, first_token_s, None)

    def cancelled(self, turn: Turn, first_token_s: float | None = None, usage: Usage = UNKNOWN) -> None:
        """The caller left."""
        self._settle(turn, Status.CANCELLED, usage, first_token_s, None)

    def _is_its_fault(self, turn: Turn, error: ProviderError) -> bool:
        """Whether a failure counts against the model, and not against a caller who is in a hurry."""
        if not isinstance(error, ProviderTimeoutError):
            return True
        allowed_s = {"first_token": self._timeouts.first_token_s, "total": self._timeouts.total_s}.get(error.phase, 0.0)
        return turn.allotted_s >= allowed_s - SHORTEST_S or turn.is_long_enough

    def _settle(
        self, turn: Turn, status: Status, usage: Usage, first_token_s: float | None, ended_s: float | None
    ) -> None:
        outcome = Outcome(
            status,
            latency_us=None if ended_s is None else _us(ended_s - turn.began_s),
            time_to_first_token_us=None if first_token_s is None else _us(first_token_s - turn.began_s),
            input_tokens=_tokens(usage.input_tokens),
            cached_input_tokens=_tokens(usage.cached_input_tokens),
            output_tokens=_tokens(usage.output_tokens),
            cost_nano_usd=_nano_usd(usage.cost_usd),
        )
        billed = outcome._replace(cost_nano_usd=_billed(outcome, turn.prices))
        self._figures.called(turn.model, billed, turn.forecast_usd)
        self._reporter.report(turn.decision.caller, turn.token, billed)


def _billed(outcome: Outcome, prices: Prices | None) -> int | None:
    """Return what a call cost: what the provider says, unless that is in another unit by the look of it."""
    listed = billed_nano_usd(outcome._replace(cost_nano_usd=None), prices)
    told = outcome.cost_nano_usd
    if told is not None and (not listed or told <= TIMES_LIST * listed):
        return told
    return listed


def _us(seconds: float) -> int:
    return max(round(seconds * 1e6), 0)


def _tokens(count: int | None) -> int | None:
    """Take a count that no call can have for unknown, as the contract would refuse it."""
    return count if count is not None and 0 <= count <= MAX_TOKENS else None


def _nano_usd(usd: float | None) -> int | None:
    return round(usd * 1e9) if usd is not None and 0.0 <= usd <= MAX_USD else None
