"""A store as a log: what is told of stores that cannot be read, and of those that can."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.registry import MANAGED_BY_API, Edit, Entry, EntryKey, EntryKind, EntryUnreadableError, model_of
from adapters.sql import timeline
from adapters.sql.sqlite import SqliteStore
from adapters.sql.sqlite.traffic import decisions_of, extent_of, is_store, models_of, next_time_of, store_log
from adapters.traffic.calls import Call
from adapters.traffic.cells import LATEST_US
from adapters.traffic.errors import LogError
from adapters.traffic.formats import open_log
from adapters.traffic.own.writing import write_file
from bandit.records import DecisionRecord, SignalRecord
from bandit.signals import SCALE, DecisionFacts, Kind, Outcome, Score, Status, Thumb

HOUR_US = 3_600_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def about(decision: DecisionRecord, fact, *, signal: str = "", parent: bytes = b"", at_us: int = 9) -> SignalRecord:
    kind = Kind.FALLBACK if parent else decision.kind
    facts = DecisionFacts(decision.category, decision.model, kind, decision.decided_us, 120)
    nonce = b"f" * 12 if parent else decision.nonce
    name = fact.signal if fact is not None else signal
    return SignalRecord(decision.namespace, nonce, name, fact, at_us, at_us, facts, 1.0 if parent else 0.75, parent)


async def held(file: Path, decided: list[DecisionRecord], said: list[SignalRecord]) -> None:
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    await store.log_decisions(decided)
    await store.write(said)
    await store.close()


async def test_a_decision_comes_with_everything_that_was_said_and_not_taken_back(file, a_decision):
    outcome = Outcome(Status.OK, 1_500_000, 250_000, 130, 7, 42, 3_210_000)
    said = [outcome, Score("judge", SCALE // 4), Thumb(up=True)]
    records = [about(a_decision, fact, at_us=10 + place) for place, fact in enumerate(said)]
    await held(file, [a_decision], [*records, about(a_decision, None, signal="score:other")])
    [found] = decisions_of(file, 0, 9)
    assert found.call == Call(
        category="chat",
        model="large",
        time_us=5,
        call_id=(b"n" * 12).hex(),
        session="",
        kind=Kind.SAMPLED,
        propensity=0.75,
        probabilities={"large": 0.75, "medium": 0.25},
        answer_value_usd=0.05,
        second_value_usd=0.001,
        requested_tokens=None,
        input_tokens=130,
        cached_input_tokens=7,
        output_tokens=42,
        cost_usd=0.00321,
        latency_s=1.5,
        first_token_s=0.25,
        status=Status.OK,
        quality=0.625,
        answered_us=10,
        judged_us=12,
    )
    assert found.judgements == {"score:judge": (0.25, 11), "thumb": (1.0, 12)}
    assert (found.namespace, found.profile, found.revision) == ("acme", "balanced", 7)
    for source, quality in (("any", 0.625), ("thumb", 1.0), ("score:judge", 0.25), ("score:other", None)):
        [call] = store_log(file, quality_source=source).calls()
        assert call.quality == quality


async def test_what_nothing_is_known_of_is_unknown(file, a_decision):
    await held(file, [a_decision], [])
    [call] = store_log(file).calls()
    measured = ("status", "latency_s", "cost_usd", "output_tokens", "quality", "answered_us", "judged_us")
    assert {getattr(call, name) for name in measured} == {None}


async def test_a_fallback_is_a_call_of_its_own_in_the_session_of_its_parent(file, a_decision):
    parent = a_decision._replace(session_id="visit-7")
    failed, answered = about(parent, Outcome(Status.ERROR)), about(parent, Thumb(up=False), parent=parent.nonce)
    await held(file, [parent], [failed, answered])
    fallback, first = decisions_of(file, 0, 9)
    assert (first.call.kind, first.call.status, first.call.quality) == (Kind.SAMPLED, Status.ERROR, None)
    assert (fallback.call.kind, fallback.call.status, fallback.call.quality) == (Kind.FALLBACK, None, 0.0)
    assert (fallback.parent, fallback.call.session, fallback.call.answer_value_usd) == (
        parent.nonce.hex(),
        "visit-7",
        0.05,
    )
    assert (fallback.call.propensity, fallback.call.probabilities) == (None, None)


async def test_what_was_said_of_a_decision_that_found_no_room_in_the_log_is_kept(file, a_decision):
    await held(file, [], [about(a_decision, Thumb(up=True))])
    [found] = decisions_of(file, 0, 9)
    assert (found.call.kind, found.call.propensity, found.call.probabilities) == (Kind.SAMPLED, 0.75, None)
    assert (found.call.requested_tokens, found.call.quality, found.call.session) == (120, 1.0, "")


async def test_only_what_was_drawn_has_a_propensity(file, a_decision):
    await held(file, [a_decision._replace(kind=Kind.FORCED, propensity=1.0)], [])
    [found] = decisions_of(file, 0, 9)
    assert (found.call.propensity, found.call.probabilities) == (None, None)


async def test_pages_give_the_same_as_one_page(file, a_decision, monkeypatch):
    decided = [a_decision._replace(nonce=bytes([n // 3] * 6 + [n] * 6), decided_us=n // 3) for n in range(40)]
    said = [about(one, Thumb(up=True), at_us=50) for one in decided] + [
        about(one, Thumb(up=True), parent=one.nonce, at_us=50)._replace(nonce=b"f" * 11 + one.nonce[-1:])
        for one in decided
    ]
    await held(file, decided, said)
    expected = list(decisions_of(file, 0, 99))
    assert len(expected) == 80
    monkeypatch.setattr(timeline, "PAGE", 7)
    assert list(decisions_of(file, 0, 99)) == expected
    assert list(decisions_of(file, 3, 5)) == [one for one in expected if one.call.time_us in (3, 4)]


async def test_a_store_of_several_namespaces_is_read_by_one_of_them(file, a_decision):
    await held(file, [a_decision, a_decision._replace(namespace="umbrella", nonce=b"u" * 12)], [])
    assert extent_of(file).namespaces == ["acme", "umbrella"]
    with pytest.raises(LogError, match="has several namespaces; choose one: acme, umbrella"):
        store_log(file)
    with pytest.raises(LogError, match="has no namespace 'initech'; it has acme, umbrella"):
        store_log(file, namespace="initech")
    assert [call.call_id for call in store_log(file, namespace="umbrella").calls()] == [(b"u" * 12).hex()]


async def test_the_report_of_a_store_tells_what_it_knows(file, a_decision):
    await held(file, [a_decision, a_decision._replace(nonce=b"o" * 12)], [about(a_decision, Thumb(up=True))])
    log = store_log(file)
    assert len(list(log.calls())) == log.report.used == 2
    assert (log.report.knows["propensity"], log.report.knows["quality"], log.report.knows["cost_usd"]) == (2, 1, 0)
    assert log.report.sources == {"thumb": 1}
    assert [len(batch) for batch in log.batches(1)] == [1, 1]


async def test_a_store_is_read_beside_its_server_and_left_as_it_was(file, a_decision, tmp_path):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    await store.log_decisions([a_decision])
    assert len(list(store_log(file).calls())) == 1
    await store.log_decisions([a_decision._replace(nonce=b"o" * 12)])
    assert len(list(store_log(file).calls())) == 2
    await store.close()
    assert len(list(store_log(file).calls())) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store.db", "store.db.lock"]


async def test_decisions_of_a_clock_that_was_wrong_are_left_out_and_counted(file, a_decision):
    far = [a_decision._replace(nonce=bytes([n] * 12), decided_us=(1 << 62) + n) for n in range(3)]
    others = [a_decision._replace(nonce=b"u" * 12, namespace="umbrella", decided_us=LATEST_US)]
    await held(file, [a_decision, *far, *others], [about(far[0], Thumb(up=True))])
    extent = extent_of(file)
    assert (extent.oldest_us, extent.newest_us, extent.left_out("")) == (5, LATEST_US, 3)
    log = store_log(file, namespace="acme")
    assert [call.time_us for call in log.calls()] == [5]
    assert {reason: one.count for reason, one in log.report.rejected.items()} == {"time_us is out of range": 3}
    assert len(list(store_log(file, namespace="umbrella").calls())) == 1


async def test_a_decision_that_contradicts_itself_is_left_out_of_the_log_as_it_is_of_its_export(
    file, a_decision, tmp_path
):
    odd = a_decision._replace(nonce=b"o" * 12, propensity=0.5)
    last = a_decision._replace(nonce=b"p" * 12, decided_us=6)
    await held(file, [a_decision, odd, last], [])
    write_file(decisions_of(file, 0, 9), tmp_path / "log.jsonl")
    for log in (store_log(file), open_log(tmp_path / "log.jsonl")):
        assert [call.time_us for call in log.calls()] == [5, 6]
        assert {why: (one.count, one.lines) for why, one in log.report.rejected.items()} == {
            "propensity is another than that of the model among the probabilities": (1, [2])
        }


async def test_the_next_decision_is_found_among_decisions_and_among_what_was_said(file, a_decision):
    said = about(a_decision._replace(nonce=b"s" * 12, decided_us=8), Thumb(up=True))
    await held(file, [a_decision, a_decision._replace(nonce=b"o" * 12, decided_us=20)], [said])
    assert [next_time_of(file, start_us) for start_us in (0, 5, 6, 9, 21)] == [5, 5, 8, 20, None]


async def test_a_store_without_decisions_gives_none(file, tmp_path):
    await held(file, [], [])
    assert list(store_log(file).calls()) == []
    (tmp_path / "empty.db").touch()
    assert extent_of(tmp_path / "empty.db").newest_us == -1


PRICED = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0}


async def test_what_a_newer_version_registered_hides_neither_models_nor_their_changes(file):
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    entries = [Entry(EntryKey(EntryKind.MODEL, "", name), PRICED, MANAGED_BY_API) for name in ("first", "last", "tool")]
    await store.edit_registry(0, [Edit(None, entry) for entry in entries], time_us=1, client="ann")
    await store.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE registry SET settings = '{\"usd_per_hour\": 1}' WHERE name = 'first'")
        for table in ("registry", "audit"):
            connection.execute(f"UPDATE {table} SET kind = 'tool' WHERE name = 'tool'")
    assert [model.id for model in models_of(file)] == ["last"]
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    assert [key.name for key in (await store.registry()).entries] == ["first", "last"]
    assert [edit.key.name for edit in await store.audit("acme", before=9, count=9)] == ["last", "first"]
    await store.close()


def test_a_model_without_prices_is_told_by_its_name():
    damaged: list[Any] = [{}, {**PRICED, "input_usd_per_mtok": "free"}, {**PRICED, "cached_input_usd_per_mtok": []}, 7]
    for settings in damaged:
        with pytest.raises(EntryUnreadableError, match="prices of model 'm'"):
            model_of(Entry(EntryKey(EntryKind.MODEL, "", "m"), settings, MANAGED_BY_API))


async def test_what_is_no_store_or_of_a_newer_version_is_told(file, tmp_path):
    await held(file, [], [])
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9000'")
        connection.commit()
    with pytest.raises(LogError, match=r"has schema 9000, this version knows .*: upgrade routeward"):
        extent_of(file)
    (tmp_path / "diary.txt").write_bytes(b"Dear diary, " * 100)
    with pytest.raises(LogError, match="is not a SQLite database"):
        extent_of(tmp_path / "diary.txt")
    with pytest.raises(LogError, match="does not exist"):
        extent_of(tmp_path / "gone.db")
    assert [is_store(tmp_path / name) for name in ("store.db", "diary.txt", "gone.db")] == [True, False, False]
