"""What deploy/ holds, checked by the tools of those who use it, and the image built and run."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks._processes import ServiceProcess

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
INSTALL = {
    "hadolint": "make .venv/slow",
    "check-jsonschema": "make .venv/slow",
    "promtool": "apt-get install prometheus",
    "prometheus": "apt-get install prometheus",
    "buildah": "apt-get install buildah",
    "debootstrap": "apt-get install debootstrap",
    "systemd-analyze": "apt-get install systemd",
}
PYTHON = "python3-venv,python3-pip,python-is-python3,ca-certificates"
"""Debian packages that make of its smallest system what the image of Python is."""

CONFIGURATION = """
[server]
listen = "127.0.0.1:0"
metrics = "127.0.0.1:0"
[store]
path = "/var/lib/routeward/routeward.db"
[[models]]
id = "only"
input_usd_per_mtok = 1.0
output_usd_per_mtok = 1.0
"""
EXPOSURE = 2.0
"""What systemd calls the exposure of a unit, from 0 to 10: the most that is well."""

pytestmark = pytest.mark.slow


def run(tool: str, *arguments: str, cwd: Path = ROOT, seconds: float = 120) -> str:
    """Run a tool and return all that it prints; it fails the test where it is missing or ends with an error."""
    command = [path_of(tool), *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=seconds)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def path_of(tool: str) -> str:
    path = shutil.which(tool, path=f"{Path(sys.executable).parent}:/usr/sbin:{os.environ['PATH']}")
    assert path, f"{tool} is missing: run  {INSTALL[tool]}"
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_the_dockerfile_follows_the_rules_of_its_linter() -> None:
    assert run("hadolint", str(DEPLOY / "Dockerfile")) == ""


def test_the_compose_file_fits_the_schema_of_compose() -> None:
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml"))


def test_a_wrong_word_in_the_compose_file_would_be_found(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((DEPLOY / "compose.yaml").read_text(encoding="utf-8").replace("read_only:", "readonly:"))
    with pytest.raises(AssertionError, match="readonly"):
        run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(wrong))


def test_prometheus_takes_its_configuration_and_the_rules_do_what_they_say() -> None:
    folder = DEPLOY / "prometheus"
    assert "SUCCESS" in run("promtool", "check", "config", "prometheus.yml", cwd=folder)
    assert "SUCCESS" in run("promtool", "check", "rules", "rules.yml", cwd=folder)
    assert "SUCCESS" in run("promtool", "test", "rules", "rules.test.yml", cwd=folder)


def test_systemd_takes_the_unit_and_finds_it_little_exposed(tmp_path: Path) -> None:
    unit = tmp_path / "routeward.service"
    text = (DEPLOY / "routeward.service").read_text(encoding="utf-8")
    # It looks for the program, which is not installed there.
    unit.write_text(text.replace("/opt/routeward/bin/routeward", sys.executable), encoding="utf-8")
    assert run("systemd-analyze", "verify", str(unit)) == ""
    told = run("systemd-analyze", "security", "--offline=true", str(unit))
    [exposure] = [float(line.split(": ")[1].split()[0]) for line in told.splitlines() if "Overall exposure" in line]
    assert exposure <= EXPOSURE


def test_prometheus_scrapes_a_server_and_evaluates_the_rules(
    start: Callable[[Path], ServiceProcess], configured: Callable[..., Path], tmp_path: Path
) -> None:
    service, port = start(configured()), free_port()
    shutil.copytree(DEPLOY / "prometheus", tmp_path / "prometheus")
    told = tmp_path / "prometheus/prometheus.yml"
    text = told.read_text(encoding="utf-8").replace('"routeward-a:9464", "routeward-b:9464"', f'"{service.metrics}"')
    itself = f"  - job_name: prometheus\n    static_configs:\n      - targets: ['127.0.0.1:{port}']\n"
    told.write_text(text.replace("15s", "1s") + itself, encoding="utf-8")
    command = [path_of("prometheus"), f"--config.file={told}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    command.append(f"--web.listen-address=127.0.0.1:{port}")
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as prometheus:
        try:
            assert "=> 1 @" in first_answer(f"http://127.0.0.1:{port}", "up{job='routeward'} == 1")
            assert "=> " in first_answer(f"http://127.0.0.1:{port}", "prometheus_rule_group_iterations_total > 2")
            groups = asked(f"http://127.0.0.1:{port}/api/v1/rules")["data"]["groups"]
        finally:
            prometheus.terminate()
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == (DEPLOY / "prometheus/rules.yml").read_text(encoding="utf-8").count("- alert: ")
    assert {(rule["health"], rule["state"]) for rule in rules} == {("ok", "inactive")}


def first_answer(prometheus: str, query: str) -> str:
    """Ask until something is known; each question is a process, which takes its time."""
    command = [path_of("promtool"), "query", "instant", prometheus, query]
    for _ in range(500):
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20).stdout
        if told.strip():
            return told
    raise AssertionError(f"{query} is not answered")


def asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as response:  # noqa: S310 - loopback
        return json.load(response)


class Image:
    """The image, built without a Docker engine on the smallest Debian that has Python; and one container of it."""

    def __init__(self, folder: Path) -> None:
        self._options = ["--root", str(folder / "root"), "--runroot", str(folder / "run")]
        self._options += ["--storage-driver", "vfs"]
        run("debootstrap", "--variant=minbase", f"--include={PYTHON}", "bookworm", str(folder / "base"), seconds=600)
        base = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", base, str(folder / "base"), "/")
        self.buildah("commit", "--quiet", base, "localhost/python")
        self._build(folder)
        self.container = self.buildah("from", "--pull-never", "localhost/routeward")
        self.files = Path(self.buildah("mount", self.container))

    def _build(self, folder: Path) -> None:
        certificates = Path("/etc/ssl/certs/ca-certificates.crt")
        (folder / "pip.conf").write_text(f"[global]\ncert = {certificates}\n")
        self.buildah(
            *("build", "--isolation", "chroot", "--pull-never", "--format", "docker", "--file", "deploy/Dockerfile"),
            *("--build-arg", "BASE=localhost/python", "--tag", "localhost/routeward"),
            # What this machine trusts: a proxy may stand between it and PyPI.
            *("--secret", f"id=pip,src={folder / 'pip.conf'}"),
            *("--volume", f"{certificates}:{certificates}:ro", "."),
        )

    def buildah(self, *arguments: str) -> str:
        command = [path_of("buildah"), *self._options, *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1500)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout.strip()

    def command(self, *words: str, configuration: Path | None = None) -> list[str]:
        """Return what runs a command in the container, as the user of the image."""
        mount = ["--volume", f"{configuration}:/etc/routeward/routeward.toml:ro"] if configuration else []
        how = ["run", "--isolation", "chroot", "--user", "10001:10001", *mount, self.container, "--"]
        return [path_of("buildah"), *self._options, *how, *words]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    folder = tmp_path_factory.mktemp("image")
    image = Image(folder)
    yield image
    image.buildah("umount", image.container)
    image.buildah("rm", image.container)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(1800)
def test_the_image_runs_as_its_user_answers_its_health_check_and_drains(image: Image, tmp_path: Path) -> None:
    told = json.loads(image.buildah("inspect", "--type", "image", "localhost/routeward"))["Docker"]["config"]
    assert (told["User"], told["StopSignal"], told["Entrypoint"]) == ("10001:10001", "SIGTERM", ["routeward"])
    assert told["Healthcheck"]["Test"] == ["CMD", "routeward", "health"]
    configuration = tmp_path / "routeward.toml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    serve = image.command(*told["Entrypoint"], *told["Cmd"], configuration=configuration)
    with ExitStack() as stack:
        container = stack.enter_context(subprocess.Popen(serve, stderr=subprocess.PIPE, text=True))
        stack.callback(container.kill)
        events = (json.loads(line) for line in container.stderr or () if line.startswith("{"))
        address = next(event["address"] for event in events if event["event"] == "ready")
        [server] = [one for one in psutil.Process(container.pid).children(recursive=True) if one.name() == "routeward"]
        assert server.uids().effective == 10001
        check = image.command(*told["Healthcheck"]["Test"][1:], "--target", address)
        assert (
            subprocess.run(check, capture_output=True, text=True, check=True).stdout
            == f"server at {address}: SERVING\n"
        )
        server.send_signal(signal.SIGTERM)
        assert "stopped" in [event["event"] for event in events]
        assert container.wait(60) == 0
    # Nothing but its volume, whose contents lie elsewhere, is its own to write.
    mine = {path for path in image.files.rglob("*") if not path.is_symlink() and path.stat().st_uid == 10001}
    assert mine == {image.files / "var/lib/routeward"}


@pytest.mark.timeout(1800)
def test_the_image_holds_no_tool_that_installs_and_nothing_of_the_build(image: Image) -> None:
    packages = {path.name for path in image.files.glob("opt/routeward/lib/python*/site-packages/*")}
    assert "routeward" in packages
    assert not {"pip", "setuptools", "hatchling"} & packages
    assert [path.name for path in (image.files / "opt").iterdir()] == ["routeward"]
    assert not (image.files / "src").exists()
