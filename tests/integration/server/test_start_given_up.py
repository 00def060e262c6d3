"""A server that is told to stop while it starts does not wait for what keeps it from starting."""

import io
import json
import os
import signal

from adapters.sql.postgres.locks import Lock
from benchmarks.rolling import KEY
from server.config import load
from server.logs import logger
from server.main import run

CONFIG = """\
[server]
listen = "127.0.0.1:0"
metrics = "127.0.0.1:0"
[[models]]
id = "small"
input_usd_per_mtok = 1
output_usd_per_mtok = 1
"""
RELEASED_MS = 3000
"""When the other one is thrown out, so that a server that waits for it does not wait forever."""


class Stopping(io.StringIO):
    """A log that tells its server to stop once it waits for its tables."""

    def write(self, line: str) -> int:
        if "waiting_for_tables" in line:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().write(line)


def test_a_server_that_waits_for_its_tables_stops_when_it_is_told_to_and_makes_none(postgres, tmp_path):
    (tmp_path / "routeward.toml").write_text(CONFIG)
    database, log = postgres.create_database(), Stopping()
    environ = {"ROUTEWARD_POSTGRES": postgres.url(database), "ROUTEWARD_TOKEN_KEYS": KEY}
    with postgres.session(database) as other:
        other.tell(f"BEGIN; SET idle_in_transaction_session_timeout = {RELEASED_MS}")
        other.tell(f"SELECT pg_advisory_xact_lock({int(Lock.SCHEMA)})")
        run(load(tmp_path / "routeward.toml", environ, serving=True), logger(log))
    events = [json.loads(line)["event"] for line in log.getvalue().splitlines()]
    assert events == ["waiting_for_tables", "draining", "stopped"]
    assert postgres.psql("SELECT to_regclass('sums')", database) == ""
    postgres.drop_database(database)
