"""An export beside a server that is running, and its continuation."""

from collections.abc import Callable
from pathlib import Path

from adapters.traffic.calls import Call
from adapters.traffic.formats import open_log
from bandit.signals import Kind, Status
from benchmarks._processes import ServiceProcess
from routeward import Client, DecisionKind, thumbs_up
from routeward.cli.app import run

TRIES = 50
"""Exports in which what the server has decided is waited for; it is written half a second later."""


def exported(store: Path, folder: Path) -> list[Call]:
    assert run(["export", str(store), "-o", str(folder), "--resume"]) == 0
    if not list(folder.glob("*.parquet")):
        return []
    log = open_log(folder)
    calls = list(log.calls())
    assert log.report.rejected == {}
    return calls


def test_a_store_is_exported_beside_its_server_and_late_feedback_joins_later(
    start: Callable[[Path], ServiceProcess], configured: Callable[..., Path], tmp_path: Path
) -> None:
    service, out = start(configured()), tmp_path / "out"
    [store] = tmp_path.glob("*.db")
    with Client(service.address) as client:
        visits = []
        for number in range(10):
            with client.call("chat", input_tokens=100, session_id=f"visit-{number}") as call:
                call.tokens(input=110, output=7)
            visits.append(call.decision)
        for attempt in client.attempts("chat", on=(OSError,), session_id="unlucky"):
            with attempt as call:
                if call.decision.kind is DecisionKind.SAMPLED:
                    raise OSError("the provider is down")
        calls = next(found for _ in range(TRIES) if is_complete(found := exported(store, out)))
        assert [call.session for call in calls[:10]] == [f"visit-{number}" for number in range(10)]
        assert [call.model for call in calls[:10]] == [decision.model for decision in visits]
        assert [call.propensity for call in calls[:10]] == [decision.propensity for decision in visits]
        assert {(call.requested_tokens, call.input_tokens, call.output_tokens) for call in calls[:10]} == {
            (100, 110, 7)
        }
        assert {(call.session, call.kind, call.status) for call in calls[10:]} == {
            ("unlucky", Kind.SAMPLED, Status.ERROR),
            ("unlucky", Kind.FALLBACK, Status.OK),
        }
        client.feedback(visits[3], thumbs_up())
        judged = exported(store, out)
    assert service.stop() == 0
    assert [call.quality for call in judged[:10]] == [1.0 if number == 3 else None for number in range(10)]
    assert exported(store, out) == judged


def is_complete(calls: list[Call]) -> bool:
    """Whether the server has written all decisions: until then, signals alone tell of some."""
    return len(calls) == 12 and all(call.session for call in calls)
