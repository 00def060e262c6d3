"""`routeward db`: which version the tables have, what would change them, and changing them."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer

from routeward.cli.commands import Command, Group
from routeward.cli.options import DEFAULT_CONFIG, ConfigFile, Json
from routeward.cli.output import FOUND_PROBLEM, console, show
from routeward.cli.service import loaded
from routeward.cli.stores import require_store, told

if TYPE_CHECKING:
    from adapters.sql.postgres.reach import Reach
    from adapters.sql.preparing import Upgraded
    from adapters.sql.standing import Standing
    from server.settings import Settings

ADVICE: Final = {
    "empty": "it has no tables: routeward db upgrade makes them, and so does the first start",
    "older": "routeward db upgrade brings it up to date, and so does the first start of this version",
    "current": "nothing is to be done",
    "newer": "a newer version changed it, and servers of this one may go on; upgrade them next",
    "refused": "a newer version changed it: upgrade routeward here, this version does not start on it",
    "damaged": "it lacks what its version has: restore a backup",
}
FINE: Final = ("current", "newer")

app = typer.Typer(cls=Group, no_args_is_help=True, help="Tables: their version, what would change them, upgrades.")


@app.command(cls=Command)
def status(*, config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Say which version the tables have and which servers may use them; also beside the servers.

    Exit code 1 unless servers of this version can start without changing anything.
    """
    settings = loaded(config)
    with told(), _named(settings):
        document = _status(settings)
    show(document, lambda: _status_text(document), as_json=as_json)
    if document["state"] not in FINE:
        raise typer.Exit(FOUND_PROBLEM)


@app.command(cls=Command)
def plan(*, config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Say what an upgrade would do, with its SQL, and do nothing; also beside the servers."""
    settings = loaded(config)
    with told(), _named(settings):
        document = _plan(settings)
    show(document, lambda: _plan_text(document), as_json=as_json)


@app.command(cls=Command)
def upgrade(*, config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Make the tables, or bring them to this version. Where several try at once, one does and the others wait.

    Servers on PostgreSQL go on meanwhile; one that has the store in a file must be stopped.
    """
    settings = loaded(config)
    require_store(settings)
    with told(settings.store.path), _named(settings):
        done = asyncio.run(_upgraded(settings, _say_waiting))
    document = {**_place(settings), "applied": done.applied, **done._asdict()}
    show(document, lambda: _upgraded_text(document), as_json=as_json)


@contextmanager
def _named(settings: "Settings") -> Iterator[None]:
    """Name the PostgreSQL that an error is of; those of a file name it."""
    from adapters.ledger import StoreError

    try:
        yield
    except StoreError as error:
        if settings.store.postgres is None:
            raise
        raise type(error)(_reach(settings).named(str(error))) from error


def _status(settings: "Settings") -> dict[str, Any]:
    from adapters.sql.versions import HEAD

    found = _standing(settings)
    return {
        **_place(settings),
        "state": str(found.state),
        "schema": found.schema.version,
        "known": HEAD,
        "oldest_code": found.schema.oldest_code or found.schema.version,
        "migrations": [one["revision"] for one in _pending(found)],
        "lacking": list(found.lacking),
    }


def _plan(settings: "Settings") -> dict[str, Any]:
    from adapters.sql.versions import HEAD, require_usable

    found, dialect = _standing(settings), _dialect(settings)
    require_usable(found.schema)
    creates = _sql_of_new(settings) if found.schema.version is None else None
    steps = _pending(found, dialect if settings.store.postgres else None)
    return {**_place(settings), "schema": found.schema.version, "known": HEAD, "creates": creates, "migrations": steps}


def _sql_of_new(settings: "Settings") -> str:
    from adapters.sql.migrating import sql_of_new
    from adapters.sql.postgres import tables

    dialect = _dialect(settings)
    return sql_of_new(dialect, tables.create) if settings.store.postgres else sql_of_new(dialect)


def _pending(found: "Standing", dialect: str | None = None) -> list[dict[str, Any]]:
    """Return the migrations that are missing, with their SQL in a dialect where it is named.

    Those of before PostgreSQL was there read what they move, so that nobody can tell their SQL for SQLite.
    """
    from adapters.sql.migrating import pending, sql_of
    from adapters.sql.versions import THIS

    if found.schema.version is None or not found.schema.behind(THIS):
        return []
    return [
        {
            "revision": one.revision,
            "description": one.description,
            "compatible_from": one.compatible_from,
            "sql": sql_of(one, dialect) if dialect else None,
        }
        for one in pending(found.schema.version)
    ]


def _standing(settings: "Settings") -> "Standing":
    from adapters.sql.sqlite.inspection import standing_of

    require_store(settings)
    if settings.store.postgres is None:
        return standing_of(settings.store.path)
    return asyncio.run(_standing_there(_reach(settings)))


async def _standing_there(reach: "Reach") -> "Standing":
    from adapters.sql.postgres.database import PostgresDatabase
    from adapters.sql.standing import standing

    database = PostgresDatabase(reach)
    try:
        return await database.run(standing)
    finally:
        await database.close()


async def _upgraded(settings: "Settings", waiting: Callable[[], None]) -> "Upgraded":
    bucket_us = round(settings.learning.bucket_s * 1e6)
    if settings.store.postgres is None:
        from adapters.sql.sqlite import upgrading as in_file

        return await in_file.upgrade(settings.store.path, bucket_us=bucket_us)
    from adapters.sql.postgres import upgrading

    return await upgrading.upgrade(_reach(settings), bucket_us=bucket_us, waiting=waiting)


def _say_waiting() -> None:
    console(stderr=True).print("waiting: another process changes the tables, or uses one that has to change")


def _reach(settings: "Settings") -> "Reach":
    from adapters.sql.postgres.reach import Reach

    there = settings.store.postgres
    assert there is not None  # noqa: S101 -- for the type alone
    return Reach(there.url, there.connect_s, there.statement_s, connections=1)


def _dialect(settings: "Settings") -> str:
    return "postgresql+asyncpg" if settings.store.postgres else "sqlite"


def _place(settings: "Settings") -> dict[str, Any]:
    """Say where the store is; of the URL of a PostgreSQL without user and password."""
    if settings.store.postgres:
        return {"backend": "postgresql", "store": _reach(settings).address}
    return {"backend": "sqlite", "store": str(settings.store.path)}


def _status_text(document: Mapping[str, Any]) -> str:
    schema = document["schema"] or "none"
    lines = [f"{document['store']}: schema {schema}, this version knows {document['known']}"]
    if document["schema"]:
        lines.append(f"servers that know {document['oldest_code']} or newer may use it")
    if document["migrations"]:
        lines.append(f"missing: {', '.join(document['migrations'])}")
    if document["lacking"]:
        lines.append(f"lacking: {', '.join(document['lacking'])}")
    # A file may take the place of another; rows of PostgreSQL may not.
    where = " into an empty database" if (document["state"], document["backend"]) == ("damaged", "postgresql") else ""
    return "\n".join([*lines, f"{ADVICE[document['state']]}{where}"])


def _plan_text(document: Mapping[str, Any]) -> str:
    if document["creates"]:
        return f"-- makes the tables of schema {document['known']}\n{document['creates']}"
    steps = [_step_text(one) for one in document["migrations"]]
    return "\n\n".join(steps) or f"nothing is to be done: {document['store']} has schema {document['schema']}"


def _step_text(step: Mapping[str, Any]) -> str:
    lines = [
        f"-- {step['revision']}: {step['description']}",
        f"-- servers that know {step['compatible_from']} or newer may go on after it",
    ]
    return "\n".join([*lines, *([step["sql"]] if step["sql"] else [])])


def _upgraded_text(document: Mapping[str, Any]) -> str:
    store, after = document["store"], document["after"]
    if not document["applied"]:
        return f"already at {after}: {store}"
    if document["before"] is None:
        return f"made the tables of schema {after}: {store}"
    return f"upgraded from {document['before']} to {after}: {store}"
