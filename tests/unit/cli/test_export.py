"""`routeward export`, and the stores and exports that other commands are given as logs."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.sql.sqlite import SqliteStore
from bandit.records import DecisionRecord, SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Status, Thumb

Cli = Callable[..., Any]
HOUR_US = 3_600_000_000
START_US = 480_000 * HOUR_US
"""2024-10-04T00:00Z."""


async def fill(file: Path, a_decision: DecisionRecord, namespaces: tuple[str, ...]) -> None:
    decided, said = [], []
    for place, namespace in enumerate(namespaces):
        for hour in range(0, 48, 6):
            nonce, time_us = bytes([place] * 11 + [hour]), START_US + hour * HOUR_US
            facts = DecisionFacts("chat", "large", Kind.SAMPLED, time_us)
            decided.append(a_decision._replace(namespace=namespace, nonce=nonce, decided_us=time_us))
            outcome, thumb = Outcome(Status.OK, 1000 + hour, output_tokens=5), Thumb(hour % 12 == 0)
            said += [
                SignalRecord(namespace, nonce, signal, fact, time_us, time_us, facts, 0.75)
                for signal, fact in (("outcome", outcome), ("thumb", thumb))
            ]
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    await store.log_decisions(decided)
    await store.write(said)
    await store.close()


@pytest.fixture
def store(a_decision: DecisionRecord, tmp_path: Path) -> str:
    asyncio.run(fill(tmp_path / "store.db", a_decision, ("acme",)))
    return "store.db"


@pytest.fixture
def shared_store(a_decision: DecisionRecord, tmp_path: Path) -> str:
    asyncio.run(fill(tmp_path / "shared.db", a_decision, ("acme", "umbrella")))
    return "shared.db"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_store_becomes_a_file_with_a_row_per_decision(cli: Cli, store: str, tmp_path: Path) -> None:
    ended = cli("export", store, "-o", "log.jsonl")
    assert (ended.code, ended.out) == (0, "wrote 8 decisions to log.jsonl\n")
    first = lines(tmp_path / "log.jsonl")[0]
    assert first["time_us"] == START_US
    assert first["judgements"] == {"thumb": 1.0}
    assert "prompt" not in first


def test_a_range_of_time_is_from_and_up_to(cli: Cli, store: str, tmp_path: Path) -> None:
    words = ("--since", "2024-10-04T06:00:00Z", "--until", "2024-10-05", "--json")
    assert cli("export", store, "-o", "log.jsonl", *words).document == {
        "output": "log.jsonl",
        "rows": 3,
        "left_out": 0,
    }
    assert [row["time_us"] for row in lines(tmp_path / "log.jsonl")] == [
        START_US + hour * HOUR_US for hour in (6, 12, 18)
    ]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_an_empty_range_is_a_file_without_rows(cli: Cli, store: str, tmp_path: Path, suffix: str) -> None:
    assert cli("export", store, "-o", f"log.{suffix}", "--since", "2030-01-01", "--json").document["rows"] == 0
    assert (tmp_path / f"log.{suffix}").is_file()


def test_a_folder_is_continued(cli: Cli, store: str, tmp_path: Path) -> None:
    document = cli("export", store, "-o", "out", "--json").document
    assert document == {
        "output": "out",
        "rows": 8,
        "rows_written": 8,
        "parts": 2,
        "parts_written": 2,
        "final_before": "2024-10-06T00:00:00Z",
        "left_out": 0,
    }
    assert cli("export", store, "-o", "out").code == 1
    assert cli("export", store, "-o", "out", "--resume", "--json").document["parts_written"] == 0
    assert cli("export", store, "-o", "out", "--force", "--json").document["parts_written"] == 2
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".json", ".parquet", ".parquet"]


def test_parts_may_be_hours_and_lines(cli: Cli, store: str, tmp_path: Path) -> None:
    assert cli("export", store, "-o", "out", "--part", "hour", "--format", "jsonl").code == 0
    assert (tmp_path / "out/decisions-2024-10-05T18.jsonl").is_file()


def test_all_namespaces_are_exported_or_the_one_that_is_named(cli: Cli, shared_store: str) -> None:
    assert cli("export", shared_store, "-o", "all.jsonl", "--json").document["rows"] == 16
    assert cli("export", shared_store, "-o", "one.jsonl", "--namespace", "acme", "--json").document["rows"] == 8
    ended = cli("export", shared_store, "-o", "none.jsonl", "--namespace", "initech")
    assert ended.code == 2
    assert "has no namespace 'initech'; it has acme, umbrella" in ended.err


def test_the_configuration_names_the_store_and_says_when_nothing_changes_any_more(cli: Cli, store: str) -> None:
    model = '[[models]]\nid = "large"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n'
    Path("routeward.toml").write_text(f'[store]\npath = "{store}"\n{model}')
    Path("slow.toml").write_text(
        f'[store]\npath = "{store}"\nretention_days = 3650\n[learning]\nmax_feedback_age_days = 3650\n{model}'
    )
    assert cli("export", "-o", "out", "--json").document["final_before"] == "2024-10-06T00:00:00Z"
    assert cli("export", "-o", "slow", "--config", "slow.toml", "--json").document["final_before"] < "2024"
    Path("memory.toml").write_text(f'[store]\npath = ""\n{model}')
    assert "keeps nothing on disk" in cli("export", "-o", "memory", "--config", "memory.toml").err


def test_a_file_that_is_there_is_replaced_only_when_forced(cli: Cli, store: str, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("mine")
    ended = cli("export", store, "-o", "log.jsonl", "--json")
    assert (ended.code, ended.document["error"]["reason"]) == (1, "FILE_EXISTS")
    assert (tmp_path / "log.jsonl").read_text() == "mine"
    assert cli("export", store, "-o", "log.jsonl", "--force").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gone.db", "-o", "x.jsonl"), "gone.db does not exist"),
        (("diary.txt", "-o", "x.jsonl"), "is not a SQLite database"),
        (("other.db", "-o", "x.jsonl"), "belongs to another program"),
        (("newer.db", "-o", "x.jsonl"), "upgrade routeward"),
        (("store.db",), "--output"),
        (("store.db", "-o", "x.jsonl", "--resume"), "--resume continues an export to a folder"),
        (("store.db", "-o", "x.jsonl", "--since", "yesterday"), "--since yesterday is no time"),
        (("store.db", "-o", "x.jsonl", "--since", "2024-01-02", "--until", "2024-01-01"), "not later than --since"),
        (("store.db", "-o", "dec.csv"), "dec.csv is neither .parquet nor .jsonl"),
        (("store.db", "-o", "out", "--format", "xml"), "--format is xml; give parquet or jsonl"),
    ],
)
def test_what_cannot_be_exported_ends_with_2_and_says_why(
    cli: Cli, store: str, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    (tmp_path / "diary.txt").write_text("Dear diary, " * 100)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE diary (entry)")
    (tmp_path / "newer.db").write_bytes((tmp_path / store).read_bytes())
    with closing(sqlite3.connect(tmp_path / "newer.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9000'")
        connection.commit()
    ended = cli("export", *words)
    assert ended.code == 2
    assert message in ended.err
    assert not (tmp_path / "x.jsonl").exists()
    assert not (tmp_path / "dec.csv").exists()


def test_a_folder_that_is_there_may_have_a_dot_in_its_name(cli: Cli, store: str, tmp_path: Path) -> None:
    (tmp_path / "exports.2026").mkdir()
    assert cli("export", store, "-o", "exports.2026").code == 0


def test_where_nothing_can_be_written_is_told(cli: Cli, store: str) -> None:
    for output in ("gone/log.jsonl", "store.db/log.parquet", "store.db/out"):
        ended = cli("export", store, "-o", output, "--json")
        assert (ended.code, ended.document["error"]["reason"]) == (1, "NOT_WRITTEN")


def test_decisions_of_a_clock_that_was_wrong_make_no_parts_of_days_between_them(
    cli: Cli, a_decision: DecisionRecord, tmp_path: Path
) -> None:
    async def filled() -> None:
        store = await SqliteStore.open(tmp_path / "odd.db", bucket_us=HOUR_US)
        times = (5_000_000, START_US, START_US + 1, 1 << 62)
        decided = [a_decision._replace(nonce=bytes([n] * 12), decided_us=time) for n, time in enumerate(times)]
        await store.log_decisions(decided)
        await store.close()

    asyncio.run(filled())
    ended = cli("export", "odd.db", "-o", "log.jsonl")
    assert ended.out == "wrote 3 decisions to log.jsonl; 1 is left out, whose time is later than 2200\n"
    document = cli("export", "odd.db", "-o", "out", "--format", "jsonl", "--json").document
    assert (document["rows"], document["parts"], document["left_out"]) == (3, 2, 1)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.jsonl")) == [
        "decisions-1970-01-01.jsonl",
        "decisions-2024-10-04.jsonl",
    ]
    inspected = cli("inspect", "odd.db", "--json").document
    assert (inspected["calls"], inspected["rejected"]["time_us is out of range"]["rows"]) == (3, 1)


@pytest.mark.parametrize("log", ["store.db", "log.parquet", "out"])
def test_a_store_and_its_export_are_logs_for_other_commands(cli: Cli, store: str, log: str) -> None:
    assert cli("export", store, "-o", "log.parquet").code == 0
    assert cli("export", store, "-o", "out", "--format", "jsonl").code == 0
    ended = cli("inspect", log, "--json")
    assert ended.code == 0, ended.err
    assert ended.document["calls"] == 8
    assert cli("warm-start", log).code == 0


@pytest.mark.parametrize("log", ["shared.db", "all.jsonl"])
def test_a_log_of_several_namespaces_is_read_by_one_of_them(cli: Cli, shared_store: str, log: str) -> None:
    assert cli("export", shared_store, "-o", "all.jsonl").code == 0
    refused = cli("inspect", log)
    assert refused.code == 2
    assert "several namespaces; choose one" in refused.err
    assert cli("inspect", log, "--namespace", "umbrella", "--json").document["calls"] == 8
