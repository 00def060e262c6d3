"""The database goes away under load: callers do not notice, and whatever was acknowledged is stored once."""

import os
import tempfile
from pathlib import Path

import pytest

from benchmarks._load import SIGNING_KEY
from benchmarks._outages import FAULTS
from benchmarks._postgres import PostgresServer
from benchmarks._processes import ServiceProcess, write_configuration
from benchmarks.outages import run

POSSIBLE = [name for name, fault in FAULTS.items() if not (fault.needs_root and os.geteuid())]


@pytest.mark.slow
@pytest.mark.parametrize("fault", POSSIBLE)
def test_through_an_outage_under_load_no_call_fails_and_no_signal_is_lost(fault):
    # Its server runs as another user, who may not enter folders of the tests.
    with tempfile.TemporaryDirectory() as folder:
        verdict = run(fault, Path(folder), seconds=8.0)
    assert [wrong for *_, wrong in (*verdict.routes, *verdict.feedbacks) if wrong] == []
    assert len(verdict.feedbacks) > 1000
    assert (verdict.missing, verdict.sums_differing) == (0, 0)


@pytest.mark.slow
def test_a_service_that_is_told_to_stop_while_its_database_is_frozen_ends_well(tmp_path):
    server = PostgresServer.start()
    try:
        environment = {
            "ROUTEWARD_POSTGRES": server.url(),
            "ROUTEWARD_TOKEN_KEYS": f"{SIGNING_KEY.id}:{SIGNING_KEY.secret.hex()}",
        }
        with ServiceProcess(write_configuration(tmp_path), environment) as service:
            server.freeze()
            service.await_event("follow_failed")
            assert service.stop() == 0
            assert service.events[-1]["event"] == "stopped"
    finally:
        server.stop()
