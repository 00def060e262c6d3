"""`routeward evaluate`, `collapse` and `merge`, as they are typed and as they answer."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from adapters.ledger import MANAGED_BY_FILE
from adapters.registry import Edit, Entry, EntryKey, EntryKind
from adapters.sql.sqlite import SqliteStore
from bandit.records import DecisionRecord, SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Status, Thumb
from routeward.cli.evaluation_tables import verdict_and_policies
from routeward.cli.narrow_tables import shortened

Cli = Callable[..., Any]
HOUR_US = 3_600_000_000
MIXED = """
[policies.mixed]
default = { north-mini = 0.25, north-large = 0.25, south-pro = 0.25, open-8b = 0.25 }
"""


@pytest.fixture
def log(cli: Cli, tmp_path: Path) -> str:
    (tmp_path / "policies.toml").write_text(MIXED)
    assert cli("generate", "--log", "log.jsonl", "--rows", "1200", "--logger", "uniform", "--seed", "1").code == 0
    return "log.jsonl"


def spoiled(tmp_path: Path, log: str) -> str:
    """The same log with two rows that cannot be read, and one of which nothing says how probable it was."""
    rows = (tmp_path / log).read_text(encoding="utf-8").splitlines()
    unlikely = {name: cell for name, cell in json.loads(rows[3]).items() if name not in ("propensity", "probabilities")}
    rows[1:4] = [json.dumps(json.loads(row) | {"quality": 7}) for row in rows[1:3]] + [json.dumps(unlikely)]
    (tmp_path / "spoiled.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return "spoiled.jsonl"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gone.jsonl",), "gone.jsonl does not exist"),
        (("gone.jsonl", "--policies", "gone.toml"), "gone.toml cannot be read"),
        (("gone.jsonl", "--confidence", "2"), "--confidence is 2.0"),
        (("gone.jsonl", "--answer-value-usd", "-1"), "--answer-value-usd is -1.0"),
        (("gone.jsonl", "--min-lift", "nan"), "--min-lift is nan"),
        (("gone.jsonl", "--price", "north-mini=1"), "--price north-mini=1 is no price"),
        (("gone.jsonl", "--price", "north-mini=1,-1"), "--price of north-mini is -1"),
        (("gone.jsonl", "--config", "gone.toml"), "gone.toml"),
        (("policies.toml",), "policies.toml is no log: a .toml file holds policies, for --policies"),
        (("log.jsonl", "--namespace", "acme"), "format generic, which has no namespaces"),
        (
            ("log.jsonl", "--quality", "score:foo"),
            "no call has a judgement of score:foo; judgements there are: score:qu",
        ),
        (
            ("log.jsonl", "--price", "north-mimi=1,1"),
            "--price names north-mimi, which the log does not have; it has nor",
        ),
    ],
)
@pytest.mark.usefixtures("log")
def test_what_cannot_be_asked_ends_with_2_and_says_why(cli: Cli, words: tuple[str, ...], message: str) -> None:
    ended = cli("evaluate", *words)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


@pytest.mark.parametrize("command", ["inspect", "replay", "warm-start"])
@pytest.mark.usefixtures("log")
def test_a_judgement_that_no_call_has_is_refused_by_every_command(cli: Cli, command: str) -> None:
    ended = cli(command, "log.jsonl", "--quality", "score:foo")
    assert ended.code == 2
    assert "no call has a judgement of score:foo; judgements there are: score:quality" in ended.err


def test_a_log_whose_wanted_judgement_is_there_is_read(cli: Cli, log: str) -> None:
    assert cli("inspect", log, "--quality", "score:quality", "--json").document["calls"] == 1200


def test_rows_that_are_left_out_are_told_with_their_lines(cli: Cli, log: str, tmp_path: Path) -> None:
    ended = cli("evaluate", spoiled(tmp_path, log))
    assert "2 rows left out: quality is out of range (first lines: 2, 3)" in ended.err
    assert "1 call left out: " in ended.out
    rejected = cli("evaluate", "spoiled.jsonl", "--json", "-").document["log"]["rejected"]
    assert [one.keys() for one in rejected.values()] == [{"count", "lines"}]


def test_a_volume_tells_dollars_a_month(cli: Cli, log: str) -> None:
    words = ("evaluate", log, "--policies", "policies.toml")
    lift = cli(*words, "--json", "-").document["policies"]["mixed"]["lift"]
    table = cli(*words, "--requests-per-month", "2e6").out
    assert "Lift in dollars a month, at 2,000,000 requests (95%):" in table
    assert f"mixed: {'-' if lift['value'] < 0 else ''}${abs(lift['value']) * 2e6:,.0f} (" in table
    assert "a month" not in cli(*words).out


def test_money_is_told_per_1000_in_the_head_and_in_the_table(cli: Cli, log: str) -> None:
    document = cli("evaluate", log, "--policies", "policies.toml", "--json", "-").document
    out = cli("evaluate", log, "--policies", "policies.toml").out
    assert f"worth ${1000 * document['logged']['value']:.2f}"[:-1] in out
    assert "per 1,000" in out.splitlines()[0]
    assert "$/1,000" in out


def policy(status: str, value: float | None) -> dict[str, Any]:
    """One policy of a document."""
    names = ("value", "low", "high", "low_simultaneous", "high_simultaneous")
    return {
        "status": status,
        "headline": None if status == "red" else {"value": value},
        "lift": None if status == "red" else dict.fromkeys(names, value),
        "components": {"answer": 0.8, "cost_usd": 0.002},
        "weights": {"ess": 2000.0},
    }


def document(verdict: str = "green", /, **policies: dict[str, Any]) -> dict[str, Any]:
    """A document with what the table is made of."""
    reds = [
        {"policy": name, "name": check, "status": status, "says": f"{check} of {name}"}
        for name, one in policies.items()
        if one["status"] == "red"
        for check, status in (("precision", "red"), ("ess", "amber"), ("mean", "green"))
    ]
    return {
        "log": {"rows": 10, "name": "log", "unusable": {"no propensity": 2}},
        "verdict": verdict,
        "confidence": 0.95,
        "headline": "DR",
        "objective": {"answer_value_usd": 0.05, "second_value_usd": 0.001},
        "logged": {"value": 0.0353, "low": 0.0349, "high": 0.0356},
        "checks": [{"policy": "", "name": "propensities", "status": verdict, "says": "x"}, *reds],
        "policies": policies,
    }


def printed(shown: dict[str, Any], width: int = 100) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(verdict_and_policies(shown, width))
    return captured.get()


def test_a_log_that_is_refused_is_worth_nothing_that_could_be_told() -> None:
    assert "worth" in printed(document("green"))
    assert "worth" not in printed(document("red", mine=policy("red", None)))


def test_a_refusal_gives_the_reasons_that_refuse_and_no_others() -> None:
    out = printed(document(mine=policy("red", None)))
    assert "mine refused: precision of mine\n" in out.replace(" \n", "\n")
    assert "ess of mine" not in out


def test_an_unknown_lift_stands_below_a_loss() -> None:
    out = printed(document(unknown=policy("amber", None), loss=policy("amber", -1.0), win=policy("green", 1.0)))
    assert out.index("win") < out.index("loss") < out.index("unknown")


def test_calls_without_a_propensity_are_counted() -> None:
    assert "  2 calls left out: no propensity\n" in printed(document())


@pytest.mark.parametrize("width", [100, 80])
def test_a_table_breaks_no_names_and_is_no_wider_than_it_may(width: int) -> None:
    names = ["fixed:north-medium", "fixed:a-model-with-a-very-long-name-of-2025-12", "fixed:a-model-2026"]
    policies = {name: policy("amber", -0.01234 * place) for place, name in enumerate(names)}
    out = printed(document("green", **policies), width)
    lines = out.splitlines()
    assert all(len(line) <= width for line in lines)
    assert sum(line.startswith("fixed:") for line in lines) == 3
    assert all(sum(part in line for line in lines) == 1 for part in ("north-medium", "2025-12 ", "a-model-2026"))
    assert ("quality" in out) == (width == 100)


def test_a_name_is_shortened_in_its_middle_and_only_where_it_must_be() -> None:
    assert shortened("fixed:north-medium", 18) == "fixed:north-medium"
    assert shortened("fixed:north-medium", 9) == "fixe…dium"


def test_the_help_shows_how_a_policy_is_headed(cli: Cli) -> None:
    assert "[policies.NAME]" in cli("evaluate", "--help").out


def test_a_log_of_which_no_call_can_be_used_gives_no_sums(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("category,model,quality\na,large,1\n")
    ended = cli("collapse", "log.csv", "-o", "log.sums", "--json")
    assert (ended.code, ended.document["error"]["reason"]) == (1, "NO_CALLS")
    assert "1 call left out: " in ended.document["error"]["message"]
    assert not (tmp_path / "log.sums").exists()


def test_sums_are_not_added_to_themselves(cli: Cli, log: str) -> None:
    assert cli("collapse", log, "-o", "a.sums").code == 0
    ended = cli("merge", "a.sums", "a.sums", "-o", "b.sums")
    assert ended.code == 2
    assert "a.sums holds the same calls as a.sums; name each log once" in ended.err


@pytest.mark.parametrize("option", [("--price", "north-mini=1,1"), ("--quality", "thumb"), ("--namespace", "acme")])
def test_what_says_nothing_to_sums_is_refused(cli: Cli, log: str, option: tuple[str, str]) -> None:
    assert cli("collapse", log, "-o", "a.sums").code == 0
    ended = cli("evaluate", "a.sums", *option)
    assert ended.code == 2
    assert f"{option[0]} says nothing here: a.sums holds sums" in ended.err


def cost(ended: Any) -> float:
    """What a logged call costs."""
    cost_usd: float = ended.document["logged"]["components"]["cost_usd"]
    return cost_usd


def test_prices_make_costs_from_tokens(cli: Cli, log: str, tmp_path: Path) -> None:
    listed = '[[models]]\nid = "{}"\ninput_usd_per_mtok = 10.0\noutput_usd_per_mtok = 20.0\n'
    rows = [json.loads(row) for row in (tmp_path / log).read_text(encoding="utf-8").splitlines()]
    models = sorted({row["model"] for row in rows})
    (tmp_path / "dear.toml").write_text("\n".join(map(listed.format, models)))
    told = [row for row in rows if {"input_tokens", "output_tokens"} <= row.keys()]
    expected = sum(10e-6 * row["input_tokens"] + 20e-6 * row["output_tokens"] for row in told) / len(told)
    by_option = [word for model in models for word in ("--price", f"{model}=10,20")]
    for words in (by_option, ["--config", "dear.toml"]):
        ended = cli("evaluate", log, "--json", "-", *words)
        assert cost(ended) == pytest.approx(expected, rel=0.02)
        assert (
            f"prices of {'dear.toml' if '--config' in words else '--price'} where" in ended.document["log"]["notes"][-1]
        )
    assert cost(cli("evaluate", log, "--json", "-")) < 0.5 * expected
    assert cli("collapse", log, "-o", "dear.sums", *by_option).code == 0
    assert cost(cli("evaluate", "dear.sums", "--json", "-")) == pytest.approx(expected, rel=0.02)


async def fill(file: Path, a_decision: DecisionRecord) -> None:
    """Keep 300 calls of 1000 tokens of prompt and 100 of answer, that nobody billed."""
    decided, said = [], []
    for place in range(300):
        decision = a_decision._replace(nonce=place.to_bytes(12, "big"), decided_us=(480_000 + place) * HOUR_US)
        decided.append(decision)
        outcome = Outcome(Status.OK, 1_000_000, input_tokens=1000, output_tokens=100)
        facts = DecisionFacts("chat", "large", Kind.SAMPLED, decision.decided_us)
        said += [
            SignalRecord("acme", decision.nonce, signal, fact, decision.decided_us, decision.decided_us, facts, 0.75)
            for signal, fact in (("outcome", outcome), ("thumb", Thumb(place % 3 > 0)))
        ]
    store = await SqliteStore.open(file, bucket_us=HOUR_US)
    prices = {"large": (3.0, 15.0), "small": (0.1, 0.4)}
    entries = [
        Entry(
            EntryKey(EntryKind.MODEL, "", name),
            {"input_usd_per_mtok": paid, "output_usd_per_mtok": earned},
            MANAGED_BY_FILE,
        )
        for name, (paid, earned) in prices.items()
    ]
    await store.edit_registry(0, [Edit(None, entry) for entry in entries], time_us=0, client="file")
    await store.log_decisions(decided)
    await store.write(said)
    await store.close()


def test_the_calls_of_a_store_cost_what_its_own_models_are_listed_at(
    cli: Cli, a_decision: DecisionRecord, tmp_path: Path
) -> None:
    asyncio.run(fill(tmp_path / "store.db", a_decision))
    ended = cli("evaluate", "store.db", "--json", "-")
    assert cost(ended) == pytest.approx(1000 * 3e-6 + 100 * 15e-6)
    assert "costs are tokens at the prices of the store's own models" in ended.document["log"]["notes"][-1]
    dearer = cli("evaluate", "store.db", "--json", "-", "--price", "large=30,150")
    assert cost(dearer) == pytest.approx(0.045)


@pytest.mark.parametrize("log", ["store.db", "store.parquet", "store.jsonl"])
def test_what_routeward_wrote_itself_is_asked_for_the_judgement_too(
    cli: Cli, a_decision: DecisionRecord, tmp_path: Path, log: str
) -> None:
    asyncio.run(fill(tmp_path / "store.db", a_decision))
    if log != "store.db":
        assert cli("export", "store.db", "-o", log).code == 0
    thumbs = cli("evaluate", log, "--quality", "thumb", "--json", "-").document
    assert thumbs["logged"]["components"]["answer"] == pytest.approx(2 / 3)
    refused = cli("evaluate", log, "--quality", "score:foo")
    assert refused.code == 2
    assert "no call has a judgement of score:foo; judgements there are: thumb" in refused.err


@pytest.mark.usefixtures("log")
def test_columns_of_a_store_are_not_to_be_mapped(cli: Cli, a_decision: DecisionRecord, tmp_path: Path) -> None:
    asyncio.run(fill(tmp_path / "store.db", a_decision))
    ended = cli("inspect", "store.db", "--map", "latency=ms:ms")
    assert ended.code == 2
    assert "--map says nothing here: store.db is a store" in ended.err


def test_the_engine_and_its_workers_change_nothing_of_the_sums(cli: Cli, log: str) -> None:
    for name, words in (("alone", ()), ("together", ("--engine", "processes", "--workers", "2"))):
        assert cli("collapse", log, "-o", f"{name}.sums", *words).code == 0
    alone, together = (cli("evaluate", f"{name}.sums", "--json", "-").document for name in ("alone", "together"))
    assert alone["policies"] == together["policies"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--engine", "spark"), "there is no engine 'spark'; choose one of processes, ray"),
        (("--address", "head:6379"), "an address is that of a cluster of Ray; add --engine ray"),
    ],
)
def test_an_engine_that_is_not_there_is_wrong_use(cli: Cli, log: str, words: tuple[str, ...], message: str) -> None:
    ended = cli("collapse", log, "-o", "log.sums", *words, "--json")
    assert ended.code == 2
    assert message in ended.document["error"]["message"]


def test_of_sums_no_engine_is_asked(cli: Cli, log: str) -> None:
    assert cli("collapse", log, "-o", "log.sums").code == 0
    ended = cli("evaluate", "log.sums", "--workers", "2")
    assert ended.code == 2
    assert "--workers says nothing here" in ended.err
