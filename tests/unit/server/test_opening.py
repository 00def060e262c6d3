"""A start while a shared store does not answer: from what was saved, else from priors, and marked until it is read."""

import json
import os
import random
import subprocess
from dataclasses import replace

import pytest

from adapters.ledger import StoredSums, StoreError, StoreSchemaError, StoreUnavailableError
from adapters.memory import MemoryStore
from adapters.registry import MANAGED_BY_API, Entry, EntryKey, EntryKind, Registry
from adapters.saved import Saved
from adapters.snapshot_file import SnapshotFile, SnapshotFileError
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Status, Thumb
from bandit.spend import Bill, Spend, SpendKey, Tally, billed
from bandit.sums import Moments, RowKey
from server.opening import Opening
from server.publisher import Publisher
from server.registry.live import LiveRegistry
from server.requests import Call
from server.saving import Saving
from server.settings import PostgresSettings, Settings, StoreSettings

BUCKET_US = 10_000_000
START_US = 1_700_000_000_000_000
STORED = StoredSums(
    7,
    {RowKey("chat", "small", "quality", "thumb", START_US // BUCKET_US - 3): Moments(5, 4 << 20, 4 << 20)},
    ("chat", "default", "poetry"),
    {SpendKey("chat", "frugal", True, START_US // 60_000_000): Tally(2, 1234)},
)


class LateStore(MemoryStore):
    """Fails while there is an error."""

    def __init__(self) -> None:
        super().__init__(bucket_us=BUCKET_US)
        self.error: StoreError | None = StoreUnavailableError("no route to the database")

    async def prepare(self):
        if self.error:
            raise self.error

    async def load(self, namespace, **options):
        if self.error:
            raise self.error
        return await super().load(namespace, **options)


REGISTRY = Registry(
    3,
    {
        (key := EntryKey(EntryKind.MODEL, "", "late")): Entry(
            key, {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0}, MANAGED_BY_API, 3
        )
    },
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "snapshot.json"


@pytest.fixture
def saved(file):
    return SnapshotFile(file, bucket_us=BUCKET_US)


@pytest.fixture
def settings(a_catalogue):
    return Settings(
        catalogue=a_catalogue(), store=StoreSettings(postgres=PostgresSettings("postgresql://db/routeward"))
    )


@pytest.fixture
def opened(settings, log, clock):
    """An opening over a store, and its publisher."""

    def build(store, saved=None, kept_in=settings.store):
        changed = replace(settings, store=kept_in)
        publisher = Publisher(store, changed, log.logger, clock=clock)
        registry = LiveRegistry(store, changed, publisher, log.logger, clock=clock)
        return Opening(store, registry, publisher, saved, changed, log.logger, lambda: 0.5), publisher

    return build


async def taught(store):
    decision = DecisionFacts("chat", "small", Kind.SAMPLED, START_US, 100)
    outcome = Outcome(Status.OK, 900_000, None, 100, 0, 50, 77)
    await store.write(
        [
            SignalRecord("default", b"a" * 12, "thumb", Thumb(True), 1, 1, decision, 0.5),
            SignalRecord("default", b"a" * 12, "outcome", outcome, 1, 1, decision, 0.5, bill=Bill("", False, 77)),
        ]
    )


async def test_what_was_saved_is_read_as_it_was(saved, file):
    saved.write(Saved({"acme": STORED, "globex": StoredSums()}, REGISTRY))
    assert saved.read() == Saved({"acme": STORED, "globex": StoredSums()}, REGISTRY)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_without_a_file_nothing_was_saved(saved):
    assert saved.read() == Saved()


def test_a_damaged_file_is_told_from_a_whole_one_whatever_byte_is_wrong(saved, file):
    saved.write(Saved({"acme": STORED}))
    whole, numbers = file.read_bytes(), random.Random(7)  # noqa: S311
    for place in sorted(numbers.sample(range(len(whole)), 60)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << numbers.randrange(8)]) + whole[place + 1 :])
        with pytest.raises(SnapshotFileError):
            saved.read()
        file.write_bytes(whole[:place])
        with pytest.raises(SnapshotFileError):
            saved.read()


@pytest.mark.parametrize(("bucket_us", "version", "text"), [(60_000_000, 1, "time buckets"), (BUCKET_US, 2, "version")])
def test_a_file_of_another_version_or_bucket_width_is_refused(saved, file, bucket_us, version, text):
    saved.write(Saved({"acme": STORED}))
    header, body = file.read_bytes().split(b"\n")
    file.write_bytes(json.dumps(json.loads(header) | {"version": version}).encode() + b"\n" + body)
    with pytest.raises(SnapshotFileError, match=text):
        SnapshotFile(file, bucket_us=bucket_us).read()


def test_a_file_that_cannot_be_written_is_an_error_and_leaves_the_last_one(tmp_path, saved):
    saved.write(Saved({"acme": STORED}))
    (tmp_path / f"snapshot.json.{os.getpid()}.new").mkdir()
    with pytest.raises(SnapshotFileError, match="cannot be written"):
        saved.write(Saved())
    assert saved.read() == Saved({"acme": STORED})


def test_two_lives_of_a_worker_write_apart_and_what_one_left_when_it_was_killed_goes(tmp_path, saved, file):
    ended = subprocess.Popen(["true"])
    ended.wait()
    running, left = tmp_path / f"snapshot.json.{os.getppid()}.new", tmp_path / f"snapshot.json.{ended.pid}.new"
    for path in (running, left):
        path.write_bytes(b"half of it")
    saved.write(Saved({"acme": STORED}))
    assert saved.read() == Saved({"acme": STORED})
    assert sorted(tmp_path.iterdir()) == sorted([file, running])
    assert running.read_bytes() == b"half of it"


def test_spend_is_laid_out_from_its_rows_as_it_was():
    told = {
        SpendKey("chat", "", False, START_US // 60_000_000 - ago): Tally(1, 10 + ago) for ago in (-5, 0, 1, 70, 500)
    }
    spend = billed(Spend.empty(24, START_US), told, START_US)
    again = billed(Spend.empty(24, START_US), spend.rows(), START_US)
    assert again.rows() == spend.rows()
    assert (again.groups, again.tallies.tolist(), again.ahead) == (spend.groups, spend.tallies.tolist(), spend.ahead)
    assert sum(tally.nano_usd for tally in spend.rows().values()) == sum(tally.nano_usd for tally in told.values())


async def test_a_store_that_answers_is_read_and_nothing_is_degraded(opened, saved, log):
    store = LateStore()
    store.error = None
    await taught(store)
    opening, publisher = opened(store, saved)
    assert await opening.begin()
    assert publisher.namespaces["default"].revision == 2
    assert not publisher.namespaces["default"].published.degraded
    assert {event["event"] for event in log.events} == {"registry_changed"}


async def test_a_late_store_is_stood_in_for_by_what_was_saved_to_the_bit_and_then_read(opened, saved, log):
    store = LateStore()
    store.error = None
    await taught(store)
    opening, publisher = opened(store)
    await opening.begin()
    before = publisher.namespaces["default"]
    await Saving(saved, publisher.namespaces, Registry, log.logger).save()
    store.error = StoreUnavailableError("no route to the database")
    opening, publisher = opened(store, saved)
    assert not await opening.begin()
    namespace = publisher.namespaces["default"]
    assert namespace.published.degraded
    assert namespace.sums.rows() == before.sums.rows()
    assert namespace.published.snapshot.revision == before.published.snapshot.revision == 2
    assert (namespace.published.snapshot.expectations.quality == before.published.snapshot.expectations.quality).all()
    assert log.events[-1]["event"] == "degraded"
    with pytest.raises(StoreUnavailableError):
        await publisher.refresh(namespace)
    assert not await opening.attempt()
    assert namespace.published.degraded
    store.error = None
    assert await opening.attempt()
    await publisher.refresh(namespace)
    assert not namespace.published.degraded
    assert {"chat", "default"} <= set((await store.load("default")).categories)


async def test_without_anything_saved_a_late_store_is_stood_in_for_by_priors(opened):
    opening, publisher = opened(LateStore())
    assert not await opening.begin()
    namespace = publisher.namespaces["default"]
    assert namespace.published.degraded
    assert (namespace.published.snapshot.revision, namespace.categories) == (0, {"chat", "default"})


async def test_a_file_that_is_damaged_is_ignored_with_a_warning(opened, saved, file, log):
    file.write_text("no snapshot\n{}")
    opening, publisher = opened(LateStore(), saved)
    assert not await opening.begin()
    assert publisher.namespaces["default"].published.degraded
    assert [event["event"] for event in log.events] == ["snapshot_ignored", "degraded"]


async def test_a_store_of_this_server_alone_keeps_it_from_starting(opened, saved):
    opening, _ = opened(LateStore(), saved, StoreSettings())
    with pytest.raises(StoreUnavailableError):
        await opening.begin()


async def test_a_shared_store_that_cannot_be_used_keeps_a_server_from_starting_and_is_an_error_later(opened, log):
    store = LateStore()
    opening, _ = opened(store)
    await opening.begin()
    store.error = StoreSchemaError("schema 9999: upgrade routeward")
    assert not await opening.attempt()
    assert log.events[-1] | {"event": "store_refused", "level": "error"} == log.events[-1]
    with pytest.raises(StoreSchemaError):
        await opened(store)[0].begin()


async def test_nothing_is_saved_while_nothing_changed_or_before_the_store_was_read(opened, saved, file, log):
    store = LateStore()
    opening, publisher = opened(store)
    await opening.begin()
    saving = Saving(saved, publisher.namespaces, lambda: REGISTRY, log.logger)
    await saving.save()
    assert not file.exists()
    store.error = None
    await publisher.refresh(publisher.namespaces["default"])
    await saving.save()
    written = file.stat().st_ino
    await saving.save()
    assert file.stat().st_ino == written
    publisher.namespaces["default"].categories.add("poetry")
    await saving.save()
    assert file.stat().st_ino != written
    assert saved.read().namespaces["default"].categories == ("chat", "default", "poetry")


async def test_a_start_that_ends_before_anything_was_read_leaves_what_was_saved(saved, log):
    saved.write(Saved({"acme": STORED}, REGISTRY))
    await Saving(saved, {}, Registry, log.logger).save()
    assert saved.read() == Saved({"acme": STORED}, REGISTRY)


async def test_a_decision_says_that_it_is_degraded_and_is_drawn_as_ever(parts):
    await parts.publisher.load_saved(["acme"], {})
    degraded = parts.route(Call("chat"))
    assert (degraded.reason, degraded.kind) == ("DEGRADED", Kind.SAMPLED)
    assert degraded.propensity == degraded.distribution.probabilities[degraded.option.position]
    assert parts.route(Call("chat", model="small")).reason == "DEGRADED"
    await parts.publisher.refresh(parts.namespace)
    assert parts.route(Call("chat")).reason == ""


async def test_a_degraded_start_chooses_from_the_models_that_were_registered_too(opened, saved):
    saved.write(Saved({}, REGISTRY))
    opening, publisher = opened(LateStore(), saved)
    assert not await opening.begin()
    assert "late" in publisher.namespaces["default"].published.edition.ids
