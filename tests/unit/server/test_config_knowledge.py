"""Keys with which an operator says what is known: what they become, and what is refused."""

import json
import math
from pathlib import Path

import pytest

from bandit.priors import InferenceSettings, ModelPrior, PastCell
from server.config import ConfigError, load

MODEL = '[[models]]\nid = "large"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n'
CELL = {"category": "chat", "model": "large", "signal": "latency", "value": 2.0, "observations": 30}


def read(folder: Path, text: str) -> InferenceSettings:
    (folder / "routeward.toml").write_text(text, encoding="utf-8")
    return load(folder / "routeward.toml", {}).learning.inference


def write_cells(folder: Path, *cells: object) -> None:
    (folder / "past.json").write_text(json.dumps({"format": "routeward warm start 1", "cells": cells}))


def problems(folder: Path, text: str) -> list[tuple[int | None, str]]:
    with pytest.raises(ConfigError) as refused:
        read(folder, text)
    return [(problem.line, problem.message) for problem in refused.value.problems]


def test_everything_that_is_known_arrives(tmp_path):
    write_cells(tmp_path, CELL)
    inference = read(
        tmp_path,
        '[learning]\nwarm_start = "past.json"\nknowledge_cap = 15\n'
        "prior_from_weight = 2\nknowledge_half_life = 60\njudge_delta = 0.1\n"
        "[categories.chat]\n[categories.support]\nprior_from = 'chat'\nquality_source = 'thumb+score:judge'\n"
        + MODEL
        + "prior_quality = 0.8\nprior_weight = 12\nprior_error_rate = 0.05\n"
        + "list_latency_seconds = 1.5\nlist_output_tokens = 300\n",
    )
    assert inference.models == {"large": ModelPrior(0.8, 12.0, 1.5, 300, 0.05)}
    assert inference.prior_from == {"support": "chat"}
    assert inference.warm_start == (PastCell("chat", "large", "latency", math.log(2.0), 30.0),)
    assert (inference.knowledge_cap, inference.prior_from_weight, inference.judge_delta) == (15.0, 2.0, 0.1)
    assert inference.knowledge_half_life == 60.0
    assert inference.quality_sources == {"chat": "thumb", "support": "thumb+score:judge"}


def test_of_a_model_without_such_keys_nothing_is_known(tmp_path):
    assert read(tmp_path, MODEL) == InferenceSettings()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("prior_quality = 1.2", "prior_quality"),
        ("prior_quality = 0", "prior_quality"),
        ("prior_quality = 0.5\nprior_weight = 21", "prior_weight"),
        ("prior_quality = 0.5\nprior_weight = -1", "prior_weight"),
        ("prior_error_rate = 1.0", "prior_error_rate"),
        ("list_latency_seconds = 0", "list_latency_seconds"),
        ("list_latency_seconds = nan", "list_latency_seconds"),
        ("list_output_tokens = 0", "list_output_tokens"),
        ("prior_weight = 5", "prior_weight is given without prior_quality"),
    ],
)
def test_a_prior_out_of_range_is_refused_with_its_line(tmp_path, line, name):
    [(at, message)] = problems(tmp_path, MODEL + line + "\n")
    assert at == 5 + line.count("\n")
    assert name in message


def test_a_category_cannot_start_from_one_that_is_not_there(tmp_path):
    text = MODEL + "[categories.chat]\n[categories.support]\nprior_from = 'chatt'\n"
    assert problems(tmp_path, text) == [(7, 'there is no category "chatt" in this file')]


def test_a_category_cannot_start_from_itself(tmp_path):
    text = MODEL + "[categories.a]\nprior_from = 'b'\n[categories.b]\nprior_from = 'a'\n"
    [(line, message)] = problems(tmp_path, text)
    assert line == 6
    assert "a <- b <- a" in message


def test_a_circle_is_reported_at_a_category_that_runs_into_it(tmp_path):
    tables = {"a": "sound", "sound": "", "x": "y", "y": "x"}
    text = MODEL + "".join(f"[categories.{name}]\nprior_from = '{source}'\n" for name, source in tables.items())
    [(line, message)] = problems(tmp_path, text)
    assert line == 10
    assert "x <- y <- x" in message


def test_a_chain_that_is_too_long_is_refused_once_where_it_may_be_cut(tmp_path):
    tables = "".join(f"[categories.c{i + 1}]\nprior_from = 'c{i}'\n" for i in range(7))
    (tmp_path / "routeward.toml").write_text(MODEL + "[categories.c0]\n" + tables)
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "routeward.toml", {})
    [problem] = refused.value.problems
    assert (problem.line, problem.message) == (15, "the prior of c5 is handed on 5 times; at most 4 are allowed")
    assert problem.hint == 'let it start from what "c4" starts from, or from nothing'
    short = "".join(tables.splitlines(keepends=True)[:8])
    assert len(read(tmp_path, MODEL + "[categories.c0]\n" + short).prior_from) == 4


def test_a_warm_start_that_cannot_be_used_is_refused_with_cell_and_field(tmp_path):
    text = '[learning]\nwarm_start = "past.json"\n' + MODEL
    [(line, message)] = problems(tmp_path, text)
    assert line == 2
    assert "cannot be read" in message
    write_cells(tmp_path, CELL, CELL | {"value": -1})
    [(line, message)] = problems(tmp_path, text)
    assert "cell 2: value is -1" in message


def test_a_warm_start_of_models_that_this_service_does_not_have_is_refused(tmp_path):
    text = '[learning]\nwarm_start = "past.json"\n' + MODEL
    write_cells(tmp_path, CELL | {"model": "larg"}, CELL | {"model": "other"})
    (tmp_path / "routeward.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "routeward.toml", {})
    [problem] = refused.value.problems
    assert problem.line == 2
    assert problem.message == "it tells of 2 models, and none of them has an id of this file"
    assert problem.hint == '"larg": did you mean "large"?'
    write_cells(tmp_path, CELL, CELL | {"model": "other"})
    assert len(read(tmp_path, text).warm_start) == 2


def test_a_prior_that_is_said_to_be_worth_more_than_any_may_be_is_refused(tmp_path):
    text = "[learning]\nknowledge_cap = 4\n" + MODEL + "prior_quality = 0.5\n"
    [(line, message)] = problems(tmp_path, text + "prior_weight = 6\n")
    assert line == 8
    assert message == "prior_weight is 6, but no prior is worth more than knowledge_cap, which is 4"
    assert read(tmp_path, text).models["large"].quality_weight == 5.0


def test_wrong_types_are_reported_once(tmp_path):
    text = "[learning]\nwarm_start = 1\n[categories.a]\nprior_from = 2\n" + MODEL
    assert [line for line, _ in problems(tmp_path, text)] == [2, 4]


def test_knowledge_changes_the_digest(tmp_path):
    digests = set()
    for more in ("", "prior_quality = 0.8\n", "prior_quality = 0.7\n", "list_latency_seconds = 2\n"):
        (tmp_path / "routeward.toml").write_text(MODEL + more)
        digests.add(load(tmp_path / "routeward.toml", {}).digest)
    assert len(digests) == 4
