"""The figures of calls to models, for Prometheus. Labels come from the registry only."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bandit.signals import Outcome, Status
from server.gateway.breaker import State
from server.series import Counts, Durations

BILLED: Final = "billed"
FORECAST: Final = "forecast"

_OUTCOMES: Final = {status: status.name.lower() for status in Status}
_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


class Figures:
    """Counts calls, their time, tokens and money. `providers` tells who serves each model."""

    def __init__(self, registry: CollectorRegistry, providers: Mapping[str, str]) -> None:
        self._registry = registry
        self._providers = providers
        self._requests = Counts(
            "routeward_provider_requests", "Calls to models.", ["provider", "model", "outcome"], registry
        )
        self._seconds = Durations(
            "routeward_provider_request_seconds", "Time to the whole answer.", "model", _SECONDS, registry
        )
        self._first_token_seconds = Durations(
            "routeward_provider_ttft_seconds", "Time to the first token.", "model", _SECONDS, registry
        )
        self._tokens = Counts("routeward_provider_tokens", "Tokens by type.", ["model", "type"], registry)
        self._cost = Counts(
            "routeward_provider_cost_usd",
            "US dollars of calls whose bill is known: as billed, and as forecast when they were decided.",
            ["model", "kind"],
            registry,
        )
        self._fallbacks = Counts(
            "routeward_fallbacks", "Calls that went on to another model.", ["from", "to", "cause"], registry
        )
        self._retries = Counts(
            "routeward_retries", "Repeated calls, and those that were not granted.", ["result"], registry
        )
        self._probes = Counts("routeward_probes", "Tries whether a model is back.", ["model", "result"], registry)
        self.reports_dropped = Counts("routeward_reports_dropped", "Outcomes that nobody could store.", [], registry)

    def called(self, model: str, outcome: Outcome, forecast_usd: float) -> None:
        """Count a call that ended."""
        self._requests.add(self._providers.get(model, ""), model, _OUTCOMES[outcome.status])
        if outcome.latency_us is not None:
            self._seconds.observe(model, outcome.latency_us * 1e-6)
        if outcome.time_to_first_token_us is not None:
            self._first_token_seconds.observe(model, outcome.time_to_first_token_us * 1e-6)
        cached = outcome.cached_input_tokens or 0
        if outcome.input_tokens is not None:
            self._tokens.add_amount(max(outcome.input_tokens - cached, 0), model, "input")
        if cached:
            self._tokens.add_amount(cached, model, "cached_input")
        if outcome.output_tokens is not None:
            self._tokens.add_amount(outcome.output_tokens, model, "output")
        if outcome.cost_nano_usd is not None:
            self._cost.add_amount(outcome.cost_nano_usd * 1e-9, model, BILLED)
            self._cost.add_amount(forecast_usd, model, FORECAST)

    def fell_back(self, model: str, other: str, cause: str) -> None:
        """Count that a call went on to another model."""
        self._fallbacks.add(model, other, cause)

    def retried(self, granted: bool) -> None:
        """Count that a call was to be repeated, and whether the budget granted it."""
        self._retries.add("granted" if granted else "refused")

    def probed(self, model: str, *, served: bool) -> None:
        """Count a probe."""
        self._probes.add(model, "served" if served else "failed")

    def watch(self, state: Callable[[str], State]) -> None:
        """Show the breakers; read only when somebody scrapes."""
        self._registry.register(_Breakers(self._providers, state))


class _Breakers(Collector):
    def __init__(self, models: Mapping[str, str], state: Callable[[str], State]) -> None:
        self._models = models
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Return the state of every breaker."""
        text = "Circuit breaker: 0 closed, 1 half-open (a probe is under way), 2 open."
        family = GaugeMetricFamily("routeward_breaker_state", text, labels=["provider", "model"])
        for model, provider in tuple(self._models.items()):
            family.add_metric([provider, model], float(self._state(model)))
        yield family
