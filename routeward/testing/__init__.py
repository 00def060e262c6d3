"""What the tests of programs that use the client need: a server and a clock that do as they are told."""

from routeward.testing.clock import ManualClock
from routeward.testing.router import FakeRouter

__all__ = ["FakeRouter", "ManualClock"]
