"""The files in deploy/ agree with each other, with the program and with the documents."""

import re
import tomllib
from pathlib import Path

import pytest

from server.config import ConfigError, load
from server.service import FLUSH_S

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
COMPOSE = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
UNIT = (DEPLOY / "routeward.service").read_text(encoding="utf-8")
CONFIGURATION = (DEPLOY / "routeward.toml").read_text(encoding="utf-8")
RULES = (DEPLOY / "prometheus/rules.yml").read_text(encoding="utf-8")
RULES_TEST = (DEPLOY / "prometheus/rules.test.yml").read_text(encoding="utf-8")
ALERTS = re.findall(r"- alert: (\w+)", RULES)
A_KEY = f'[[server.keys]]\nid = "shop"\nsha256 = "{"0" * 64}"\n\n[store]'


ENVIRONMENT = {
    "ROUTEWARD_POSTGRES": "postgresql://routeward:secret@postgres/routeward",
    "ROUTEWARD_TOKEN_KEYS": f"k1:{'0' * 64}",
    "ROUTEWARD_FINGERPRINT_KEY": "0" * 64,
    "OPENAI_API_KEY": "key",
    "ANTHROPIC_API_KEY": "",
}


def metrics_in(text: str) -> set[str]:
    """Names of metrics; those of the parts of histograms without their endings."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\brouteward_[a-z_]+", text)}


def described(heading: str) -> str:
    """The anchor that a page's heading has."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


@pytest.fixture
def settings(tmp_path: Path):
    """What the replicas are told once there is a key for a caller, in folders that exist here."""
    text = CONFIGURATION.replace("[store]", A_KEY).replace("/var/lib/routeward", str(tmp_path))
    path = tmp_path / "routeward.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, ENVIRONMENT, serving=True)


def test_every_metric_of_a_rule_is_documented() -> None:
    page = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
    assert metrics_in(RULES) - metrics_in(page) == set()


def test_the_rules_are_tried_with_metrics_that_rules_ask_for() -> None:
    assert metrics_in(RULES_TEST) == metrics_in(RULES)


def test_every_alert_is_tried_both_ways() -> None:
    tried = re.findall(r"alertname: (\w+)", RULES_TEST)
    silent = re.findall(r"alertname: (\w+), exp_alerts: \[\]", RULES_TEST)
    assert set(tried) == set(silent) == set(ALERTS)
    assert {name for name in ALERTS if tried.count(name) == silent.count(name)} == set()


def test_every_alert_says_what_is_the_matter_and_where_to_read_on() -> None:
    page = (ROOT / "docs/howto/alerts.md").read_text(encoding="utf-8")
    anchors = {described(heading) for heading in re.findall(r"^## (.+)$", page, re.MULTILINE)}
    assert re.findall(r"runbook: docs/howto/alerts\.md#(\S+)", RULES) == [name.lower() for name in ALERTS]
    assert RULES.count("summary: ") == len(ALERTS)
    assert {name.lower() for name in ALERTS} <= anchors


def test_what_the_image_is_built_of_exists_and_reaches_the_build() -> None:
    let_in = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    copied = {
        source for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for source in line.split()
    }
    assert copied == let_in
    assert {name for name in copied if not (ROOT / name).exists()} == set()


def test_every_file_that_is_mounted_exists() -> None:
    mounted = re.findall(r'"(\./[^:"]+):', COMPOSE)
    assert len(mounted) == 3
    assert {name for name in mounted if not (DEPLOY / name).exists()} == set()


def test_every_secret_is_asked_for_in_the_example_and_none_is_told() -> None:
    example = (DEPLOY / "env.example").read_text(encoding="utf-8")
    asked = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", example, re.MULTILINE))
    assert asked.keys() == set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))
    assert {name for name, value in asked.items() if value} == {"ROUTEWARD_BIND"}


def test_the_file_with_secrets_is_seen_neither_by_git_nor_by_a_build() -> None:
    assert "deploy/.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "*" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_versions_agree() -> None:
    told = [*re.findall(r'image\.version="([^"]+)"', DOCKERFILE), *re.findall(r"image: routeward:(\S+)", COMPOSE)]
    assert told == [VERSION, VERSION]


def test_ports_agree_with_the_configuration(settings) -> None:
    addresses = settings.server.listen, settings.gateway.listen, settings.server.metrics_listen
    grpc, gateway, metrics = (address.rpartition(":")[2] for address in addresses)
    assert re.findall(r"^EXPOSE (.+)$", DOCKERFILE, re.MULTILINE) == [f"{grpc} {gateway} {metrics}"]
    published = [port.rpartition(":")[2] for port in re.findall(r'ROUTEWARD_BIND:-127\.0\.0\.1\}:([\d:]+)"', COMPOSE)]
    assert published == [grpc, gateway] * 2
    scraped = re.findall(r'"(routeward-\w+):(\d+)"', (DEPLOY / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
    replicas = re.findall(r"^  (routeward-\w+):$", COMPOSE, re.MULTILINE)
    assert scraped == [(replica, metrics) for replica in replicas]


def test_a_replica_has_time_to_drain(settings) -> None:
    needed_s = settings.server.drain_s + settings.server.grace_s + FLUSH_S
    granted = re.findall(r"stop_grace_period: (\d+)s", COMPOSE.partition("\nservices:")[0])
    granted += re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert [int(seconds) > needed_s for seconds in granted] == [True, True]


def test_what_a_replica_writes_lies_in_its_own_volume(settings, tmp_path: Path) -> None:
    assert (settings.spool.path.suffix, settings.store.snapshot_path.suffix) == (".db", ".json")
    assert {settings.spool.path.parent, settings.store.snapshot_path.parent} == {tmp_path}
    volumes = re.findall(r'"([\w-]+):/var/lib/routeward"', COMPOSE)
    assert len(set(volumes)) == len(volumes) == 2
    assert re.findall(r"^VOLUME (\S+)$", DOCKERFILE, re.MULTILINE) == ["/var/lib/routeward"]


def test_the_spool_is_called_nearly_full_at_four_fifths_of_what_it_may_hold(settings) -> None:
    assert f"routeward_spool_bytes > 0.8 * {settings.spool.max_bytes // 1024**2} * 1024 * 1024\n" in RULES


@pytest.mark.parametrize("page", ["docs/howto/outages.md", "docs/reference/metrics.md"])
def test_documents_name_the_thresholds_of_the_rules(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    thresholds = re.findall(r"(routeward_(?:spool_oldest|follow_age)_seconds) > (\d+)", RULES)
    assert {name for name, _ in thresholds} == {"routeward_spool_oldest_seconds", "routeward_follow_age_seconds"}
    assert [name for name, limit in thresholds if f"`{name}` above {limit}" not in text] == []
    [share] = re.findall(r"routeward_spool_bytes > 0\.(\d)", RULES)
    assert f"`routeward_spool_bytes` above {share}0 % of `spool.max_mb`" in text


def test_systemd_reloads_and_stops_the_service_rather_than_each_worker() -> None:
    assert "\nExecReload=/bin/kill -HUP $MAINPID\n" in UNIT
    assert "\nKillMode=mixed\n" in UNIT


def test_as_it_is_shipped_the_configuration_lets_nobody_call(tmp_path: Path) -> None:
    path = tmp_path / "routeward.toml"
    path.write_text(CONFIGURATION.replace("/var/lib/routeward", str(tmp_path)), encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load(path, ENVIRONMENT, serving=True)
    wrong = re.findall(r"^\S+ (.+)$", str(raised.value), re.MULTILINE)
    assert len(wrong) == 3
    assert all("without API keys" in line or "no API key is configured" in line for line in wrong)
