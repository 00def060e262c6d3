"""A measured call to a model: what is timed, what the caller tells, and what is reported."""

from typing import Final

import grpc

from routeward.clock import Clock
from routeward.decisions import Decision
from routeward.signals import Outcome, Status

ExceptionTypes = type[Exception] | tuple[type[Exception], ...]

_OF_NAME: Final = (
    ("Timeout", Status.TIMEOUT),
    ("DeadlineExceeded", Status.TIMEOUT),
    ("RateLimit", Status.RATE_LIMITED),
    ("TooManyRequests", Status.RATE_LIMITED),
    ("ResourceExhausted", Status.RATE_LIMITED),
    ("Cancelled", Status.CANCELLED),
)
_OF_HTTP: Final = {408: Status.TIMEOUT, 429: Status.RATE_LIMITED, 504: Status.TIMEOUT}
_OF_GRPC: Final = {
    grpc.StatusCode.DEADLINE_EXCEEDED: Status.TIMEOUT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Status.RATE_LIMITED,
    grpc.StatusCode.CANCELLED: Status.CANCELLED,
}


class Call:
    """One call to the model of a decision, timed from its start to its end. Not for several threads.

    What the caller does not tell stays unknown.
    """

    def __init__(self, decision: Decision, clock: Clock) -> None:
        self.decision: Final = decision
        self.outcome: Outcome | None = None
        """What is reported; None until the call has ended."""
        self._clock = clock
        self._started_s = clock.monotonic()
        self._first_token_s: float | None = None
        self._status: Status | None = None
        self._input_tokens: int | None = None
        self._cached_input_tokens: int | None = None
        self._output_tokens: int | None = None
        self._cost_usd: float | None = None

    @property
    def model(self) -> str:
        """Model to call."""
        return self.decision.model

    def first_token(self) -> None:
        """Note that the answer has begun; only the first time counts, so a loop may say it for each token."""
        if self._first_token_s is None:
            self._first_token_s = self._clock.monotonic() - self._started_s

    def tokens(
        self,
        *,
        input: int | None = None,  # noqa: A002
        output: int | None = None,
        cached_input: int | None = None,
    ) -> None:
        """Note the tokens of prompt and answer as billed; what is left out keeps what was noted before."""
        self._input_tokens = self._input_tokens if input is None else input
        self._output_tokens = self._output_tokens if output is None else output
        self._cached_input_tokens = self._cached_input_tokens if cached_input is None else cached_input

    def cost(self, usd: float) -> None:
        """Note the billed cost in US dollars."""
        self._cost_usd = usd

    def status(self, status: Status) -> None:
        """Say how the call went, whatever exception ends it: for example `Status.RATE_LIMITED`."""
        self._status = status

    @property
    def settled(self) -> bool:
        """Whether no other model needs to be tried: the call was answered, or given up."""
        return self.outcome is not None and self.outcome.status in {Status.OK, Status.CANCELLED}

    def start(self) -> None:
        """Start the clock anew."""
        self._started_s = self._clock.monotonic()

    def end(self, error: BaseException | None) -> Outcome:
        """Stop the clock; `error` is what ended the call, None if it was answered."""
        self.outcome = Outcome(
            status_of(error) if self._status is None else self._status,
            latency_s=self._clock.monotonic() - self._started_s,
            time_to_first_token_s=self._first_token_s,
            input_tokens=self._input_tokens,
            cached_input_tokens=self._cached_input_tokens,
            output_tokens=self._output_tokens,
            cost_usd=self._cost_usd,
            observed_time=self._clock.now(),
        )
        return self.outcome


def status_of(error: BaseException | None) -> Status:
    """Return the status that an exception stands for; None is OK.

    What is no `Exception` (KeyboardInterrupt, asyncio.CancelledError) is CANCELLED. Time-outs and rate
    limits are known by HTTP status (`status_code` of the exception or its `response`), by gRPC status, or
    by the name of the exception or one of its bases, which covers the usual libraries. The rest is ERROR.
    """
    if error is None:
        return Status.OK
    if not isinstance(error, Exception):
        return Status.CANCELLED
    if isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return _OF_GRPC.get(error.code(), Status.ERROR)
    return _OF_HTTP.get(_http_status(error)) or _status_of_name(error)


def _status_of_name(error: Exception) -> Status:
    names = " ".join(kind.__name__ for kind in type(error).__mro__)
    return next((status for part, status in _OF_NAME if part in names), Status.ERROR)


def _http_status(error: Exception) -> int:
    """Read only what the exception holds: a property might raise, and so hide the exception."""
    facts = vars(error)
    code = facts.get("status_code", getattr(facts.get("response"), "status_code", None))
    return code if isinstance(code, int) else 0
