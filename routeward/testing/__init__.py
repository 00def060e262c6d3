"""A routeward server for the tests of programs that use the client."""

from routeward.testing.router import FakeRouter

__all__ = ["FakeRouter"]
