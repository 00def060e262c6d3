"""Which models fail just now: the breakers of all models, and what they mean for decisions."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from adapters.providers.errors import ProviderError
from server.gateway.breaker import PROBE_EVERY_S, Breaker, State
from server.gateway.failures import logged

JITTER: Final = 0.1
"""Share by which waits differ, so that replicas do not probe at once."""


class Availability:
    """Knows the breaker of each model. The clock, which never goes back, and uniform numbers are arguments."""

    def __init__(
        self,
        clock_s: Callable[[], float],
        uniform: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        self._clock_s = clock_s
        self._uniform = uniform
        self._log = log
        self._breakers: defaultdict[str, Breaker] = defaultdict(Breaker)
        self._troubled: set[str] = set()

    def failing(self) -> Sequence[str]:
        """Return the ids of the models that nothing but a probe should go to, longest first."""
        if not self._troubled:
            return ()
        now_s = self._clock_s()
        # A copy, and nothing is taken out here: explanations ask from another thread.
        for model in tuple(self._troubled):
            if self._breakers[model].forget(now_s):
                self._log.info("model_untried", model=model)
        failing = [model for model in tuple(self._troubled) if self._breakers[model].state(now_s) is not State.CLOSED]
        failing.sort(key=lambda model: (self._breakers[model].opened_s or now_s, model))
        return tuple(failing)

    def state(self, model: str) -> State:
        """Return the state of a model's breaker."""
        return self._breakers[model].state(self._clock_s())

    def held_s(self, model: str) -> float:
        """Return for how many seconds a model's provider wants to be left alone."""
        return self._breakers[model].held_s(self._clock_s())

    def served(self, model: str, caller: str, began_s: float) -> None:
        """Hear that a model served a call of this namespace, which began at this time of the clock."""
        if self._breakers[model].succeeded(caller, began_s, self._clock_s()):
            self._log.info("model_back", model=model)
        if model in self._troubled and self.state(model) is State.CLOSED:
            self._troubled.discard(model)

    def failed(self, model: str, caller: str, began_s: float, error: ProviderError) -> None:
        """Hear that a model failed to serve a call of this namespace, which began at this time of the clock."""
        now_s, breaker = self._clock_s(), self._breakers[model]
        if breaker.failed(caller, began_s, now_s, self._wait_s()):
            self._troubled.add(model)
            self._log.warning("model_failing", model=model, **logged(error))
        if error.retry_after_s:
            self._log.info("model_held", model=model, seconds=error.retry_after_s)
            breaker.hold(now_s, error.retry_after_s)
            self._troubled.add(model)

    def begin_probe(self, model: str) -> bool:
        """Return whether the caller may try whether a model is back; it then calls `end_probe`."""
        return self._breakers[model].begin_probe(self._clock_s())

    def end_probe(self, model: str, caller: str, *, served: bool) -> None:
        """Hear how a probe with a call of this namespace went."""
        if self._breakers[model].end_probe(served, caller, self._clock_s(), self._wait_s()):
            self._log.info("model_back", model=model)

    def _wait_s(self) -> float:
        return PROBE_EVERY_S * (1.0 + JITTER * (2.0 * self._uniform() - 1.0))
