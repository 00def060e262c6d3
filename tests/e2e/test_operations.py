"""A store is proved, backed up, cleaned of poisoned feedback and restored around the life of its server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks._processes import ServiceProcess
from routeward import Client, Outcome, SignalStatus, Status, thumbs_down, thumbs_up
from routeward.cli.app import run


def document(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    run([*words, "--json"])
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_an_operator_proves_backs_up_cleans_and_restores_around_a_server(
    start: Callable[[Path], ServiceProcess],
    configured: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    service = start(configured())
    with Client(service.address) as client:
        decisions = [client.route("chat", input_tokens=100) for _ in range(20)]
        for decision in decisions:
            client.feedback(decision, Outcome(Status.OK, latency_s=0.5), thumbs_up())
        verified = document(capsys, "verify")
        assert (verified["equal"], verified["signals"]) == (True, 40)
        assert document(capsys, "backup", "b.db")["differing"] == 0
        for decision in decisions[:5]:
            client.feedback(decision, thumbs_down(), rater="mallory")
    excluding = "rebuild", "--exclude-rater", "mallory"
    assert document(capsys, *excluding, "--dry-run")["signals"] == 5
    assert "in use" in document(capsys, *excluding)["error"]["message"]
    assert service.stop() == 0
    assert document(capsys, *excluding)["signals"] == 5
    assert document(capsys, "verify")["equal"]
    service = start(tmp_path / "routeward.toml")
    with Client(service.address) as client:
        again = client.feedback(decisions[0], thumbs_down(), rater="mallory")
        assert [result.status for result in again.results] == [SignalStatus.SUPERSEDED]
    assert service.stop() == 0
    assert document(capsys, "restore", "b.db", "--force")["differing"] == 0
    [kept] = document(capsys, "namespace", "list")["namespaces"]
    assert (kept["revision"], kept["signals"]) == (40, 40)
    service = start(tmp_path / "routeward.toml")
    with Client(service.address) as client:
        [result] = client.feedback(decisions[6], thumbs_down()).results
        assert result.status is SignalStatus.AMENDED
    assert service.stop() == 0
    assert document(capsys, "verify")["equal"]
