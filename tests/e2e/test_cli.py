"""The command line as its users meet it: processes of their own (see `tests.forked`), a real server, real files."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import forked

ROOT = Path(__file__).parents[2]
SECONDS = 30


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder in which commands are typed."""

    folder: Path

    def run(self, *words: str, **variables: str) -> Ended:
        options = {"environment": environment(variables), "folder": self.folder}
        ended = forked.run("routeward", *words, timeout=SECONDS, **options)
        assert "Traceback" not in ended.stdout + ended.stderr
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    @contextmanager
    def serving(self, *words: str, **variables: str) -> Iterator[str]:
        """Run a server on a free port; gives its address. It must end well when it is told to stop."""
        options = {"environment": environment(variables), "folder": self.folder}
        with forked.running("routeward", "serve", "--listen", "127.0.0.1:0", *words, **options) as server:
            yield ready_address(server.process)
            server.process.terminate()
            out, err = server.communicate(SECONDS)
            assert (server.process.returncode, out) == (0, "")
            assert "Traceback" not in err


def ready_address(process: forked.Forked) -> str:
    for line in process.stderr:
        event = json.loads(line)
        if event["event"] == "ready":
            return str(event["address"])
    raise AssertionError(f"the server ended with status {process.wait()} before it was ready")


def environment(variables: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROUTEWARD_")}
    return kept | {"PYTHONPATH": str(ROOT)} | variables


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk with a configuration whose metrics take any free port."""
    desk = Desk(tmp_path)
    assert desk.run("init").code == 0
    path = tmp_path / "routeward.toml"
    path.write_text(path.read_text().replace('"127.0.0.1:9464"', '"127.0.0.1:0"'))
    return desk


def test_from_init_to_what_was_learned(desk: Desk) -> None:
    assert desk.run("config", "check").code == 0
    with desk.serving() as target:
        routed = desk.run("route", "summarization", "--json", ROUTEWARD_TARGET=target)
        decision = routed.document
        assert decision["kind"] == "SAMPLED"
        told = desk.run(
            *("feedback", decision["decision_id"], "--status", "ok", "--latency", "1.2", "--thumb", "up"),
            *("--input-tokens", "3000", "--output-tokens", "200", "--score", "judge=.8", "--json"),
            ROUTEWARD_TARGET=target,
        )
        assert [result["status"] for result in told.document["results"]] == ["APPLIED"] * 3
        taken_back = desk.run("feedback", decision["decision_id"], "--retract", "thumb", "--target", target)
        assert "retracted" in taken_back.out
        assert desk.run("feedback", "forged", "--thumb", "up", "--target", target).code == 2
        made = desk.run("explain", decision["decision_id"], "--json", ROUTEWARD_TARGET=target)
        assert made.document["decision"]["propensity"] == decision["propensity"]
    with desk.serving() as target:
        beliefs = desk.run("status", "--json", "--target", target).document
        [category] = [one for one in beliefs["categories"] if one["category"] == "summarization"]
        [model] = [one for one in category["models"] if one["model"] == decision["model"]]
        assert (model["outcome_count"], model["quality_count"]) == (pytest.approx(1, rel=1e-3), 0)
        again = desk.run("explain", decision["decision_id"], "--json", "--target", target)
        assert again.document == made.document
        fallback = decision["fallbacks"][0]
        assert fallback["model"] in desk.run("explain", fallback["decision_id"], "--target", target).out
        imagined = desk.run("explain", "--category", "summarization", "--input-tokens", "3000", "--target", target)
        assert (imagined.code, max(map(len, imagined.out.splitlines())) <= 100) == (0, True)
        assert "would be sampled" in imagined.out
        assert desk.run("explain", "forged", "--target", target).code == 2
        assert desk.run("explain", "--category", "x", "--max-cost-usd", "0", "--target", target).code == 1
        shown = desk.run("status", "--target", target).out
        assert decision["model"] in shown
        assert max(map(len, shown.splitlines())) <= 100


def test_a_second_server_on_the_same_database_is_refused(desk: Desk) -> None:
    with desk.serving():
        refused = desk.run("serve", "--listen", "127.0.0.1:0", "--json")
        assert refused.code == 2
        assert refused.document["error"]["reason"] == "REFUSED_TO_START"
        assert "in use by another server" in refused.document["error"]["message"]


def test_a_server_with_keys_knows_its_callers(desk: Desk) -> None:
    made = desk.run("keys", "create", "checkout", "--namespace", "shop", "--json").document
    path = desk.folder / "routeward.toml"
    path.write_text(f"{path.read_text()}\n{made['toml']}\n")
    assert desk.run("keys", "rotate", "routeward.keys").code == 0
    with desk.serving() as target:
        stranger = desk.run("route", "x", "--json", "--target", target)
        assert (stranger.code, stranger.document["error"]["reason"]) == (1, "API_KEY_INVALID")
        known = {"ROUTEWARD_TARGET": target, "ROUTEWARD_API_KEY": made["key"]}
        decision = desk.run("route", "x", "--json", **known).document
        assert desk.run("feedback", decision["decision_id"], "--thumb", "down", **known).code == 0
        assert made["key"].partition(".")[2] not in desk.run("status", **known).out


def test_decisions_outlive_a_rotation_of_the_signing_keys(desk: Desk) -> None:
    with desk.serving() as target:
        decision_id = desk.run("route", "x", "--json", "--target", target).document["decision_id"]
    assert desk.run("keys", "rotate", "routeward.keys").code == 0
    with desk.serving() as target:
        assert desk.run("feedback", decision_id, "--thumb", "up", "--target", target).code == 0


def test_an_exposed_key_file_stops_the_start_with_what_to_run(desk: Desk) -> None:
    assert desk.run("keys", "rotate", "routeward.keys").code == 0
    (desk.folder / "routeward.keys").chmod(0o644)
    refused = desk.run("serve", "--listen", "127.0.0.1:0")
    assert refused.code == 2
    assert "chmod 600" in refused.err.splitlines()[-1]
    assert desk.run("doctor").code == 1


def test_the_doctor_asks_the_server_that_runs(desk: Desk) -> None:
    with desk.serving() as target:
        path = desk.folder / "routeward.toml"
        path.write_text(path.read_text().replace('"127.0.0.1:7443"', f'"{target}"'))
        ended = desk.run("doctor", "--json")
        path.write_text(path.read_text().replace('"routeward.db"', '"other.db"'))
        elsewhere = desk.run("doctor")
    details = {check["name"]: check["detail"] for check in ended.document["checks"]}
    assert details["server"] == f"runs on {target}, and serves"
    assert details["database"].endswith(f"in use by the server on {target}")
    assert ended.code == 0
    assert (elsewhere.code, "but not with this database" in " ".join(elsewhere.out.split())) == (1, True)
    assert not (desk.folder / "other.db").exists()


def test_the_doctor_finds_the_server_of_its_database_wherever_that_listens(desk: Desk, tmp_path_factory: Any) -> None:
    neighbour = Desk(tmp_path_factory.mktemp("neighbour"))
    with desk.serving() as target:
        # The neighbour's file names the address that the first server has, so its own server was started elsewhere.
        text = (desk.folder / "routeward.toml").read_text()
        (neighbour.folder / "routeward.toml").write_text(text.replace('"127.0.0.1:7443"', f'"{target}"'))
        with neighbour.serving() as own:
            ended = neighbour.run("doctor", "--json")
    details = {check["name"]: check["detail"] for check in ended.document["checks"]}
    assert own != target
    assert details["server"] == f"runs on {own}, and serves"
    assert details["database"].endswith(f"in use by the server on {own}")
    assert ended.code == 0


def test_a_server_on_a_taken_port_says_so_once_and_nothing_else(desk: Desk, tmp_path_factory: Any) -> None:
    other = Desk(tmp_path_factory.mktemp("other"))
    assert other.run("init").code == 0
    with desk.serving() as target:
        refused = other.run("serve", "--listen", target, "--metrics", "127.0.0.1:0")
    assert refused.code == 2
    [line] = refused.err.splitlines()
    assert line.startswith(f"error: the server did not start: cannot listen on {target}: Address already in use; stop")


def test_a_second_server_starts_with_addresses_of_its_own(desk: Desk, tmp_path_factory: Any) -> None:
    """The figures of both would be served on the same port, if only --listen could be given."""
    other = Desk(tmp_path_factory.mktemp("other"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        figures = f'"127.0.0.1:{taken.getsockname()[1]}"'
        text = (desk.folder / "routeward.toml").read_text()
        (other.folder / "routeward.toml").write_text(text.replace('metrics = "127.0.0.1:0"', f"metrics = {figures}"))
        assert figures in (other.folder / "routeward.toml").read_text()
        with other.serving("--metrics", "127.0.0.1:0") as target:
            assert other.run("status", "--target", target).code == 0
