"""The commands that operate a store, on a PostgreSQL."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.sql.postgres import Reach, connect
from adapters.sql.postgres.database import UNREADABLE
from adapters.sql.sqlite import SqliteStore
from adapters.sql.versions import HEAD
from bandit.records import DecisionRecord, SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Status, Thumb
from bandit.spend import Bill
from benchmarks._postgres import PostgresServer

Cli = Callable[..., Any]
HOUR_US = 3_600_000_000
START_US = 480_000 * HOUR_US
"""2024-10-04T00:00Z."""

CONFIG = """\
[store]
path = "store.db"
connect_seconds = 2

[learning]
bucket_seconds = 3600

[[models]]
id = "large"
input_usd_per_mtok = 1
output_usd_per_mtok = 2
"""


def said(namespace: str, client: str, count: int) -> list[SignalRecord]:
    records, bill = [], Bill("", False, 1_000_000)
    for place in range(count):
        time_us = START_US + place * 12 * HOUR_US
        facts = DecisionFacts("chat", "large", Kind.SAMPLED, time_us)
        nonce = client.encode().ljust(10, b".") + place.to_bytes(2, "big")
        outcome, thumb = Outcome(Status.OK, 1_000_000), Thumb(client == "alice")
        records += [
            SignalRecord(namespace, nonce, "outcome", outcome, time_us, time_us, facts, 0.75, b"", client, "", bill),
            SignalRecord(namespace, nonce, "thumb", thumb, time_us, time_us, facts, 0.75, b"", client, f"of-{client}"),
        ]
    return records


async def filled(a_decision: DecisionRecord) -> None:
    """Make a store in a file, with bases and merged rows too."""
    store = await SqliteStore.open("store.db", bucket_us=HOUR_US)
    for namespace in ("acme", "umbrella"):
        logged = a_decision._replace(namespace=namespace, decided_us=START_US + 12 * HOUR_US)
        await store.log_decisions([logged, logged._replace(nonce=b"m" * 12, kind=Kind.FALLBACK, uniform=None)])
        await store.add_categories(namespace, ["chat"], managed_by="auto")
    await store.write([*said("acme", "alice", 6), *said("acme", "mallory", 4), *said("umbrella", "alice", 3)])
    await store.retain(START_US + 12 * HOUR_US)
    await store.compact(START_US + 30 * HOUR_US)
    await store.close()


def contents(file: str) -> dict[str, list[Any]]:
    """Every row of a file but how often rows were merged, which counts on in each store, and which store it is."""
    with closing(sqlite3.connect(file)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}
    return {**rows, "meta": [row for row in rows["meta"] if row[0] not in ("layout", "store")]}


@pytest.fixture(autouse=True)
def configuration(cli: Cli) -> None:  # noqa: ARG001 -- it brings the folder
    Path("routeward.toml").write_text(CONFIG)


@pytest.fixture
def backed_up(cli: Cli, a_decision: DecisionRecord) -> str:
    """A backup of a store in a file."""
    asyncio.run(filled(a_decision))
    assert cli("backup", "b.db").code == 0
    return "b.db"


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the configuration name a PostgreSQL."""
    return lambda url: monkeypatch.setenv("ROUTEWARD_POSTGRES", url)


@pytest.fixture
def moved(cli: Cli, backed_up: str, use: Callable[[str], None], database_url: str) -> str:
    """The name of a database that the store was moved to."""
    use(database_url)
    restored = cli("restore", backed_up, "--json").document
    assert (restored["differing"], restored["store"]) == (0, database_url.replace("routeward@", ""))
    return name_of(database_url)


def name_of(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]


@pytest.mark.usefixtures("moved")
def test_a_store_moves_to_postgresql_and_is_operated_there(cli: Cli) -> None:
    assert cli("backup", "there.db", "--json").document["differing"] == 0
    assert contents("there.db") == contents("b.db")
    assert cli("rebuild", "--exclude-client", "mallory", "--json").document["signals"] == 6
    assert cli("namespace", "delete", "acme", "--yes", "--json").document["removed"]["signals"] == 16
    assert cli("verify", "--json").document == {"equal": True, "signals": 4, "differing": 0, "rows": []}


@pytest.mark.usefixtures("moved")
def test_a_database_that_holds_something_is_told_before_a_backup_is_looked_at(cli: Cli) -> None:
    Path("letter.db").write_text("Dear diary")
    ended = cli("restore", "letter.db")
    assert (ended.code, "holds namespaces already (acme, umbrella)" in ended.err) == (2, True)


@pytest.mark.slow
def test_every_operation_works_there_and_the_store_moves_back(
    cli: Cli, moved: str, use: Callable[[str], None], postgres: PostgresServer
) -> None:
    assert "holds namespaces already (acme, umbrella)" in cli("restore", "b.db").err
    assert cli("restore", "b.db", "--force").code == 2
    kept = cli("namespace", "list", "--json").document["namespaces"]
    counts = [(one["namespace"], one["revision"], one["signals"]) for one in kept]
    assert counts == [("acme", 20, 16), ("umbrella", 6, 4)]
    assert cli("namespace", "export", "acme", "-o", "out", "--json").document["rows"]["signals"] == 16
    tried = cli("rebuild", "--exclude-client", "mallory", "--dry-run", "--json").document
    assert (tried["signals"], tried["out_of_reach"]) == (6, 9)
    assert cli("rebuild", "--exclude-client", "mallory", "--json").document["cells"] == tried["cells"]
    postgres.psql("UPDATE sums SET n = n + 5 WHERE namespace = 'umbrella' AND signal = 'error'", moved)
    assert cli("verify").code == 1
    assert cli("rebuild", "--json").document["differing"] > 0
    assert cli("namespace", "delete", "acme", "--rater", "of-alice", "--yes", "--json").document["signals"] == 5
    assert cli("verify").code == 0
    assert cli("backup", "back.db").code == 0
    use("")
    assert cli("restore", "back.db", "--force").code == 0
    assert contents("store.db") == contents("back.db")
    assert cli("verify").code == 0


def test_what_is_no_store_of_this_version_is_told_and_left_as_it_is(
    cli: Cli, backed_up: str, use: Callable[[str], None], postgres: PostgresServer, database_url: str
) -> None:
    use(database_url)
    name = name_of(database_url)

    def refusal(*words: str) -> tuple[str, str]:
        ended = cli(*words, "--json")
        assert ended.code == 2
        error = ended.document["error"]
        return error["reason"], error["message"]

    assert refusal("verify")[0] == refusal("backup", "x.db")[0] == refusal("namespace", "list")[0] == "NO_STORE"
    Path("routeward.toml").write_text(CONFIG.replace("3600", "60"))
    assert "set bucket_seconds = 3600 in [learning]" in refusal("restore", backed_up)[1]
    assert postgres.psql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", name) == "0"
    Path("routeward.toml").write_text(CONFIG)
    postgres.psql("CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES ('abc')", name)
    assert "has tables of another program" in refusal("verify")[1]
    postgres.psql("CREATE TABLE meta (name text, value bigint); INSERT INTO meta VALUES ('bucket_us', 1)", name)
    postgres.psql("UPDATE alembic_version SET version_num = '9000'", name)
    assert "upgrade routeward" in refusal("rebuild")[1]
    postgres.psql("UPDATE alembic_version SET version_num = '0001'", name)
    assert "routeward db upgrade" in refusal("rebuild")[1]
    assert list(Path().glob("*x.db*")) == []


@pytest.mark.parametrize(
    ("url", "reason", "message"),
    [
        (
            "postgresql://ann:secret@127.0.0.1:1/db",
            "STORE_UNAVAILABLE",
            "postgresql://127.0.0.1:1/db: PostgreSQL does not answer (Connection refused); try again, nothing was lost",
        ),
        (
            "postgresql://ann:secret@127.0.0.1:1/db?sslmode=bogus",
            "STORE_REFUSED",
            f"postgresql://127.0.0.1:1/db: {UNREADABLE}",
        ),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_without_the_password(
    cli: Cli, use: Callable[[str], None], url: str, reason: str, message: str
) -> None:
    use(url)
    for words in (("verify",), ("namespace", "delete", "acme", "--yes"), ("backup", "b.db")):
        ended = cli(*words, "--json")
        assert (ended.code, ended.document) == (2, {"error": {"reason": reason, "message": message}})
        assert "se" not in ended.err
    doctor = cli("doctor", "--json")
    assert doctor.code == 1
    [check] = [one for one in doctor.document["checks"] if one["name"] == "database"]
    advice = "servers route from memory" if reason == "STORE_UNAVAILABLE" else "a server does not start like this"
    assert (check["verdict"], advice in check["advice"]) == ("failed", True)
    assert "secret" not in doctor.out + cli("config", "check").out


@pytest.mark.parametrize("url", ["postgresql://app:ap@secret@127.0.0.1:port/rw", "mysql://app:secret@127.0.0.1/rw"])
def test_a_url_that_cannot_be_read_is_refused_with_the_configuration_and_not_shown(
    cli: Cli, use: Callable[[str], None], url: str
) -> None:
    use(url)
    ended = cli("config", "check", "--json")
    [problem] = ended.document["error"]["problems"]
    assert (ended.code, problem["place"]) == (2, "ROUTEWARD_POSTGRES")
    assert "in percent encoding" in problem["hint"]
    assert "secret" not in ended.out + ended.err


def test_db_names_the_database_that_it_looks_at_without_the_user(
    cli: Cli, use: Callable[[str], None], postgres: PostgresServer, database_url: str
) -> None:
    use(database_url)
    name, address = name_of(database_url), database_url.replace("routeward@", "")
    assert "routeward db upgrade makes one" in cli("verify").err
    assert cli("db", "status", "--json").document["store"] == address
    assert cli("db", "plan", "--json").document["store"] == address
    assert cli("db", "upgrade").out == f"made the tables of schema {HEAD}: {address}\n"
    postgres.psql("DROP TABLE audit", name)
    damaged = cli("db", "status").out.splitlines()
    assert damaged[0].startswith(f"{address}: schema {HEAD}")
    assert damaged[-1].endswith("restore a backup into an empty database")
    postgres.psql("UPDATE alembic_version SET version_num = '9000'", name)
    for word in ("plan", "upgrade"):
        assert cli("db", word, "--json").document["error"]["message"].startswith(f"{address}: the store has schema")


@pytest.fixture(scope="module")
def durable() -> Iterator[PostgresServer]:
    server = PostgresServer.start()
    yield server
    server.stop()


def doctor(cli: Cli) -> dict[str, tuple[str, str]]:
    checks = cli("doctor", "--json").document["checks"]
    return {check["name"]: (check["verdict"], check["detail"]) for check in checks}


def test_doctor_tells_the_server_its_durability_the_tables_and_the_keys(
    cli: Cli, use: Callable[[str], None], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(database_url)
    found = doctor(cli)
    verdict, detail = found["database"]
    assert verdict == "ok"
    assert detail.startswith(f"{database_url.replace('routeward@', '')}, PostgreSQL 1")
    assert found["durability"][0] == "warning"
    assert found["tables"] == ("ok", "will be made at the first start")
    assert found["shared keys"][0] == "warning"
    assert "disk" not in found
    asyncio.run(prepared(database_url))
    assert doctor(cli)["tables"][1].startswith("schema 0")
    Path("routeward.toml").write_text(CONFIG.replace("3600", "60"))
    assert doctor(cli)["tables"][0] == "failed"
    monkeypatch.setenv("ROUTEWARD_TOKEN_KEYS", f"k1:{'ab' * 32}")
    assert doctor(cli)["shared keys"] == ("ok", "1 in ROUTEWARD_TOKEN_KEYS")
    assert cli("config", "check", "--json").document["store"] == database_url.replace("routeward@", "")


def test_doctor_tells_a_user_who_may_not_make_tables_also_where_they_are(
    cli: Cli, use: Callable[[str], None], postgres: PostgresServer, database_url: str
) -> None:
    name = name_of(database_url)
    role = f"guest_of_{name}"
    postgres.psql(f"CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC", name)
    try:
        use(postgres.url(name, role))
        refused = ("failed", f"{role} may not make tables in schema public")
        assert doctor(cli)["rights"] == refused
        asyncio.run(prepared(database_url))
        postgres.psql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}", name)
        found = doctor(cli)
        assert (found["rights"], found["tables"][0]) == (refused, "ok")
        postgres.psql(f"GRANT CREATE ON SCHEMA public TO {role}", name)
        assert doctor(cli)["rights"] == ("ok", f"{role} may make tables in schema public")
        postgres.psql("REVOKE USAGE ON SCHEMA public FROM PUBLIC", name)
        assert doctor(cli)["rights"] == ("failed", f"{role} may use no schema of its search_path")
    finally:
        postgres.psql(f"DROP OWNED BY {role}; DROP ROLE {role}", name)


async def prepared(url: str) -> None:
    store = connect(Reach(url), bucket_us=HOUR_US)
    await store.prepare()
    await store.close()


@pytest.mark.slow
def test_doctor_warns_of_commits_that_do_not_wait_and_of_a_standby(
    cli: Cli, use: Callable[[str], None], durable: PostgresServer
) -> None:
    name = durable.create_database()
    use(durable.url(name))
    assert doctor(cli)["durability"] == ("ok", "fsync, full_page_writes and synchronous_commit are on")
    durable.psql(f"ALTER DATABASE {name} SET synchronous_commit = off")
    assert "synchronous_commit is off" in doctor(cli)["durability"][1]
    durable.halt("fast")
    (durable.data / "standby.signal").touch()
    durable.resume()
    assert doctor(cli)["database"][0] == "failed"
