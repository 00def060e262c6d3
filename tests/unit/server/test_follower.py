"""A replica knows what it read of the store that it shares, once, and says how long ago that was."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from adapters.ledger import Followed, Position, StoredSums, StoreUnavailableError
from adapters.memory import MemoryStore
from adapters.registry import Edit, Entry, EntryKey, EntryKind, Registry
from bandit.sums import Moments, RowKey, Sums, add_rows, digest_of
from server.follower import Follower
from server.metrics import Metrics
from server.publisher import Publisher
from server.registry.live import LiveRegistry
from server.settings import LearningSettings, Settings

BUCKET_US = 10_000_000
HOUR_BUCKETS = 360
PRICES = {"input_usd_per_mtok": 0.01, "output_usd_per_mtok": 0.02}
AGE = "routeward_follow_age_seconds"


class ScriptedStore(MemoryStore):
    """A shared store that says what a test wrote for it, and then nothing new; `asked` since which positions."""

    def __init__(self) -> None:
        super().__init__(bucket_us=BUCKET_US)
        self.script: deque[Followed | StoreUnavailableError] = deque()
        self.asked: list[Position | None] = []
        self.silent = asyncio.Event()
        self.registry_reads = 0

    async def registry(self) -> Registry:
        self.registry_reads += 1
        return await super().registry()

    async def follow(self, seen: Position | None, *, billed_since_us: Mapping[str, int]) -> Followed:
        del billed_since_us
        self.asked.append(seen)
        if not self.script:
            self.silent.set()
            return Followed(seen or (0, 0), seen is None, {})
        answer = self.script.popleft()
        if isinstance(answer, StoreUnavailableError):
            raise answer
        return answer


@dataclass
class Replica:
    """A follower and what it stands on."""

    store: ScriptedStore
    publisher: Publisher
    registry: LiveRegistry
    metrics: Metrics
    follower: Follower

    @property
    def namespace(self):
        return self.publisher.namespaces["acme"]

    @property
    def digest(self):
        return digest_of(self.namespace.published.sums)

    @property
    def age_s(self):
        return self.metrics.registry.get_sample_value(AGE)

    def says(self, *answers):
        self.store.script.extend(answers)

    async def look(self):
        await self.follower.look()
        await self.publisher.refresh(self.namespace)


@pytest.fixture
def replica_of(log, a_catalogue):
    async def build(clock, *namespaces, sync_s=0.5, heard=None):
        store = ScriptedStore()
        settings = Settings(learning=LearningSettings(), catalogue=a_catalogue(), digest="c0ffee")
        publisher = Publisher(store, settings, log.logger, clock=clock)
        await publisher.load(namespaces or ("acme",))
        metrics = Metrics(settings.catalogue.categories)
        registry = LiveRegistry(store, settings, publisher, log.logger, clock=clock)
        follower = Follower(
            *(store, publisher, registry, metrics, log.logger),
            sync_s=sync_s,
            clock=clock,
            uniform=lambda: 0.5,
            hear=([] if heard is None else heard).append,
        )
        return Replica(store, publisher, registry, metrics, follower)

    return build


@pytest.fixture
async def replica(replica_of, clock):
    return await replica_of(clock)


@pytest.fixture
def now(clock):
    return clock() // BUCKET_US


def key(bucket, model="large"):
    return RowKey("chat", model, "quality", "thumb", bucket)


def sums(rows, revision=1, categories=()):
    return StoredSums(revision, rows, categories)


def found(moment, rows, *, revision=1, whole=False, registry=0, namespace="acme"):
    return Followed((moment, 0), whole, {namespace: sums(rows, revision)}, registry)


def digest(rows):
    return digest_of(add_rows(Sums.empty(BUCKET_US), rows))


async def test_what_rows_have_more_than_before_is_learned_and_what_is_read_again_is_not(replica, now):
    first, second = {key(now): Moments(1, 5, 25)}, {key(now): Moments(3, 7, 27), key(now - 1): Moments(1, 1, 1)}
    replica.says(found(1, first, whole=True), found(2, second, revision=4), found(3, second, revision=4))
    for rows, revision in ((first, 1), (second, 4), (second, 4)):
        await replica.look()
        assert replica.namespace.sums.rows() == rows
        assert (replica.digest, replica.namespace.published.snapshot.revision) == (digest(rows), revision)


async def test_rows_that_did_not_change_bring_no_new_snapshot(replica, now):
    rows = {key(now): Moments(1, 5, 25)}
    replica.says(found(1, rows, whole=True), found(2, rows))
    await replica.look()
    await replica.follower.look()
    assert replica.namespace.changes == []


async def test_what_is_taken_back_is_unlearned(replica, now):
    replica.says(
        found(1, {key(now): Moments(2, 5, 25)}, whole=True), found(2, {key(now): Moments(0, 0, 0)}, revision=3)
    )
    await replica.look()
    await replica.look()
    assert replica.namespace.sums.rows() == {}
    assert replica.digest == digest({})


async def test_what_is_read_whole_replaces_what_was_known(replica, now):
    old, new = {key(now): Moments(9, 9, 9)}, {key(now, "small"): Moments(2, 2, 2)}
    replica.says(found(1, old, whole=True, revision=9), found(2, new, whole=True, revision=2))
    replica.says(found(3, {key(now, "small"): Moments(3, 3, 3)}, revision=3))
    await replica.look()
    await replica.look()
    assert replica.namespace.sums.rows() == new
    await replica.look()
    assert replica.namespace.sums.rows() == {key(now, "small"): Moments(3, 3, 3)}


async def test_a_namespace_that_is_not_in_the_whole_has_nothing(replica, now):
    replica.says(found(1, {key(now): Moments(9, 9, 9)}, whole=True), Followed((2, 1), True, {}))
    await replica.look()
    await replica.look()
    assert replica.namespace.sums.rows() == {}


async def test_other_namespaces_are_left_alone(replica_of, clock, now):
    replica = await replica_of(clock, "acme", "globex")
    rows = {key(now): Moments(1, 1, 1)}
    replica.says(found(1, rows, whole=True), found(2, rows, namespace="globex"), found(3, rows, namespace="nobody"))
    for _ in range(3):
        await replica.look()
    assert replica.namespace.sums.rows() == rows
    assert [one.rows for one in replica.publisher.namespaces["globex"].changes] == [rows]


async def test_each_look_asks_for_what_changed_since_the_last_one(replica):
    replica.says(found(7, {}, whole=True), found(8, {}))
    for _ in range(3):
        await replica.look()
    assert replica.store.asked == [None, (7, 0), (8, 0)]


async def test_a_namespace_that_is_stale_is_read_whole(replica, now):
    rows = {key(now): Moments(1, 1, 1)}
    replica.says(found(7, {}, whole=True), found(8, rows, whole=True))
    await replica.look()
    replica.namespace.stale = True
    await replica.look()
    assert replica.store.asked == [None, None]
    assert not replica.namespace.stale
    assert replica.namespace.sums.rows() == rows


async def test_a_look_that_fails_changes_nothing_and_the_next_asks_since_the_same_position(replica, now):
    rows = {key(now): Moments(1, 1, 1)}
    replica.says(found(7, rows, whole=True), StoreUnavailableError("it rests"))
    await replica.look()
    with pytest.raises(StoreUnavailableError):
        await replica.look()
    await replica.look()
    assert replica.store.asked == [None, (7, 0), (7, 0)]
    assert replica.namespace.sums.rows() == rows


async def test_failures_are_told_each_time_and_logged_once_and_so_is_their_end(replica_of, clock, log):
    heard: list[bool] = []
    replica = await replica_of(clock, sync_s=0.001, heard=heard)
    down = [StoreUnavailableError("it rests") for _ in range(4)]
    replica.says(*down[:2], found(1, {}, whole=True), *down[2:])
    task = asyncio.create_task(replica.follower.run())
    await asyncio.wait_for(replica.store.silent.wait(), 20.0)
    # The answer is looked at before the store is asked again.
    replica.store.silent.clear()
    await asyncio.wait_for(replica.store.silent.wait(), 20.0)
    task.cancel()
    assert [one["event"] for one in log.events] == ["follow_failed", "follow_recovered"] * 2
    assert heard[:6] == [False, False, True, False, False, True]


async def test_the_age_is_that_of_the_last_look_that_succeeded(replica, clock):
    replica.says(found(1, {}, whole=True), StoreUnavailableError("it rests"))
    await replica.look()
    clock.pass_s(3.0)
    assert replica.age_s == 3.0
    with pytest.raises(StoreUnavailableError):
        await replica.look()
    assert replica.age_s == 3.0
    await replica.look()
    assert replica.age_s == 0.0
    clock.pass_s(-60.0)
    assert replica.age_s == 0.0


async def test_a_registry_of_another_version_is_read_and_decided_by_and_one_of_the_same_is_not_read(replica):
    await replica.registry.start(("acme",))
    version, reads = replica.registry.present.version, replica.store.registry_reads
    replica.says(found(1, {}, whole=True, registry=version), found(2, {}, registry=version + 1))
    replica.says(found(3, {}, registry=version + 1))
    await replica.look()
    assert replica.store.registry_reads == reads
    tiny = Entry(EntryKey(EntryKind.MODEL, "", "tiny"), PRICES, "api")
    await replica.store.edit_registry(version, [Edit(None, tiny)], time_us=1, client="ops")
    for _ in range(2):
        await replica.look()
        assert "tiny" in [model.id for model in replica.namespace.published.snapshot.models]
        assert replica.store.registry_reads == reads + 1


@pytest.mark.parametrize("ahead_s", [-3600.0, 3600.0], ids=["an hour behind", "an hour ahead"])
async def test_a_replica_whose_clock_is_wrong_learns_the_same(replica_of, clock, now, ahead_s):
    right, wrong = await replica_of(clock), await replica_of(replace(clock, now_us=clock() + round(ahead_s * 1e6)))
    early = {key(now - 2 * HOUR_BUCKETS): Moments(4, 4, 4), key(now): Moments(5, 6, 9)}
    amended = {key(now): Moments(4, 2, 3), key(now + 1): Moments(1, 1, 1)}
    for replica in (right, wrong):
        replica.says(found(1, early, whole=True), found(2, amended, revision=3))
        await replica.look()
        assert replica.digest == digest(early)
        await replica.look()
        assert replica.digest == digest(early | amended)
    assert right.namespace.published.snapshot.revision == wrong.namespace.published.snapshot.revision


async def test_rows_of_the_future_are_taken_for_those_of_now(replica, now):
    replica.says(found(1, {key(now - 1): Moments(1, 1, 1), key(now + HOUR_BUCKETS): Moments(2, 2, 2)}, whole=True))
    replica.says(found(2, {key(now + HOUR_BUCKETS): Moments(3, 3, 3)}, revision=2))
    await replica.look()
    await replica.look()
    assert replica.namespace.sums.rows() == {key(now - 1): Moments(1, 1, 1), key(now): Moments(3, 3, 3)}


@pytest.mark.parametrize("whole", [True, False], ids=["read at once", "followed"])
async def test_what_another_clock_dated_ahead_is_taken_back_whole_once_its_time_has_come(replica, clock, now, whole):
    """A replica that is up to a minute behind learns of it before it happens, by its own clock."""
    ahead = key(now + 6)
    if not whole:
        replica.says(found(0, {}, whole=True))
    replica.says(found(1, {ahead: Moments(1, 1, 1)}, whole=whole))
    replica.says(found(2, {ahead: Moments(0, 0, 0)}, revision=2))
    await replica.look()
    if not whole:
        await replica.look()
    assert replica.namespace.sums.rows() == {key(now): Moments(1, 1, 1)}
    clock.pass_s(70.0)
    await replica.look()
    assert replica.namespace.sums.rows() == {}
    assert replica.namespace.published.snapshot.revision == 2


async def test_a_store_that_counts_less_than_it_did_is_read_whole(replica, now, log):
    newer, older = {key(now): Moments(5, 5, 5)}, {key(now): Moments(2, 2, 2)}
    replica.says(
        found(1, newer, revision=5, whole=True), found(2, {}, revision=2), found(3, older, revision=2, whole=True)
    )
    await replica.look()
    await replica.look()
    assert replica.store.asked == [None, (1, 0), None]
    assert replica.namespace.sums.rows() == older
    assert log.events[-1]["event"] == "store_went_back"


async def test_a_store_that_does_not_answer_the_first_look_leaves_a_replica_degraded_until_it_does(replica, now):
    rows = {key(now): Moments(1, 1, 1)}
    replica.says(StoreUnavailableError("it rests"), found(1, rows, whole=True))
    await replica.follower.begin()
    assert replica.namespace.published.degraded
    await replica.look()
    assert not replica.namespace.published.degraded
    assert replica.namespace.sums.rows() == rows
