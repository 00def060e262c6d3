"""`routeward verify`, `rebuild`, `backup`, `restore` and `namespace`, on a SQLite file."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.registry import MANAGED_BY_API, Edit, Entry, EntryKey, EntryKind
from adapters.sql import marks
from adapters.sql.sqlite import SqliteStore
from adapters.sql.versions import HEAD
from bandit.records import DecisionRecord, SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Status, Thumb
from bandit.spend import Bill

Cli = Callable[..., Any]
HOUR_US = 3_600_000_000
START_US = 480_000 * HOUR_US
"""2024-10-04T00:00Z."""

CONFIG = """\
[store]
path = "store.db"

[[models]]
id = "large"
input_usd_per_mtok = 1
output_usd_per_mtok = 2
"""


def signals(namespace: str, client: str, count: int) -> list[SignalRecord]:
    said = []
    for place in range(count):
        time_us = START_US + place * HOUR_US
        facts = DecisionFacts("chat", "large", Kind.SAMPLED, time_us)
        nonce = client.encode().ljust(10, b".") + place.to_bytes(2, "big")
        outcome, thumb = Outcome(Status.OK, 1_000_000), Thumb(client == "alice")
        said += [
            SignalRecord(namespace, nonce, "outcome", outcome, time_us, time_us, facts, 0.75, b"", client, "", BILL),
            SignalRecord(namespace, nonce, "thumb", thumb, time_us, time_us, facts, 0.75, b"", client, f"of-{client}"),
        ]
    return said


BILL = Bill("", False, 1_000_000)


async def fill(a_decision: DecisionRecord) -> None:
    store = await SqliteStore.open("store.db", bucket_us=HOUR_US)
    for namespace in ("acme", "umbrella"):
        await store.log_decisions([a_decision._replace(namespace=namespace, decided_us=START_US)])
        await store.add_categories(namespace, ["chat"], managed_by="auto")
    await store.write([*signals("acme", "alice", 3), *signals("acme", "mallory", 2), *signals("umbrella", "alice", 1)])
    await store.close()


@pytest.fixture(autouse=True)
def filled(a_decision: DecisionRecord, cli: Cli) -> None:  # noqa: ARG001 -- it brings the folder
    Path("routeward.toml").write_text(CONFIG)
    asyncio.run(fill(a_decision))


@pytest.fixture
def served() -> Iterator[None]:
    """A server has the store open, which a loop of its own keeps."""
    loop = asyncio.new_event_loop()
    store = loop.run_until_complete(SqliteStore.open("store.db", bucket_us=HOUR_US))
    yield
    loop.run_until_complete(store.close())
    loop.close()


def plant(statement: str, *values: object, file: str = "store.db") -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        assert connection.execute(statement, values).rowcount


def contents(file: str) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(file)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}


def test_a_sound_store_is_verified_also_beside_its_server(cli: Cli, served: None) -> None:  # noqa: ARG001 -- it is open
    ended = cli("verify")
    assert (ended.code, ended.out) == (0, "sums and spend are those of the log, to the bit (12 signals)\n")
    assert cli("verify", "--json").document == {"equal": True, "signals": 12, "differing": 0, "rows": []}


def test_what_differs_from_the_log_is_named_and_mended(cli: Cli) -> None:
    plant("UPDATE sums SET n = n + 5 WHERE namespace = 'umbrella' AND signal = 'error'")
    plant("UPDATE spend SET nano_usd = 7 WHERE namespace = 'umbrella'")
    ended = cli("verify")
    assert ended.code == 1
    assert "umbrella chat large error 480000: stored n=6 y=0 yy=0, the log says n=1 y=0 yy=0" in ended.out
    assert [row["table"] for row in cli("verify", "--json").document["rows"]] == ["sums", "spend"]
    assert cli("rebuild", "--dry-run", "--json").document["differing"] == 2
    assert cli("verify").code == 1
    assert cli("rebuild", "--json").document["differing"] == 2
    assert cli("verify").code == 0
    assert "nothing to mend" in cli("rebuild").out


def test_a_dry_run_says_what_an_exclusion_would_change_and_changes_nothing(cli: Cli) -> None:
    before = contents("store.db")
    document = cli("rebuild", "--exclude-client", "mallory", "--dry-run", "--json").document
    assert contents("store.db") == before
    assert (document["signals"], document["out_of_reach"], document["dry_run"]) == (4, 0, True)
    names = {"namespace": "acme", "category": "chat", "model": "large"}
    assert document["cells"] == [
        {**names, "signal": "error", "source": "", "before": 5, "after": 3},
        {**names, "signal": "latency", "source": "", "before": 5, "after": 3},
        {**names, "signal": "quality", "source": "thumb", "before": 5, "after": 3},
    ]


def test_poisoned_feedback_is_taken_back(cli: Cli) -> None:
    ended = cli("rebuild", "--exclude-client", "mallory", "--exclude-rater", "of-nobody")
    assert ended.code == 0
    assert "4 signals were taken back for good" in ended.out
    assert cli("verify").code == 0
    assert cli("rebuild", "--exclude-client", "mallory", "--json").document["signals"] == 0
    window = ("--since", "2024-10-04T01:00:00Z", "--until", "2024-10-04T02:00:00Z", "--namespace", "acme")
    assert cli("rebuild", *window, "--json").document["signals"] == 2


def test_an_exclusion_of_nobody_and_of_no_tenant_says_so(cli: Cli) -> None:
    nobody = cli("rebuild", "--exclude-client", "eve", "--exclude-rater", "of-eve")
    assert (nobody.code, nobody.out) == (1, "no signal of client eve or rater of-eve is in the log to take back\n")
    as_json = cli("rebuild", "--exclude-rater", "of-eve", "--dry-run", "--json")
    nothing: dict[str, Any] = {"dry_run": True, "signals": 0, "out_of_reach": 0, "cells": []}
    assert (as_json.code, as_json.document) == (1, nothing)
    nowhere = cli("rebuild", "--exclude-client", "mallory", "--namespace", "nosuch", "--json")
    assert (nowhere.code, nowhere.document["error"]["reason"]) == (2, "NO_NAMESPACE")
    only = cli("rebuild", "--exclude-client", "mallory", "--until", "2024-10-04T00:00:00.000001Z", "--dry-run")
    assert "2 signals would be taken back" in only.out


def test_what_retention_dropped_is_out_of_reach_and_counted(cli: Cli) -> None:
    async def retain() -> None:
        store = await SqliteStore.open("store.db", bucket_us=HOUR_US)
        await store.retain(START_US + HOUR_US)
        await store.close()

    asyncio.run(retain())
    excluding = ("rebuild", "--exclude-client", "mallory", "--dry-run", "--json")
    assert cli(*excluding).document["out_of_reach"] == 9
    assert cli(*excluding, "--namespace", "umbrella").document["out_of_reach"] == 3
    assert cli(*excluding, "--since", "2024-10-10").document["out_of_reach"] == 9
    assert cli(*excluding, "--since", "2024-10-13").document["out_of_reach"] == 0
    assert cli(*excluding, "--until", "2024-10-03").document["out_of_reach"] == 0
    assert "9 observations of that time stem from signals that retention has dropped" in cli(*excluding[:-1]).out


def test_what_an_interrupted_sweep_has_left_is_out_of_reach_and_not_told_as_taken_back(cli: Cli) -> None:
    async def interrupted() -> None:
        store = await SqliteStore.open("store.db", bucket_us=HOUR_US)
        await store.change(marks.advance, marks.RETAINED, START_US + HOUR_US)
        await store.close()

    asyncio.run(interrupted())
    excluding = ("rebuild", "--exclude-client", "mallory", "--json")
    document = cli(*excluding).document
    assert (document["signals"], document["out_of_reach"]) == (2, 3)
    assert {(cell["before"], cell["after"]) for cell in document["cells"]} == {(5, 4)}
    assert cli(*excluding).document == {"dry_run": False, "signals": 0, "out_of_reach": 3, "cells": []}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "yesterday"), "--since yesterday is no time"),
        (("--since", "2024-10-05", "--until", "2024-10-04"), "--until is not later than --since"),
        (("--exclude-rater", ""), "an empty ID is nobody's"),
        (("--exclude-client", "mallory", "--exclude-client", ""), "an empty ID is nobody's"),
        (("--namespace", "acme"), "says neither whose signals nor when"),
    ],
)
def test_an_exclusion_that_says_nothing_sound_is_refused(cli: Cli, words: tuple[str, ...], said: str) -> None:
    ended = cli("rebuild", *words)
    assert ended.code == 2
    assert said in ended.err


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    "words", [("rebuild",), ("namespace", "delete", "acme", "--yes"), ("restore", "b.db", "--force")]
)
def test_what_writes_is_refused_while_a_server_has_the_store(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli("backup", "b.db").code == 0
    ended = cli(*words, "--json")
    assert ended.code == 2
    assert ended.document["error"]["message"].endswith("store.db is in use by a server; stop its server first")


@pytest.mark.usefixtures("served")
def test_a_backup_beside_a_server_holds_everything_and_only_its_owner_reads_it(cli: Cli) -> None:
    document = cli("backup", "b.db", "--json").document
    assert document == {"file": "b.db", "schema": HEAD, "bytes": Path("b.db").stat().st_size, "differing": 0}
    assert contents("b.db") == contents("store.db")
    assert Path("b.db").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in Path().glob("*b.db*")) == ["b.db"]


def test_a_backup_replaces_no_file_unless_it_is_forced_and_a_failed_one_leaves_it(cli: Cli) -> None:
    Path("b.db").write_text("precious")
    assert cli("backup", "b.db").code == 1
    Path("store.db").rename("gone.db")
    assert cli("backup", "b.db", "--force").code == 2
    Path("store.db").write_bytes(Path("gone.db").read_bytes()[:-8192])
    ended = cli("backup", "b.db", "--force")
    assert (ended.code, "damaged" in ended.err) == (2, True)
    assert Path("b.db").read_text() == "precious"
    assert list(Path().glob(".b.db*")) == []
    Path("gone.db").replace("store.db")
    assert cli("backup", "b.db", "--force").code == 0


def test_a_folder_is_no_backup_and_takes_none(cli: Cli) -> None:
    Path("backups").mkdir()
    for words in (("backup", "backups"), ("backup", "backups", "--force"), ("restore", "backups", "--force")):
        ended = cli(*words)
        assert (ended.code, "backups is a folder; name a file" in ended.err) == (2, True), words
        assert "copying" not in ended.err


def test_a_backup_of_a_store_that_differs_from_its_log_is_made_and_told(cli: Cli) -> None:
    plant("UPDATE sums SET n = n + 5 WHERE namespace = 'umbrella' AND signal = 'error'")
    ended = cli("backup", "b.db")
    assert ended.code == 1
    assert "1 row differs from the log" in ended.out
    assert contents("b.db") == contents("store.db")


def test_a_restored_backup_is_what_was_backed_up_and_the_replaced_store_is_kept(cli: Cli) -> None:
    assert cli("backup", "b.db").code == 0
    backed_up = contents("store.db")
    assert cli("namespace", "delete", "acme", "--yes").code == 0
    changed = contents("store.db")
    assert cli("restore", "b.db").code == 1
    assert contents("store.db") == changed
    document = cli("restore", "b.db", "--force", "--json").document
    assert contents("store.db") == backed_up
    assert contents(document["replaced"]) == changed
    assert cli("verify").code == 0


def test_a_backup_is_restored_where_nothing_is(cli: Cli) -> None:
    assert cli("backup", "b.db").code == 0
    backed_up = contents("store.db")
    Path("store.db").unlink()
    assert cli("restore", "b.db", "--json").document["replaced"] is None
    assert contents("store.db") == backed_up


def test_what_is_no_sound_backup_is_not_restored(cli: Cli) -> None:
    before = contents("store.db")
    assert cli("backup", "b.db").code == 0
    Path("torn.db").write_bytes(Path("b.db").read_bytes()[:-8192])
    Path("letter.db").write_text("Dear diary" * 100)
    Path("empty.db").touch()
    with closing(sqlite3.connect(shutil.copy("b.db", "other.db"))) as connection:
        connection.execute("PRAGMA application_id = 7")
    foreign = [(file, f"{file} is no backup of routeward") for file in ("letter.db", "empty.db", "other.db")]
    plant("UPDATE alembic_version SET version_num = '9000'", file="b.db")
    for file, said in (*foreign, ("torn.db", "damaged"), ("b.db", "upgrade"), ("none.db", "no file")):
        ended = cli("restore", file, "--force")
        assert (ended.code, said in ended.err) == (2, True), file
    assert contents("store.db") == before


def test_namespaces_are_listed_with_what_is_kept_of_them(cli: Cli) -> None:
    kept = cli("namespace", "list", "--json").document["namespaces"]
    assert kept[0] == {
        "namespace": "acme",
        "revision": 10,
        "signals": 10,
        "decisions": 1,
        "categories": 1,
        "from": "2024-10-04T00:00:00+00:00",
        "to": "2024-10-04T02:00:00+00:00",
    }
    assert [one["namespace"] for one in kept] == ["acme", "umbrella"]
    assert "umbrella" in cli("namespace", "list").out


def test_what_all_tenants_share_is_no_tenant_and_cannot_be_deleted_as_one(cli: Cli) -> None:
    model = Entry(EntryKey(EntryKind.MODEL, "", "large"), {"input_usd_per_mtok": 1.0}, MANAGED_BY_API)

    async def registered() -> None:
        store = await SqliteStore.open("store.db", bucket_us=HOUR_US)
        await store.edit_registry(0, [Edit(None, model)], time_us=START_US, client="ann")
        await store.close()

    asyncio.run(registered())
    assert [one["namespace"] for one in cli("namespace", "list", "--json").document["namespaces"]] == [
        "acme",
        "umbrella",
    ]
    before = contents("store.db")
    for words in (("delete", "", "--yes"), ("delete", "", "--rater", "ann", "--yes"), ("export", "", "-o", "out")):
        ended = cli("namespace", *words)
        assert (ended.code, "the name is empty" in ended.err) == (2, True), words
    assert contents("store.db") == before
    assert not Path("out").exists()


def test_an_exported_namespace_is_every_row_of_it_and_of_no_other(cli: Cli) -> None:
    document = cli("namespace", "export", "acme", "-o", "out", "--json").document
    found = {path.stem: path.read_text().splitlines() for path in Path("out").iterdir()}
    assert {name: len(rows) for name, rows in found.items()} == document["rows"]
    whole = contents("store.db")
    assert document["rows"] == {name: sum("acme" in row for row in whole[name]) for name in found}
    assert {name for name, rows in whole.items() if any("acme" in row for row in rows)} <= found.keys()
    rows = [json.loads(line) for lines in found.values() for line in lines]
    assert {row["namespace"] for row in rows} == {"acme"}
    assert cli("namespace", "export", "acme", "-o", "out").code == 1
    assert cli("namespace", "export", "nobody", "-o", "other").code == 2


def test_a_namespace_is_deleted_once_that_is_confirmed_and_nothing_of_it_is_left_in_the_file(cli: Cli) -> None:
    before = contents("store.db")
    ended = cli("namespace", "delete", "acme")
    assert ended.code == 2
    assert "namespace acme: 10 signals, 1 decision, 1 category and" in ended.err
    assert contents("store.db") == before
    assert cli("namespace", "delete", "acme", "--yes").code == 0
    assert b"acme" not in Path("store.db").read_bytes()
    assert b"mallory" not in Path("store.db").read_bytes()
    assert [one["namespace"] for one in cli("namespace", "list", "--json").document["namespaces"]] == ["umbrella"]
    assert cli("verify").code == 0


def test_a_rater_is_forgotten_and_what_was_said_still_counts(cli: Cli) -> None:
    sums = contents("store.db")["sums"]
    document = cli("namespace", "delete", "acme", "--rater", "of-alice", "--yes", "--json").document
    assert document == {"namespace": "acme", "rater": "of-alice", "signals": 3}
    assert contents("store.db")["sums"] == sums
    assert cli("verify").code == 0


def test_an_empty_rater_removes_nothing(cli: Cli) -> None:
    before = contents("store.db")
    assert cli("namespace", "delete", "acme", "--rater", "", "--yes").code == 2
    assert contents("store.db") == before


def test_a_server_that_keeps_nothing_on_disk_has_nothing_to_operate_on(cli: Cli) -> None:
    Path("routeward.toml").write_text(CONFIG.replace("store.db", ""))
    for words in (("verify",), ("rebuild",), ("backup", "b.db"), ("restore", "b.db"), ("namespace", "list")):
        ended = cli(*words, "--json")
        assert (ended.code, ended.document["error"]["reason"]) == (2, "NO_STORE"), words


def test_a_store_that_is_not_there_yet_or_of_an_earlier_version_says_so(cli: Cli) -> None:
    plant("UPDATE alembic_version SET version_num = '0001'")
    assert "has schema 0001" in cli("verify").err
    Path("store.db").unlink()
    assert "there is no store at" in cli("verify").err
    Path("store.db").touch()
    assert "no server ever opened it" in cli("verify").err
