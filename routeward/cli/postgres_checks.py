"""What `routeward doctor` looks at where replicas share a PostgreSQL."""

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from routeward.cli.checks import Check, Verdict, ok

if TYPE_CHECKING:
    from adapters.sql.facts import StoreFacts
    from adapters.sql.postgres import Reach
    from adapters.sql.postgres.inspection import Condition
    from server.settings import LearningSettings, PostgresSettings, ServerSettings

PATIENCE_S: Final = 3.0
"""Longest wait for the database."""

OUTAGE: Final = "servers route from memory meanwhile, and learn nothing: see docs/howto/outages.md"


def database(postgres: "PostgresSettings", learning: "LearningSettings") -> Iterator[Check]:
    """Look at the database and the tables in it; nothing is made or changed."""
    from adapters.ledger import StoreError, StoreForbiddenError, StoreUnavailableError
    from adapters.sql.postgres import Reach, condition_of

    reach = Reach(postgres.url, PATIENCE_S, PATIENCE_S, connections=1)
    started = time.monotonic()
    try:
        condition = asyncio.run(condition_of(reach))
    except StoreError as error:
        passes = isinstance(error, StoreUnavailableError) and not isinstance(error, StoreForbiddenError)
        advice = OUTAGE if passes else "a server does not start like this: see docs/howto/deploy.md"
        yield Check("database", Verdict.FAILED, reach.named(str(error)), advice)
        return
    yield _server(reach, condition, time.monotonic() - started)
    yield _rights(condition)
    yield _durability(condition)
    yield _tables(condition.facts, learning)


def shared_keys(server: "ServerSettings") -> Iterator[Check]:
    """Look at the keys that sign decision ids, by which replicas take feedback about decisions of each other."""
    file = server.token_key_file
    if server.token_keys:
        yield ok("shared keys", f"{len(server.token_keys)} in ROUTEWARD_TOKEN_KEYS", "every replica needs the same")
    elif file is None:
        detail = "every process signs decision ids with a key of its own, and refuses those of the others"
        yield Check("shared keys", Verdict.FAILED, detail, "set ROUTEWARD_TOKEN_KEYS, the same for every replica")
    elif file.exists():
        yield ok("shared keys", f"those of {file}", "every replica needs a copy of this file")
    else:
        detail = f"each replica would make a {file.name} of its own, and refuse decision ids of the others"
        yield Check(
            "shared keys", Verdict.WARNING, detail, f"make {file} once and copy it, or set ROUTEWARD_TOKEN_KEYS"
        )


def _server(reach: "Reach", condition: "Condition", took_s: float) -> Check:
    detail = f"{reach.address}, PostgreSQL {condition.version}, connected and answered in {took_s * 1e3:,.0f} ms"
    if condition.is_standby:
        return Check("database", Verdict.FAILED, f"{detail}, is a standby: read-only", "connect to the primary server")
    return ok("database", detail)


def _rights(condition: "Condition") -> Check:
    schema = condition.schema
    if schema is None:
        detail, grant = f"{condition.user} may use no schema of its search_path", "USAGE, CREATE ON SCHEMA public"
    elif not condition.may_create:
        detail, grant = f"{condition.user} may not make tables in schema {schema}", f"CREATE ON SCHEMA {schema}"
    else:
        return ok("rights", f"{condition.user} may make tables in schema {schema}")
    advice = f"GRANT {grant} TO {condition.user}, for good: servers make a partition for each day"
    return Check("rights", Verdict.FAILED, detail, advice)


def _durability(condition: "Condition") -> Check:
    if not condition.is_durable:
        detail = "fsync or full_page_writes is off: a failure of power can destroy what was learned"
        return Check("durability", Verdict.WARNING, detail, "turn them on in postgresql.conf")
    if not condition.is_prompt:
        detail = "synchronous_commit is off: feedback of the last moments before a crash is lost, though acknowledged"
        return Check("durability", Verdict.WARNING, detail, "turn it on for this database or user")
    return ok("durability", "fsync, full_page_writes and synchronous_commit are on")


def _tables(facts: "StoreFacts", learning: "LearningSettings") -> Check:
    from adapters.sql.versions import HEAD

    if facts.version is None or facts.bucket_us is None:
        return ok("tables", "will be made at the first start")
    if facts.version != HEAD:
        advice = "run  routeward db upgrade, or start a server, which does it"
        return Check("tables", Verdict.WARNING, f"schema {facts.version}, this version knows {HEAD}", advice)
    if facts.bucket_us != round(learning.bucket_s * 1e6):
        detail = f"time buckets of another width than bucket_seconds ({learning.bucket_s:g})"
        advice = f"set bucket_seconds = {facts.bucket_us / 1e6:g} in [learning]"
        return Check("tables", Verdict.FAILED, detail, advice)
    return ok("tables", f"schema {facts.version}")
