"""The demo as its users meet it: a process, which starts another one, in a folder that must be gone afterwards."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from simulations.generator import generate, write_csv
from tests import forked

ROOT = Path(__file__).parents[2]
SECONDS = 90
FOREVER = "1000000"


def environment(temporary: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(temporary), "PYTHONWARNINGS": "error"}


def run(temporary: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return forked.run("routeward", "demo", *words, timeout=SECONDS, environment=environment(temporary))


@dataclass(frozen=True)
class Played:
    """A demo that has ended well."""

    document: Any
    progress: str
    left_behind: list[str]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    temporary = tmp_path_factory.mktemp("temporary")
    command = [sys.executable, "-m", "routeward", "demo", "--requests", "200", "--json"]
    variables = environment(temporary)
    ended = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return Played(json.loads(ended.stdout), ended.stderr, os.listdir(temporary))


@contextmanager
def playing(temporary: Path) -> Iterator[tuple[forked.Running, psutil.Process]]:
    """Play without end; gives the demo, in the middle of its traffic, and its server."""
    words = "demo", "--requests", FOREVER, "--json"
    with forked.running("routeward", *words, environment=environment(temporary)) as demo:
        try:
            assert any(re.match(r" +[\d,]+ +-?\$", line) for line in demo.process.stderr)
            [server] = psutil.Process(demo.process.pid).children()
            yield demo, server
        finally:
            for child in psutil.Process(demo.process.pid).children() if demo.process.poll() is None else []:
                child.kill()


def test_the_demo_plays_every_request_and_says_what_it_was_worth(played: Played) -> None:
    document = played.document
    assert document["traffic"]["requests"] == document["memory"]["saved"]["decisions"] == 200
    assert document["score"] == document["policies"]["routeward"]["score"]
    assert -300 < document["score"] < 100
    assert document["policies"]["oracle"]["score"] == pytest.approx(100)
    assert document["policies"]["random"]["score"] == pytest.approx(0)
    assert document["policies"].keys() == {"routeward", "oracle", "best-fixed", "dearest", "cheapest", "random"}


def test_the_demo_tells_what_was_learned_of_each_category(played: Played) -> None:
    learned = {lesson["category"]: lesson for lesson in played.document["learned"]}
    assert list(learned) == played.document["world"]["categories"]
    for lesson in learned.values():
        assert lesson["model"] in played.document["world"]["models"]
        assert 0 < lesson["probability"] <= 1
        assert (lesson["behind_usd"] == 0) == lesson["is_best"] == (lesson["model"] == lesson["best_model"])
    assert sum(lesson["outcomes"] for lesson in learned.values()) > 0


def test_everything_is_remembered_and_its_sums_are_those_of_the_log(played: Played) -> None:
    memory = played.document["memory"]
    assert memory["remembered"] is True
    assert memory["sums_verified"] is True
    assert memory["saved"]["outcomes"] == 200
    assert 60 < memory["saved"]["thumbs"] < 140
    assert memory["revision"] == memory["revision_after"] == 200 + memory["saved"]["thumbs"]


def test_progress_goes_elsewhere_than_the_json(played: Played) -> None:
    assert "200 requests in " in played.progress


def test_nothing_stays_behind(played: Played) -> None:
    assert played.left_behind == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_demo_leaves_no_process_and_no_folder(tmp_path: Path, number: signal.Signals) -> None:
    with playing(tmp_path) as (demo, server):
        demo.process.send_signal(number)
        out, err = demo.communicate(SECONDS)
        assert demo.process.returncode == 130
        assert out == ""
        assert "Traceback" not in err
        assert not server.is_running()
        assert os.listdir(tmp_path) == []


def test_a_server_that_dies_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with playing(tmp_path) as (demo, server):
        server.kill()
        out, err = demo.communicate(SECONDS)
        assert demo.process.returncode == 1
        error = json.loads(out)["error"]
        assert error["reason"] == "SERVER_FAILED"
        assert "its last words" in error["message"]
        assert '"event": "ready"' in error["message"]
        assert "Traceback" not in err
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "is not a file"),
        ("prompt_id,category,model\n1,a,b\n", "lacks the columns quality"),
        ("\x00\xff", "lacks the columns|cannot be read"),
    ],
    ids=["missing", "columns", "garbage"],
)
def test_a_table_that_cannot_be_used_is_refused_in_a_sentence(
    tmp_path: Path, content: str | None, complaint: str
) -> None:
    table, temporary = tmp_path / "table.csv", tmp_path / "temporary"
    temporary.mkdir()
    if content is not None:
        table.write_text(content, encoding="latin-1")
    ended = run(temporary, "--outcomes", str(table))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.search(complaint, ended.stderr)
    assert "Traceback" not in ended.stderr
    assert os.listdir(temporary) == []


def test_an_own_table_is_played_and_kept_on_request(tmp_path: Path) -> None:
    write_csv(generate(1, prompts_per_category=5), tmp_path / "own.csv")
    kept = tmp_path / "kept"
    words = ["--outcomes", str(tmp_path / "own.csv"), "--models", "open-8b, north-mini", "--keep", str(kept)]
    ended = run(tmp_path, *words, "--requests", "30")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "own.csv: 2 of 8 models, 6 categories, 30 prompts" in ended.stdout
    assert f"\nrouteward serve --config {kept / 'routeward.toml'} --listen 127.0.0.1:7443\n" in ended.stdout
    assert {"routeward.toml", "routeward.db", "server.log"} <= set(os.listdir(kept))
    again = run(tmp_path, *words)
    assert again.returncode == 2
    assert "exists already, and is left as it is" in again.stderr
