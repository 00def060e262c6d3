"""Properties draw the same examples in every run; a decision as it is logged; and a PostgreSQL to use."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from bandit.records import DecisionRecord, DistributionRecord, ModelForecast
from bandit.signals import Kind
from benchmarks._postgres import PostgresServer

settings.register_profile(
    "routeward", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("routeward")


@pytest.fixture
def a_decision():
    return DecisionRecord(
        namespace="acme",
        nonce=b"n" * 12,
        decided_us=5,
        category="chat",
        model="large",
        kind=Kind.SAMPLED,
        propensity=0.75,
        uniform=0.5,
        reason="",
        profile="balanced",
        distribution=DistributionRecord(
            revision=7,
            snapshot_us=4,
            config_hash="c0ffee",
            answer_value_usd=0.05,
            second_value_usd=0.001,
            forecasts={
                "large": ModelForecast(0.75, 0.9, 0.002, 1.5, 0.01),
                "medium": ModelForecast(0.25, 0.8, 0.001, 1.0, 0.01),
            },
            exclusions={"small": "max_cost_usd"},
        ),
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for all tests of a process; what halts, freezes or trusts one starts its own."""
    server = PostgresServer.start(fsync="off")
    yield server
    server.stop()


@pytest.fixture
def database_url(postgres) -> Iterator[str]:
    """An empty database."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)
