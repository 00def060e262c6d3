"""Tables in which several models answered each prompt become logs of an even draw."""

from pathlib import Path

import pytest

from adapters.traffic.calls import Call
from adapters.traffic.errors import LogError
from adapters.traffic.fields import parsed_map
from adapters.traffic.formats import open_log
from bandit.signals import Kind

LONG = """prompt_id,category,model,quality,cost_usd,latency_ms
a,math,large,1,0.01,1500
a,math,small,0,,
b,code,large,0.5,0.02,900
b,code,huge,,,
b,code,small,2,0.02,900
a,math,small,1,0.01,10
"""
WIDE = """sample_id,prompt,eval_name,x/large,small,x/large|model_response,x/large|total_cost,small|total_cost,oracle
mmlu.1,"what, now?",mmlu law,1.0,0.0,A,0.002,0.0001,small
mmlu.2,how?,mmlu law,0.25,,B,0.002,,x/large
mmlu.3,how?,mmlu law,7,0.5,B,0.002,0.0001,x/large
"""


def written(folder: Path, text: str) -> Path:
    (folder / "table.csv").write_text(text)
    return folder / "table.csv"


def test_each_prompt_is_a_session_in_which_the_models_that_answered_were_equally_likely(tmp_path):
    log = open_log(written(tmp_path, LONG))
    calls = list(log.calls())
    even = {"large": 0.5, "small": 0.5}
    assert log.report.format == "full-information"
    assert calls[0] == Call(
        "math",
        "large",
        call_id="a large",
        session="a",
        kind=Kind.SAMPLED,
        propensity=0.5,
        probabilities=even,
        cost_usd=0.01,
        latency_s=1.5,
        quality=1.0,
    )
    assert [(call.session, call.model, call.cost_usd, call.propensity) for call in calls] == [
        ("a", "large", 0.01, 0.5),
        ("a", "small", None, 0.5),
        ("b", "large", 0.02, 1.0),
    ]
    assert {reason: one.lines for reason, one in log.report.rejected.items()} == {
        "nothing is known of the answer": [5],
        "quality is out of range": [6],
        "call_id was there before": [7],
    }


def test_a_table_with_a_column_per_model_is_read_as_a_long_one(tmp_path):
    log = open_log(written(tmp_path, WIDE))
    calls = list(log.calls())
    assert [(call.session, call.category, call.model, call.quality, call.cost_usd) for call in calls] == [
        ("mmlu.1", "mmlu-law", "x/large", 1.0, 0.002),
        ("mmlu.1", "mmlu-law", "small", 0.0, 0.0001),
        ("mmlu.2", "mmlu-law", "x/large", 0.25, 0.002),
        ("mmlu.3", "mmlu-law", "small", 0.5, 0.0001),
    ]
    assert [call.probabilities for call in calls] == [{"small": 0.5, "x/large": 0.5}] * 2 + [
        {"x/large": 1.0},
        {"small": 1},
    ]
    assert log.report.rejected["a score is out of range"].lines == [4]
    assert list(log.calls()) == calls


def test_the_prompt_may_be_mapped(tmp_path):
    path = written(tmp_path, "index,model,score\n1,large,1\n1,small,0\n")
    log = open_log(path, column_map=parsed_map(("prompt_id=index", "quality=score")))
    assert [(call.category, call.propensity) for call in log.calls()] == [("default", 0.5)] * 2
    assert log.report.notes == ["2 calls say no category; they are read as category default"]


def test_a_pickle_is_refused_with_what_to_give(tmp_path):
    (tmp_path / "routerbench.pkl").write_bytes(b"\x80\x04")
    with pytest.raises(LogError, match=r"cannot read '.pkl'; give a .jsonl"):
        open_log(tmp_path / "routerbench.pkl")
