"""Whatever a store holds, its export reads as the store itself does, to the bit."""

import asyncio
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.sql.sqlite import SqliteStore
from adapters.sql.sqlite.traffic import decisions_of, store_log
from adapters.traffic.calls import Calls, batches
from adapters.traffic.formats import open_log
from adapters.traffic.own.decision import LoggedDecision
from adapters.traffic.own.writing import write_file
from bandit.records import DecisionRecord, DistributionRecord, ModelForecast, SignalRecord
from bandit.signals import SCALE, DecisionFacts, Fact, Kind, Outcome, Score, Status, Thumb

HOUR_US = 3_600_000_000
START_US = 490_000 * HOUR_US
NAMES = ("a", "gpt-4.1/mini", "Z:9_x", "m.2")
SIGNALS = ("outcome", "thumb", "score:judge", "score:any")
SOURCES = ("any", "thumb", "score:judge")

shares = st.floats(1e-6, 1.0)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
counts = st.none() | st.integers(0, 100_000_000)
times = st.integers(0, 5).map(lambda step: START_US + step * 1000)


def outcomes() -> st.SearchStrategy[Outcome]:
    return st.builds(Outcome, st.sampled_from(Status), counts, counts, counts, counts, counts, counts)


def facts(signal: str) -> st.SearchStrategy[Fact | None]:
    name = signal.removeprefix("score:")
    scores = st.integers(0, SCALE).map(lambda value: Score(name, value))
    known: dict[str, st.SearchStrategy[Fact]] = {"outcome": outcomes(), "thumb": st.booleans().map(Thumb)}
    return st.none() | known.get(signal, scores)


distributions = st.builds(
    lambda revision, values, drawn: DistributionRecord(
        revision,
        4,
        "c0ffee",
        values[0],
        values[1],
        {name: ModelForecast(p / sum(drawn.values()), 0.9, 0.01, 1.0, 0.1) for name, p in drawn.items()},
        {},
    ),
    st.integers(0, 1 << 50),
    st.tuples(shares, st.floats(0.0, 1e6)),
    st.dictionaries(st.sampled_from(NAMES), shares, min_size=1),
)


@st.composite
def stores(draw: st.DrawFn) -> tuple[list[DecisionRecord], list[SignalRecord]]:
    """Decisions, some of which have fallbacks and some of which the log had no room for, and what was said of them."""
    decided, said = [], []
    for number in range(draw(st.integers(4, 8))):
        nonce, time_us = number.to_bytes(12, "big"), draw(times)
        namespace, model = draw(st.sampled_from(("acme", "umbrella"))), draw(st.sampled_from(NAMES))
        kind, tokens, propensity = draw(st.sampled_from(Kind)), draw(counts), draw(shares)
        if draw(st.integers(0, 4)):
            drawn_from = draw(distributions)
            if draw(st.integers(0, 4)):  # the others contradict themselves
                model = draw(st.sampled_from(sorted(drawn_from.forecasts)))
                propensity = drawn_from.forecasts[model].probability
            own = drawn_from, tokens, draw(counts), draw(counts), draw(texts), draw(texts), "client"
            decided.append(
                DecisionRecord(namespace, nonce, time_us, "chat", model, kind, propensity, 0.5, "", "balanced", *own)
            )
        of_parent = DecisionFacts("chat", model, kind, time_us, tokens)
        of_fallback = DecisionFacts("chat", draw(st.sampled_from(NAMES)), Kind.FALLBACK, time_us, tokens)
        for facts_of, own_nonce, parent in ((of_parent, nonce, b""), (of_fallback, b"f" + nonce[1:], nonce)):
            for signal in draw(st.lists(st.sampled_from(SIGNALS), unique=True)):
                seen_us = time_us + draw(st.integers(0, HOUR_US))
                fact = draw(facts(signal))
                said.append(
                    SignalRecord(namespace, own_nonce, signal, fact, seen_us, seen_us, facts_of, propensity, parent)
                )
    return decided, said


async def stored(file: Path, decided: Sequence[DecisionRecord], said: Sequence[SignalRecord]) -> None:
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    await store.log_decisions(decided)
    await store.write(said)
    await store.close()


def are_equal(left: Calls, right: Calls) -> bool:
    return all(
        np.array_equal(one, other, equal_nan=one.dtype.kind == "f") if isinstance(one, np.ndarray) else one == other
        for one, other in ((getattr(left, name.name), getattr(right, name.name)) for name in fields(Calls))
    )


@settings(max_examples=6)
@given(stores(), st.sampled_from(SOURCES))
@example(([], []), "any")
def test_an_export_reads_as_its_store_in_rows_and_in_columns(held, source):
    with TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(stored(folder / "store.db", *held))
        found = list(decisions_of(folder / "store.db", 0, START_US + HOUR_US))
        files = [folder / "log.jsonl", folder / "log.parquet"]
        assert [write_file(found, file) for file in files] == [len(found)] * 2
        for namespace in {one.namespace for one in found}:
            store = store_log(folder / "store.db", namespace=namespace, quality_source=source)
            expected = list(store.calls())
            reasons = {reason: one.count for reason, one in store.report.rejected.items()}
            for file in files:
                log = open_log(file, namespace=namespace, quality_source=source)
                assert list(log.calls()) == expected
                assert {reason: one.count for reason, one in log.report.rejected.items()} == reasons
                in_columns = list(log.batches(2))
                assert all(map(are_equal, in_columns, batches(expected, 2)))
                assert sum(map(len, in_columns)) == len(expected)


@settings(max_examples=10)
@given(stores())
def test_what_a_store_holds_comes_once_and_in_order(held):
    decided, said = held
    with TemporaryDirectory() as name:
        file = Path(name) / "store.db"
        asyncio.run(stored(file, decided, said))
        found = list(decisions_of(file, 0, START_US + HOUR_US))
    keys = [(one.call.time_us, one.namespace, one.call.call_id) for one in found]
    expected = {(one.decided_us, one.namespace, one.nonce.hex()) for one in decided}
    expected |= {(one.decision.decided_us, one.namespace, one.nonce.hex()) for one in said if one.fact is not None}
    assert keys == sorted(expected)
    assert judgements(found) == {
        (one.namespace, one.nonce.hex(), one.signal): one.observed_us
        for one in said
        if one.fact is not None and one.signal != "outcome"
    }


def judgements(found: Sequence[LoggedDecision]) -> dict[tuple[str, str, str], int]:
    return {
        (one.namespace, one.call.call_id, source): judgement.observed_us
        for one in found
        for source, judgement in one.judgements.items()
    }
