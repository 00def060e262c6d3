"""The call loop put together."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from structlog.typing import FilteringBoundLogger

from server.decision_log import DecisionLog
from server.gateway.attempts import Gateway
from server.gateway.availability import Availability
from server.gateway.figures import Figures
from server.gateway.outcomes import Outcomes
from server.gateway.probes import Probes
from server.gateway.reporting import Reporter
from server.gateway.retries import RetryBudget
from server.gateway.turns import Turns
from server.learning import Learner
from server.metrics import Metrics
from server.ports import Provider
from server.routing import Router
from server.settings import Settings


class Time(NamedTuple):
    """Two clocks: microseconds since 1970, and seconds that never go back; and uniform numbers for waits."""

    clock: Callable[[], int]
    clock_s: Callable[[], float]
    uniform: Callable[[], float]


class Loop(NamedTuple):
    """The gateway, and what ends with it: first the probes, then the reporter."""

    gateway: Gateway
    probes: Probes
    reporter: Reporter


def call_loop(
    settings: Settings,
    providers: Mapping[str, Provider],
    availability: Availability,
    time: Time,
    *,
    router: Router,
    learner: Learner,
    decisions: DecisionLog,
    metrics: Metrics,
    log: FilteringBoundLogger,
) -> Loop:
    """Return the gateway over these providers, by model id."""
    upstreams, timeouts = settings.gateway.upstreams, settings.gateway.timeouts
    prices = {model.id: model.prices for model in settings.catalogue.models}
    figures = Figures(metrics.registry, {model: upstream.provider for model, upstream in upstreams.items()})
    figures.watch(availability.state)
    reporter = Reporter(learner, metrics, figures, log, time.clock)
    outcomes = Outcomes(availability, reporter, figures, prices, time.clock_s)
    probes = Probes(router, providers, availability, outcomes, figures, timeouts, log, time.clock_s)
    gateway = Gateway(
        router,
        decisions,
        metrics,
        providers,
        turns=Turns(router, availability, RetryBudget(), figures, time.clock_s, time.uniform),
        outcomes=outcomes,
        probes=probes,
        timeouts=timeouts,
        uncallable=settings.gateway.uncallable,
        clock_s=time.clock_s,
    )
    return Loop(gateway, probes, reporter)
