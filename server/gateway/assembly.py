"""The call loop put together."""

from collections.abc import Callable
from typing import NamedTuple

from structlog.typing import FilteringBoundLogger

from server.decision_log import DecisionLog
from server.gateway.attempts import Gateway
from server.gateway.availability import Availability
from server.gateway.callables import Callables
from server.gateway.figures import Figures
from server.gateway.outcomes import Outcomes
from server.gateway.probes import Probes
from server.gateway.reporting import Reporter
from server.gateway.turns import Turns
from server.learning import Learner
from server.metrics import Metrics
from server.routing import Router
from server.settings import Settings


class Foundation(NamedTuple):
    """What the gateway stands on.

    `clock` counts microseconds since 1970, `clock_s` seconds that never go back; `uniform` is for waits.
    """

    router: Router
    learner: Learner
    decisions: DecisionLog
    availability: Availability
    metrics: Metrics
    log: FilteringBoundLogger
    clock: Callable[[], int]
    clock_s: Callable[[], float]
    uniform: Callable[[], float]


class CallLoop(NamedTuple):
    """The call loop, and what ends with it: first the probes, then the reporter."""

    gateway: Gateway
    probes: Probes
    reporter: Reporter


def call_loop(settings: Settings, callables: Callables, base: Foundation) -> CallLoop:
    """Return the call loop over what can be called."""
    router, _, decisions, availability, metrics, log, clock, clock_s, uniform = base
    timeouts, providers = settings.gateway.timeouts, callables.providers
    figures = Figures(metrics.registry, callables.owners)
    figures.watch(availability.state)
    reporter = Reporter(base.learner, metrics, figures, log, clock)
    outcomes = Outcomes(availability, reporter, figures, timeouts, clock_s)
    probes = Probes(router, providers, availability, outcomes, figures, timeouts, log, clock_s)
    gateway = Gateway(
        router,
        decisions,
        metrics,
        providers,
        turns=Turns(router, availability, figures, clock_s, uniform),
        outcomes=outcomes,
        probes=probes,
        timeouts=timeouts,
        uncallable=callables.uncallable,
        clock_s=clock_s,
    )
    return CallLoop(gateway, probes, reporter)
