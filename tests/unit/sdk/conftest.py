"""What the tests of the client share."""

import pytest

from routeward.testing import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
