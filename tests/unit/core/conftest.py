"""Sums of a few observations, as tests of the core like to write them."""

from collections.abc import Callable, Iterable

import pytest

from bandit.catalogue import Model, Prices
from bandit.evidence import Signal, events_of
from bandit.signals import DecisionFacts, Kind, Outcome, Score, Status, Thumb, to_fixed_point
from bandit.sums import Sums, record

Learned = Callable[..., Sums]


def _facts(signal: Signal, values: Iterable[float]) -> list[Outcome | Thumb | Score]:
    match signal:
        case "latency":
            return [Outcome(Status.OK, latency_us=round(value * 1e6)) for value in values]
        case "output_tokens":
            return [Outcome(Status.OK, output_tokens=round(value)) for value in values]
        case "error":
            return [Outcome(Status.ERROR if value else Status.OK) for value in values]
        case _:
            return [Thumb(up=bool(value)) for value in values]


@pytest.fixture
def learned() -> Learned:
    """Add observations of a signal of a model in a category to sums; scores have the signal "score"."""

    def add(sums: Sums | None, category: str, model: str, signal: str, values: Iterable[float]) -> Sums:
        decision = DecisionFacts(category, model, Kind.SAMPLED, 0)
        if signal == "score":
            facts = [Score("judge", to_fixed_point(value)) for value in values]
        else:
            facts = _facts(signal, values)  # type: ignore[arg-type, assignment]
        events = [event for fact in facts for event in events_of(decision, fact)]
        return record(sums or Sums.empty(10_000_000), events)

    return add


@pytest.fixture
def a_model() -> Model:
    return Model("small", Prices(1.0, 2.0))
