"""The journal of what waits for the store: nothing acknowledged is lost, the bound holds, its disk may fail."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from adapters.ledger import SpoolFullError, StoreError, StoreLockedError, StoreSchemaError, StoreUnavailableError
from adapters.sql.sqlite import Journal, SqliteStore
from adapters.sql.sqlite.journal import first_readable
from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Score, Status, Thumb
from bandit.spend import Bill
from tests import forked

HOUR_US = 3_600_000_000
MIB = 1024 * 1024
DECISION = DecisionFacts("chat", "large", Kind.SAMPLED, HOUR_US, 12)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture
async def journal(file):
    journal = await Journal.open(file, max_bytes=64 * MIB)
    yield journal
    await journal.close()


def a_thumb(number: int) -> SignalRecord:
    return SignalRecord("acme", number.to_bytes(12, "big"), "thumb", Thumb(True), 1, 1, DECISION, 0.5, rater="r" * 64)


def thumbs(first: int, number: int) -> list[SignalRecord]:
    return [a_thumb(n) for n in range(first, first + number)]


async def fill(journal: Journal) -> int:
    """Append until there is no room; return how many found some."""
    taken = 0
    with pytest.raises(SpoolFullError, match=r"raise spool\.max_mb"):  # noqa: PT012 - which one fails is the question
        while True:
            await journal.append(thumbs(taken, 200))
            taken += 200
    return taken


async def drained(journal: Journal, at_once: int = 1000) -> list[SignalRecord]:
    found: list[SignalRecord] = []
    while (chunk := await journal.oldest(at_once))[0]:
        found += chunk[0]
        await journal.forget(chunk[1])
    return found


def bytes_on_disk(file: Path) -> int:
    return sum(path.stat().st_size for path in (file, file.with_name(f"{file.name}-wal")))


async def test_records_of_every_kind_come_back_as_they_were_and_in_order(journal):
    told = a_thumb(0)
    outcome = Outcome(Status.OK, 1000, None, 5, 0, 7, 123)
    kept = [
        told,
        told._replace(signal="outcome", fact=outcome, bill=Bill("frugal", True, 123), parent=b"p" * 12),
        told._replace(signal="outcome", fact=Outcome(Status.TIMEOUT), bill=Bill("", False, 0)),
        told._replace(signal="score:judge", fact=Score("judge", 1 << 19), client="checkout"),
        told._replace(signal="score:judge", fact=None, decision=DECISION._replace(input_tokens=None)),
        told,
    ]
    await journal.append(kept[:2])
    await journal.append(kept[2:])
    assert await journal.oldest(1000) == (kept, 7)
    assert await journal.oldest(3) == (kept[:3], 4)
    assert (await journal.extent())[0] == 6
    await journal.forget(4)
    assert await journal.oldest(1000) == (kept[3:], 7)
    await journal.forget(7)
    assert await journal.oldest(1000) == ([], 0)
    assert (await journal.extent())[0] == 0


async def test_a_place_that_was_forgotten_is_never_given_again(journal):
    await journal.append(thumbs(0, 3))
    _, place = await journal.oldest(10)
    await journal.forget(place)
    await journal.append(thumbs(3, 1))
    await journal.forget(place)
    assert (await journal.oldest(10))[0] == thumbs(3, 1)


async def test_what_was_appended_is_there_when_the_journal_is_opened_again(file):
    journal = await Journal.open(file, max_bytes=MIB)
    await journal.append(thumbs(0, 5))
    await journal.close()
    journal = await Journal.open(file, max_bytes=MIB)
    assert await drained(journal, 2) == thumbs(0, 5)
    await journal.close()


@pytest.mark.parametrize("max_bytes", [MIB, 3 * MIB // 2])
async def test_the_bound_holds_on_the_disk_and_an_emptied_journal_takes_as_much_again(file, max_bytes):
    journal = await Journal.open(file, max_bytes=max_bytes)
    taken = []
    for _ in range(2):
        taken.append(await fill(journal))
        assert bytes_on_disk(file) <= max_bytes
        assert await drained(journal) == thumbs(0, taken[-1])
    assert taken[0] > 0
    assert taken[0] == taken[1]
    await journal.close()


async def test_what_finds_no_room_is_refused_whole_and_a_smaller_part_may_fit(file):
    journal = await Journal.open(file, max_bytes=MIB)
    with pytest.raises(SpoolFullError):
        await journal.append(thumbs(0, 5000))
    await journal.append(thumbs(0, 10))
    assert await drained(journal) == thumbs(0, 10)
    await journal.close()


@contextmanager
def failing_writes_to(file: Path) -> Iterator[None]:
    """Nothing can grow beyond the log of the file, as on a broken disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.with_name(f"{file.name}-wal").stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_fails_refuses_and_keeps_what_it_has(file, journal):
    await journal.append(thumbs(0, 10))
    with failing_writes_to(file), pytest.raises(StoreUnavailableError, match="check the disk"):
        await journal.append(thumbs(10, 2000))
    await journal.append(thumbs(10, 5))
    assert await drained(journal) == thumbs(0, 15)


@pytest.mark.usefixtures("journal")
async def test_a_second_server_on_the_same_journal_is_refused(file):
    with pytest.raises(StoreLockedError, match="in use by another server"):
        await Journal.open(file, max_bytes=MIB)


async def test_a_store_is_no_journal_and_a_journal_no_store(file, tmp_path, journal):
    await (await SqliteStore.open(tmp_path / "store.db", bucket_us=HOUR_US)).close()
    with pytest.raises(StoreError, match="belongs to another program"):
        await Journal.open(tmp_path / "store.db", max_bytes=MIB)
    await journal.close()
    with pytest.raises(StoreError, match="belongs to another program"):
        await SqliteStore.open(file, bucket_us=HOUR_US)


async def test_a_journal_of_a_newer_version_is_refused_and_left_as_it_was(file, journal):
    await journal.append(thumbs(0, 1))
    await journal.close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(StoreSchemaError, match="upgrade routeward"):
        await Journal.open(file, max_bytes=MIB)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM spooled").fetchone() == (1,)


def killed_after(lines: int, file: Path, first: int) -> int:
    """Kill a process that appends; return up to where it acknowledged."""
    with forked.printing("tests.integration.spool_writer", str(file), str(first)) as (process, told):
        heard = [told.readline() for _ in range(lines)]
        process.kill()
        heard += told.readlines()
    return int(heard[-1])


async def test_kill_9_loses_nothing_that_was_acknowledged(file):
    upto = 0
    for lines in (1, 9):
        upto = killed_after(lines, file, upto)
    journal = await Journal.open(file, max_bytes=64 * MIB)
    found = [int.from_bytes(record.nonce, "big") for record in await drained(journal)]
    await journal.close()
    assert sorted(set(found)) == list(range(max(found) + 1))
    assert upto <= max(found) + 1 <= upto + 20


def overwrite_page_of(file: Path, number: int) -> None:
    """Damage the page that holds a thumb, which holds those beside it as well."""
    content = bytearray(file.read_bytes())
    assert content.count(b"acme" + number.to_bytes(12, "big")) == 1
    page = content.index(b"acme" + number.to_bytes(12, "big")) // 4096 * 4096
    content[page : page + 4096] = b"\xa5" * 4096
    file.write_bytes(content)


def set_column(file: Path, number: int, assignment: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"UPDATE spooled SET {assignment} WHERE nonce = ?", [number.to_bytes(12, "big")])


def flip_text(file: Path, number: int) -> None:
    set_column(file, number, "client = CAST(x'ff41' AS TEXT)")


def flip_number(file: Path, number: int) -> None:
    set_column(file, number, "kind = 99")


async def read_over_damage(journal: Journal) -> tuple[list[SignalRecord], int]:
    """Read and forget everything that can be read; return it, and how many places could not."""
    found: list[SignalRecord] = []
    lost, count = 0, 1000
    while True:
        try:
            chunk, place = await journal.oldest(count)
        except StoreError:
            lost += await journal.step_over() if count == 1 else 0
            count = max(1, count // 2)
            continue
        if not chunk:
            return found, lost
        found += chunk
        await journal.forget(place)
        count = 1000


@pytest.mark.parametrize("number", [3, 700])
@pytest.mark.parametrize(("damage", "most"), [(overwrite_page_of, 60), (flip_text, 1), (flip_number, 1)])
async def test_what_is_damaged_costs_itself_alone_and_is_stepped_over_once_and_for_all(file, damage, most, number):
    journal = await Journal.open(file, max_bytes=64 * MIB)
    await journal.append(thumbs(1, 2000))
    await journal.close()
    damage(file, number)
    journal = await Journal.open(file, max_bytes=64 * MIB)
    assert (await journal.extent())[0] == 2000
    with pytest.raises(StoreError):
        await journal.oldest(2000)
    await journal.append(thumbs(2001, 5))
    found, lost = await read_over_damage(journal)
    assert 1 <= lost <= most
    assert len(found) == 2005 - lost
    gone = sorted(set(range(1, 2006)) - {int.from_bytes(one.nonce, "big") for one in found})
    assert gone == list(range(gone[0], gone[0] + lost))
    assert number in gone
    await journal.close()
    journal = await Journal.open(file, max_bytes=64 * MIB)
    assert (await journal.extent())[0] == 0
    await journal.append(thumbs(3000, 2))
    assert await read_over_damage(journal) == (thumbs(3000, 2), 0)
    with pytest.raises(StoreError, match="put a new one in its place"):
        await journal.step_over()
    await journal.close()


@pytest.mark.parametrize("length", [1, 2, 3, 7, 50, 999])
@pytest.mark.parametrize("begin", [1, 400])
async def test_reading_goes_on_right_behind_the_damage_or_at_the_end(begin: int, length: int) -> None:
    asked: list[int] = []

    async def is_readable(place: int) -> bool:
        asked.append(place)
        return place >= begin + length

    assert await first_readable(begin, 1000, is_readable) == min(begin + length, 1000)
    assert len(asked) <= 20
