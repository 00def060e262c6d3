"""From a log to a document."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from adapters.traffic.log import CallLog
from bandit.catalogue import Prices
from bandit.snapshot import PolicySettings
from simulations.documents import write_document
from simulations.errors import OptionsError
from simulations.replay.command import PER_PUBLICATION, PUBLICATIONS, Replay, ReplayOptions, replay, slowed
from simulations.replay.document import document_of
from simulations.replay.offer import Learner, WhatIf
from simulations.replay.summary import summary_table
from simulations.replay.traffic import traffic_of

HOWTO = Path(__file__).parents[4] / "docs/howto/replay.md"
SLOW = Learner(refresh_s=43_200.0)
ALONE = ReplayOptions(workers=1)
Invent = Callable[..., CallLog]


def keys_of(value: Any) -> set[str]:
    """Every key of a document but those that are names of models, categories and policies."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    named = all(isinstance(one, dict) for one in value.values()) and not {"value_usd", "prices"} & value.keys()
    return (set() if named else set(value)) | set().union(*map(keys_of, value.values()))


@pytest.fixture(scope="module")
def replayed(invented: Invent) -> Replay:
    return replay(invented(150), SLOW, ALONE)


def test_a_document_tells_everything_and_the_page_explains_every_key(replayed: Replay) -> None:
    document = json.loads(json.dumps(document_of(replayed), allow_nan=False))
    policies = document["policies"]
    assert {"routeward", "logged", "random", "cheapest", "priciest", "best in hindsight"} < policies.keys()
    assert {f"fixed:{model}" for model in document["models"]} < policies.keys()
    assert [name for name, policy in policies.items() if policy["hindsight"]] == ["best in hindsight"]
    assert [name for name, policy in policies.items() if policy["learns"]] == ["routeward"]
    assert document["bands"].keys() == policies.keys()
    assert document["allocation"].keys() == {"routeward", "logged"}
    points = len(document["time"]["ends_us"])
    assert points == 50
    assert document["time"]["requests"][-1] == document["log"]["requests"] == 150
    for name, bands in document["bands"].items():
        for curve in bands.values():
            assert {len(values) for values in curve.values()} == {points}, name
        assert bands["spend_usd"]["mean"][-1] == pytest.approx(150 * policies[name]["cost_usd"]["mean"])
    shares = document["allocation"]["routeward"]["all"]
    assert sum(model["mean"][-1] for model in shares.values()) == pytest.approx(1.0)
    explained = set(re.findall(r"`([a-z0-9_]+)`", HOWTO.read_text(encoding="utf-8")))
    assert keys_of(document) - explained - policies.keys() == set()
    table, page = summary_table(replayed), Console(width=100, record=True, file=StringIO())
    page.print(table)
    text = page.export_text()
    assert table.row_count == len(policies)
    assert "…" not in text
    for column in ("policy", "answer", "errors", "check"):
        assert f" {column} " in text


def test_the_number_of_workers_changes_nothing(invented: Invent) -> None:
    alone, two = (document_of(replay(invented(24), SLOW, replace(ALONE, workers=workers))) for workers in (1, 2))
    assert json.dumps(alone) == json.dumps(two)


def test_a_price_changes_costs_at_once_and_what_is_chosen(invented: Invent, replayed: Replay) -> None:
    free = WhatIf({"north-large": Prices(0.0, 0.0)})
    before, after = replayed, replay(invented(150), SLOW, replace(ALONE, what_if=free))
    dear = "fixed:north-large"
    assert before.policies[dear].figures["cost_usd"].mean > 0.0
    assert after.policies[dear].figures["cost_usd"].mean == 0.0
    assert after.policies[dear].figures["quality"].mean == before.policies[dear].figures["quality"].mean
    place = after.traffic.models.index("north-large")
    assert after.policies["routeward"].shares.mean[place] > before.policies["routeward"].shares.mean[place]


def test_a_model_that_is_left_out_serves_nobody_but_what_was_logged(invented: Invent) -> None:
    result = replay(invented(60), SLOW, replace(ALONE, what_if=WhatIf(without=("north-large",))))
    place = result.traffic.models.index("north-large")
    served = {name for name, policy in result.policies.items() if policy.shares.mean[place] > 0.0}
    assert served == {"logged"}
    assert "fixed:north-large" not in result.policies


def test_a_stopped_replay_says_where(invented: Invent) -> None:
    result = replay(invented(300), SLOW, replace(ALONE, dry="stop"))
    document: Any = document_of(result)
    assert 0 < document["policies"]["routeward"]["played"]["mean"] < 300
    assert document["policies"]["routeward"]["resampled"]["mean"] == 0.0
    assert document["bands"]["routeward"]["value_usd"]["mean"][-1] is None
    assert document["bands"]["logged"]["value_usd"]["mean"][-1] is not None


def test_a_learner_publishes_seldom_enough_unless_it_keeps_its_pace(invented: Invent) -> None:
    time_us = traffic_of(invented(PUBLICATIONS * PER_PUBLICATION)).time_us
    paced, notes = slowed(Learner(refresh_s=5.0), time_us)
    assert paced.refresh_s == pytest.approx(86_400 / PUBLICATIONS, rel=0.01)
    note = "what was learned is published every 863 s, for speed; --refresh-seconds 5 keeps the pace"
    assert notes == (note,)
    assert slowed(Learner(refresh_s=900.0), time_us) == (Learner(refresh_s=900.0), ())
    few, _ = slowed(Learner(refresh_s=5.0), time_us[:50])
    assert few.refresh_s == pytest.approx((time_us[49] - time_us[0]) * 1e-6 / 5)


@pytest.mark.parametrize(
    ("learner", "options", "complaint"),
    [
        (SLOW, ReplayOptions(seeds=19), "--seeds is 19; give 20 to 10,000"),
        (SLOW, ReplayOptions(workers=-1), "--workers is -1"),
        (Learner(refresh_s=-1.0), ALONE, "--refresh-seconds"),
        (Learner(refresh_s=float("nan")), ALONE, "--refresh-seconds"),
        (Learner(answer_value_usd=0.0), ALONE, "--answer-value-usd is 0"),
        (Learner(second_value_usd=-1.0), ALONE, "--second-value-usd is -1"),
        (Learner(policy=PolicySettings(exploration=float("nan"))), ALONE, "--exploration is nan"),
        (SLOW, ReplayOptions(judge_delay_s=-1.0), "--judge-delay-seconds is -1"),
        (SLOW, ReplayOptions(answer_delay_s=1e9), "--answer-delay-seconds is 1,000,000,000"),
        (SLOW, ReplayOptions(WhatIf({"north-large": Prices(-1.0, 1.0)})), "--price of north-large is -1"),
    ],
)
def test_numbers_without_a_meaning_are_refused(
    invented: Invent, learner: Learner, options: ReplayOptions, complaint: str
) -> None:
    with pytest.raises(OptionsError, match=re.escape(complaint)):
        replay(invented(20), learner, options)


def test_a_result_that_cannot_be_written_is_an_error(replayed: Replay, tmp_path: Path) -> None:
    write_document(document_of(replayed), tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["kind"] == "replay"
    with pytest.raises(OptionsError, match="cannot be written"):
        write_document(document_of(replayed), tmp_path)
