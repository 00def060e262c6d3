"""routeward decides which model should serve an LLM call, and learns from what happens next.

`Client` and `AsyncClient` ask a server for decisions and report how they went; `routeward.errors` holds what they
raise, `routeward.testing` a server for tests.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from routeward.decisions import (
    Constraints,
    Decision,
    DecisionKind,
    Forecast,
    Objective,
    OnInfeasible,
    RouteReason,
)
from routeward.errors import RoutewardError
from routeward.explanations import Explanation
from routeward.retry import NO_RETRY, RetryPolicy
from routeward.signals import (
    Feedback,
    FeedbackResult,
    Outcome,
    Retract,
    Score,
    Signal,
    SignalResult,
    SignalStatus,
    Status,
    Thumb,
    thumbs_down,
    thumbs_up,
)

__all__ = [
    "NO_RETRY",
    "AsyncClient",
    "Call",
    "Client",
    "Constraints",
    "Decision",
    "DecisionKind",
    "Explanation",
    "Feedback",
    "FeedbackResult",
    "Forecast",
    "Objective",
    "OnInfeasible",
    "Outcome",
    "Retract",
    "RetryPolicy",
    "RouteReason",
    "RoutewardError",
    "Score",
    "Signal",
    "SignalResult",
    "SignalStatus",
    "Status",
    "Thumb",
    "thumbs_down",
    "thumbs_up",
]

_NEEDS_GRPC = {"AsyncClient": "routeward.aio", "Call": "routeward.calls", "Client": "routeward.client"}

if TYPE_CHECKING:
    from routeward.aio import AsyncClient
    from routeward.calls import Call
    from routeward.client import Client
else:

    def __getattr__(name: str) -> object:
        """Import what needs gRPC when it is first used: the command line often does not."""
        if name not in _NEEDS_GRPC:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_NEEDS_GRPC[name]), name)
