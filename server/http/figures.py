"""The figures of the HTTP edge. Label values are the routes that there are, and status codes."""

from typing import Final

from prometheus_client import CollectorRegistry

from server.series import Counts, Durations

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class HttpFigures:
    """Counts requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counts("routeward_http_requests", "HTTP requests answered.", ["route", "status"], registry)
        self._seconds = Durations(
            "routeward_http_request_seconds",
            "Time from a request's arrival to its answer, or to the first event of a stream.",
            "route",
            _SECONDS,
            registry,
        )

    def answered(self, route: str, status: str, seconds: float) -> None:
        """Count a request that was answered with this status, or "cancelled"."""
        self._requests.add(route, status)
        self._seconds.observe(route, seconds)
