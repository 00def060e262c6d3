"""What `routeward doctor` looks at on the disk: its space, the database, the keys that sign decision ids."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from routeward.cli import disk_checks, postgres_checks
from routeward.cli.checks import Check, Verdict, ok

if TYPE_CHECKING:
    from adapters.sql.sqlite.lock import Holder
    from routeward.cli.port_checks import Found
    from server.settings import Settings

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
LEEWAY_S: Final = 60.0


def files(settings: "Settings", now_s: float, holder: "Holder | None", listening: "Found") -> Iterator[Check]:
    """Look at the disks, the database, and the signing keys; nothing is made or changed.

    `holder` is the server that has the database; `listening` is who was found where it listens, or, if it does not
    say, where the configuration says.
    """
    path = settings.store.path
    yield from disk_checks.disks(settings)
    if settings.store.postgres is not None:
        yield from postgres_checks.database(settings.store.postgres, settings.learning)
        yield from postgres_checks.shared_keys(settings.server)
    elif settings.store.in_memory:
        yield Check("database", Verdict.WARNING, "kept in memory", "set path in [store] to keep what is learned")
    else:
        yield _database(settings, now_s, holder, listening) if path.exists() else _new_file("database", path)
    if settings.server.token_keys:
        yield ok("signing keys", f"{len(settings.server.token_keys)} in ROUTEWARD_TOKEN_KEYS")
    elif settings.server.token_key_file:
        yield _key_file(settings.server.token_key_file)


def holder_of(settings: "Settings") -> "Holder | None":
    """Return which server has the database of a configuration, None where none has or nobody can tell."""
    from adapters.ledger import StoreError
    from adapters.sql.sqlite.inspection import holder_of

    try:
        return holder_of(settings.store.path) if settings.store.in_file else None
    except StoreError:
        return None


def database_in_use(settings: "Settings") -> bool | None:
    """Tell whether a server has the database of a configuration; None where there is none, or nobody can tell."""
    from adapters.ledger import StoreError
    from adapters.sql.sqlite.inspection import holder_of

    try:
        return holder_of(settings.store.path) is not None if settings.store.in_file else None
    except StoreError:
        return None


def _database(settings: "Settings", now_s: float, holder: "Holder | None", listening: "Found") -> Check:
    path = settings.store.path
    found = path.stat()
    if not (os.access(path, os.R_OK | os.W_OK) and os.access(path.resolve().parent, os.W_OK)):
        detail = f"{path} and its folder cannot be read and written"
        return Check("database", Verdict.FAILED, detail, f"chown them to {_user()}")
    if found.st_mtime > now_s + LEEWAY_S:
        detail = f"{path} was written in the future: the clock went back"
        return Check("database", Verdict.FAILED, detail, "set the clock, for example by NTP")
    content = _content(settings) if holder is None else _in_use(settings, holder, listening)
    if content.verdict is Verdict.OK and found.st_mode & OTHERS:
        return Check("database", Verdict.WARNING, f"{path} is open to others", f"chmod 600 {path}")
    return content


def _content(settings: "Settings") -> Check:
    from adapters.ledger import StoreError
    from adapters.sql.sqlite.inspection import facts_of, holder_of

    path = settings.store.path
    try:
        holder_of(path)
        facts = facts_of(path)
    except StoreError as error:
        return Check("database", Verdict.FAILED, str(error), "no server starts on it before this is mended")
    wanted_us = round(settings.learning.bucket_s * 1e6)
    if facts.bucket_us not in (None, wanted_us):
        detail = f"{path} keeps time buckets of another width than bucket_seconds ({settings.learning.bucket_s:g})"
        advice = f"set bucket_seconds = {facts.bucket_us / 1e6:g} in [learning]"
        return Check("database", Verdict.FAILED, detail, advice)
    return ok("database", f"{_sized(path)}, {f'schema {facts.version}' if facts.version else 'still empty'}")


def _in_use(settings: "Settings", holder: "Holder", listening: "Found") -> Check:
    path, listen = settings.store.path, holder.address or settings.server.listen
    if listening.may_be_ours:
        return ok("database", f"{_sized(path)}, in use by the server on {listen}")
    process = "" if holder.pid is None else f" (process {holder.pid})"
    detail = f"{path} is in use by a server{process} that does not answer on {listen}"
    return Check("database", Verdict.FAILED, detail, "read its log: it is starting or stopping; or stop it")


def _sized(path: Path) -> str:
    return f"{path}, {path.stat().st_size / 1024**2:,.1f} MB"


def _key_file(path: Path) -> Check:
    from server.token_keys import TokenKeyError, read_keys

    try:
        return ok("signing keys", f"{len(read_keys(path))} in {path}")
    except FileNotFoundError:
        return _new_file("signing keys", path)
    except TokenKeyError as error:
        return Check("signing keys", Verdict.FAILED, str(error), "decision ids cannot be signed until this is mended")


def _new_file(name: str, path: Path) -> Check:
    if os.access(path.parent, os.W_OK):
        return ok(name, f"{path} will be made at the first start")
    return Check(name, Verdict.FAILED, f"{path.parent} cannot be written to", f"chown it to {_user()}")


def _user() -> str:
    return f"user {os.getuid()}, who runs this"
