"""What the demo says about learning and remembering, from the server's own words and from a real store."""

import math
from pathlib import Path

import numpy as np
import pytest

from adapters.memory import MemoryStore
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Fact, Kind, Outcome, Status, Thumb
from bandit.sums import Moments
from routeward.v1 import admin_service_pb2 as pb
from simulations.demo.accounts import Truth
from simulations.demo.lessons import lessons
from simulations.demo.memory import Saved, memory_of, saved_in

SECOND_US = 1_000_000


def believed(quality: float = 0.75, revision: int = 7) -> pb.GetPosteriorResponse:
    models = [
        pb.ModelPosterior(model="a", probability=0.3, quality=quality, quality_sd=0.1, cost_usd=0.002),
        pb.ModelPosterior(model="b", probability=0.7, quality=0.5, outcome_count=12.0, quality_count=5.0),
    ]
    models[1].latency.FromMilliseconds(1500)
    category = pb.CategoryPosterior(category="chat", models=models)
    return pb.GetPosteriorResponse(revision=revision, categories=[category])


def truth(a: float, b: float) -> Truth:
    table = np.array([[a, b]])
    return Truth(("a", "b"), table, table, table, table)


def test_a_lesson_is_about_the_model_that_is_chosen_most() -> None:
    [lesson] = lessons(believed(), truth(0.04, 0.03), ("chat",))
    assert (lesson.category, lesson.model, lesson.probability) == ("chat", "b", 0.7)
    assert (lesson.latency_s, lesson.outcomes, lesson.judgements) == (1.5, 12.0, 5.0)


def test_a_lesson_is_compared_with_what_is_true() -> None:
    [behind] = lessons(believed(), truth(0.04, 0.03), ("chat",))
    assert (behind.best_model, behind.is_best) == ("a", False)
    assert behind.behind_usd == pytest.approx(0.01)
    [best] = lessons(believed(), truth(0.03, 0.04), ("chat",))
    assert (best.best_model, best.is_best, best.behind_usd) == ("b", True, 0.0)


@pytest.fixture
def saved() -> Saved:
    return Saved("routeward.db", 4096, 6, 1, 6, 0)


def test_the_time_of_the_question_is_nothing_to_remember(saved: Saved) -> None:
    before, after = believed(), believed()
    after.computed_time.FromSeconds(1)
    assert memory_of(saved, before, after, 0.5).remembered


def test_a_figure_that_differs_in_its_last_bit_is_not_remembered(saved: Saved) -> None:
    assert not memory_of(saved, believed(), believed(quality=math.nextafter(0.75, 1.0)), 0.5).remembered


def test_another_revision_is_not_remembered(saved: Saved) -> None:
    memory = memory_of(saved, believed(), believed(revision=8), 0.5)
    assert (memory.revision, memory.revision_after, memory.remembered) == (7, 8, False)


def record(number: int, signal: str, fact: Fact) -> SignalRecord:
    decision = DecisionFacts("chat", "a", Kind.SAMPLED, number * SECOND_US, 100)
    return SignalRecord("default", number.to_bytes(12, "big"), signal, fact, SECOND_US, SECOND_US, decision, 0.5)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    (tmp_path / "routeward.db").write_bytes(b"12345")
    return tmp_path / "routeward.db"


async def archive(file: Path) -> MemoryStore:
    assert file.name == "routeward.db"
    store = MemoryStore(bucket_us=SECOND_US)
    await store.write([record(n, "outcome", Outcome(Status.OK, latency_us=n * SECOND_US)) for n in (1, 2, 3)])
    await store.write([record(n, "thumb", Thumb(up=True)) for n in (1, 2)])
    return store


async def damaged_archive(file: Path) -> MemoryStore:
    store = await archive(file)
    rows = store._sums["default"]
    rows[min(rows)] += Moments(1, 0, 0)
    return store


def test_what_was_saved_is_counted_and_verified(database: Path) -> None:
    assert saved_in(database, archive) == Saved("routeward.db", 5, 3, 2, 0, 0)


def test_sums_that_differ_from_their_log_are_found(database: Path) -> None:
    assert saved_in(database, damaged_archive).discrepancies == 1
