"""What a replica reads of a shared store is all that was committed, however late, in whatever order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncTransaction

from adapters.exclusion import Exclusion, exclude
from adapters.ledger import Position
from adapters.sql import marks
from adapters.sql.operations import Operations
from adapters.sql.postgres.reach import Reach
from adapters.sql.postgres.store import PostgresStore
from adapters.sql.schema import sums
from adapters.sql.writing import add_to_revisions, add_to_sums
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Thumb
from bandit.sums import Moments, RowKey

BUCKET_US: Final = 10_000_000
DECIDED_US: Final = 1_700_000_000_000_000
DAY_US: Final = 86_400_000_000
UPCOMING: Final = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
WRITERS: Final = 4
ROWS: Final = 3

Rows = Mapping[RowKey, Moments]


def row(number: int) -> RowKey:
    return RowKey("chat", f"model-{number}", "quality", "thumb", DECIDED_US // BUCKET_US)


@dataclass
class Database:
    """A database with the tables of a store, and a loop that all of its connections belong to."""

    store: PostgresStore
    run: Callable[[Coroutine[Any, Any, Any]], Any]
    names: Iterator[int] = field(default_factory=count)

    def namespace(self) -> str:
        """A namespace that nothing is in."""
        return f"tenant-{next(self.names)}"


@pytest.fixture(scope="module")
def database(postgres) -> Iterator[Database]:
    """One for all tests here, each of which has a namespace of its own."""
    name = postgres.create_database()
    with asyncio.Runner() as runner:
        store = PostgresStore.connect(Reach(postgres.url(name), connections=WRITERS + 2), bucket_us=BUCKET_US)
        runner.run(store.prepare())
        yield Database(store, runner.run)
        runner.run(store.close())
    postgres.drop_database(name)


@dataclass
class Writing:
    """A transaction that is open."""

    connection: AsyncConnection
    transaction: AsyncTransaction

    async def add(self, namespace: str, number: int, *, shard: int = 0, n: int = 1) -> None:
        added = {namespace: {row(number): Moments(n, 0, 0)}}
        await self.connection.run_sync(lambda connection: add_to_sums(connection, sums, added, shard))
        await self.connection.run_sync(lambda connection: add_to_revisions(connection, {namespace: n}, shard))

    async def commit(self) -> None:
        await self.transaction.commit()

    async def roll_back(self) -> None:
        await self.transaction.rollback()


@asynccontextmanager
async def writing(store: PostgresStore) -> AsyncIterator[Writing]:
    async with store.database.connection() as connection:
        yield Writing(connection, await connection.begin())


@dataclass
class Replica:
    """Knows of a namespace what it read, look by look."""

    store: PostgresStore
    namespace: str
    seen: Position | None = None
    rows: dict[RowKey, Moments] = field(default_factory=dict)
    revision: int = 0
    wholes: int = 0

    async def look(self) -> None:
        followed = await self.store.follow(self.seen, billed_since_us={})
        self.seen = followed.position
        if followed.whole:
            self.wholes, self.revision = self.wholes + 1, 0
            self.rows.clear()
        if (found := followed.namespaces.get(self.namespace)) is not None:
            self.rows.update(found.rows)
            self.revision = max(self.revision, found.revision)

    @property
    def counted(self) -> Rows:
        """Rows that are not zero: what is taken back is read as nothing."""
        return {key: moments for key, moments in sorted(self.rows.items()) if any(moments)}

    async def is_in_step(self) -> bool:
        stored = await self.store.load(self.namespace)
        return (self.counted, self.revision) == (stored.rows, stored.revision)


@dataclass
class NaiveTail:
    """Reads rows whose mark is above a watermark: the largest that it saw, or the number that comes next."""

    store: PostgresStore
    namespace: str
    next_number: bool
    watermark: int = 0
    rows: dict[str, int] = field(default_factory=dict)

    async def look(self) -> None:
        await self.store.database.run(self._read)

    def _read(self, connection: Connection) -> None:
        upcoming = int(connection.scalar(text(UPCOMING)) or 0)
        newer = text("SELECT model, n, changed FROM sums WHERE namespace = :namespace AND changed > :seen")
        found = connection.execute(newer, {"namespace": self.namespace, "seen": self.watermark}).all()
        self.rows.update({model: n for model, n, _ in found})
        largest = max((changed for *_, changed in found), default=self.watermark)
        self.watermark = upcoming - 1 if self.next_number else largest


@pytest.mark.parametrize("next_number", [False, True], ids=["largest seen", "next number"])
def test_a_late_commit_is_read_here_where_a_tail_by_a_watermark_misses_it(database, next_number):
    async def scene() -> None:
        namespace = database.namespace()
        replica, tail = Replica(database.store, namespace), NaiveTail(database.store, namespace, next_number)
        await replica.look()
        async with writing(database.store) as late, writing(database.store) as early:
            await late.add(namespace, 0)
            await early.add(namespace, 1, shard=1)
            await early.commit()
            for one in (replica, tail):
                await one.look()
            assert set(replica.rows) == {row(1)}
            assert set(tail.rows) == {"model-1"}
            await late.commit()
        for _ in range(3):
            await replica.look()
            await tail.look()
        assert set(replica.rows) == {row(0), row(1)}
        assert await replica.is_in_step()
        assert set(tail.rows) == {"model-1"}

    database.run(scene())


def test_a_row_whose_last_writer_is_older_than_the_one_before_is_read_again(database):
    async def scene() -> None:
        namespace = database.namespace()
        replica = Replica(database.store, namespace)
        async with writing(database.store) as older, writing(database.store) as newer:
            await older.add(namespace, 0)
            await newer.add(namespace, 1, shard=1, n=5)
            await newer.commit()
            await replica.look()
            # The row now gets a smaller number than the one that it was read with.
            await older.add(namespace, 1, shard=1, n=7)
            await replica.look()
            await older.commit()
        await replica.look()
        assert replica.rows[row(1)] == Moments(12, 0, 0)
        assert await replica.is_in_step()

    database.run(scene())


def test_a_row_is_read_whole_where_only_one_of_its_shards_changed(database):
    async def scene() -> None:
        namespace = database.namespace()
        for shard in (0, 3, 15):
            async with writing(database.store) as one:
                await one.add(namespace, 0, shard=shard, n=shard + 1)
                await one.commit()
        replica = Replica(database.store, namespace)
        await replica.look()
        async with writing(database.store) as one:
            await one.add(namespace, 0, shard=3, n=100)
            await one.commit()
        await replica.look()
        assert replica.rows == {row(0): Moments(121, 0, 0)}
        assert replica.wholes == 1
        assert await replica.is_in_step()

    database.run(scene())


def test_what_is_rolled_back_is_never_read(database):
    async def scene() -> None:
        namespace = database.namespace()
        replica = Replica(database.store, namespace)
        async with writing(database.store) as one:
            await one.add(namespace, 0)
            await replica.look()
            await one.roll_back()
        await replica.look()
        assert replica.rows == {}
        assert await replica.is_in_step()

    database.run(scene())


def test_what_did_not_change_is_not_read_again_once_nobody_writes(database):
    async def scene() -> None:
        namespace = database.namespace()
        async with writing(database.store) as one:
            await one.add(namespace, 0)
            await one.commit()
        first = await database.store.follow(None, billed_since_us={})
        second = await database.store.follow(first.position, billed_since_us={})
        assert row(0) in first.namespaces[namespace].rows
        assert (second.whole, second.namespaces) == (False, {})

    database.run(scene())


Step = tuple[str, int, int]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, WRITERS - 1), st.integers(0, ROWS - 1)),
        st.tuples(st.sampled_from(("commit", "roll back")), st.integers(0, WRITERS - 1), st.just(0)),
        st.just(("look", 0, 0)),
    ),
    min_size=1,
    max_size=24,
)


@settings(max_examples=25)
@given(steps=steps)
def test_after_every_look_a_replica_knows_exactly_what_was_committed(database, steps):
    database.run(interleaved(database.store, database.namespace(), steps))


async def interleaved(store: PostgresStore, namespace: str, steps: Sequence[Step]) -> None:
    """Play transactions; whoever comes first writes to shard 0 until it ends, the others to shards of their own."""
    replica = Replica(store, namespace)
    opened: dict[int, tuple[AsyncExitStack, Writing]] = {}
    first: int | None = None
    for action, writer, number in (*steps, *(("commit", writer, 0) for writer in range(WRITERS)), ("look", 0, 0)):
        if action == "look":
            await replica.look()
            assert await replica.is_in_step()
        elif action == "add":
            if writer not in opened:
                stack = AsyncExitStack()
                opened[writer] = stack, await stack.enter_async_context(writing(store))
            first = writer if first is None else first
            await opened[writer][1].add(namespace, number, shard=0 if first == writer else writer + 1)
        elif writer in opened:
            stack, one = opened.pop(writer)
            await (one.commit() if action == "commit" else one.roll_back())
            await stack.aclose()
            first = None if first == writer else first
    assert replica.wholes == 1


def vote(namespace: str, number: int, *, days_ago: int = 0, client: str = "") -> SignalRecord:
    decided_us = DECIDED_US - days_ago * DAY_US
    decision = DecisionFacts("chat", f"model-{number % ROWS}", Kind.SAMPLED, decided_us, None)
    nonce = number.to_bytes(12, "big")
    return SignalRecord(namespace, nonce, "thumb", Thumb(True), decided_us, decided_us, decision, 0.5, client=client)


@pytest.fixture
async def followed(database_url) -> AsyncIterator[Replica]:
    """A replica that has read forty votes of forty days."""
    store = PostgresStore.connect(Reach(database_url), bucket_us=BUCKET_US)
    await store.prepare()
    replica = Replica(store, "acme")
    await store.write([vote("acme", i, days_ago=i, client=f"client-{i % 2}") for i in range(40)])
    await replica.look()
    yield replica
    await store.close()


async def test_rows_that_were_merged_or_taken_away_are_forgotten(followed):
    store, before = followed.store, dict(followed.rows)
    await store.compact(DECIDED_US)
    await followed.look()
    assert len(followed.rows) < len(before)
    assert await followed.is_in_step()
    assert followed.wholes == 2
    await exclude(store, Exclusion(clients=frozenset({"client-1"})))
    await followed.look()
    assert sum(moments.n for moments in followed.rows.values()) == 20
    assert await followed.is_in_step()
    await Operations(store.database, bucket_us=BUCKET_US).remove_namespace("acme", time_us=5)
    await followed.look()
    assert (followed.rows, followed.revision) == ({}, 0)
    assert await followed.is_in_step()


async def test_a_database_that_was_replaced_is_read_whole(followed):
    store = followed.store
    await store.database.run(lambda connection: connection.execute(text("DROP SCHEMA public CASCADE")))
    await store.database.run(lambda connection: connection.execute(text("CREATE SCHEMA public")))
    await store.prepare()
    await store.write([vote("acme", 7)])
    await followed.look()
    assert sum(moments.n for moments in followed.rows.values()) == 1
    assert followed.wholes == 2
    assert await followed.is_in_step()


async def test_tables_that_were_emptied_behind_its_back_are_read_whole(followed):
    """Nothing of them has changed since: no row, no revision and no number of a transaction tells."""
    await followed.store.database.run(lambda one: one.execute(text("TRUNCATE sums, spend, revisions")))
    await followed.look()
    assert (followed.rows, followed.wholes) == ({}, 2)
    assert await followed.is_in_step()


async def test_another_store_in_the_same_tables_is_read_whole(followed):
    await followed.store.database.run(marks.name_store)
    await followed.look()
    assert followed.wholes == 2
    await followed.look()
    assert followed.wholes == 2


async def test_a_cluster_that_went_back_in_time_is_read_whole(followed):
    assert followed.seen is not None
    followed.seen = (followed.seen[0] + 10**6, *followed.seen[1:])
    followed.rows[row(9)] = Moments(1, 0, 0)
    await followed.look()
    assert followed.wholes == 2
    assert await followed.is_in_step()
