"""The own format by the row: rows that are left out, and namespaces; and in columns, where that is as certain."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.traffic.calls import Call
from adapters.traffic.errors import LogError, MissingExtraError
from adapters.traffic.formats import FileLog, open_log
from adapters.traffic.own.decision import Judgement, LoggedDecision
from adapters.traffic.own.rows import COLUMNS, decision_of, is_own, row_of
from adapters.traffic.own.writing import write_file
from bandit.signals import Kind, Status

JUDGED = LoggedDecision(
    Call(
        category="chat",
        model="large",
        time_us=5,
        call_id="6e",
        session="visit",
        kind=Kind.SAMPLED,
        propensity=0.75,
        probabilities={"large": 0.75, "small": 0.25},
        requested_tokens=3,
        cost_usd=0.1,
        latency_s=1e-6,
        status=Status.OK,
        quality=0.75,
        answered_us=6,
        judged_us=8,
    ),
    "acme",
    request_id="r",
    judgements={"thumb": Judgement(1.0, 7), "score:judge": Judgement(0.5, 8)},
)


def decided(number: int, **changes: Any) -> LoggedDecision:
    call = JUDGED.call._replace(call_id=f"{number:02x}", time_us=10 * number)
    return JUDGED._replace(call=call)._replace(**changes)


def written(path: Path, *rows: Mapping[str, Any] | str) -> FileLog:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return open_log(path)


def test_a_row_comes_back_as_it_was():
    assert decision_of(row_of(JUDGED)) == JUDGED
    unknown = LoggedDecision(Call("chat", "large", 5, "6e", kind=Kind.FORCED), "acme")
    assert decision_of(row_of(unknown)) == unknown
    assert set(row_of(unknown)) == {"namespace", "call_id", "time_us", "category", "model", "kind"}


def test_a_source_is_another_judgement_s_quality_and_time():
    assert JUDGED.as_call("thumb")[-3:] == (1.0, 6, 7)
    assert JUDGED.as_call("score:judge")[-3:] == (0.5, 6, 8)
    assert JUDGED.as_call("score:other")[-3:] == (None, 6, None)
    assert JUDGED.as_call("any") == JUDGED.call


def test_the_format_is_known_by_its_columns():
    assert is_own(COLUMNS)
    assert is_own(row_of(JUDGED))
    assert not is_own({*COLUMNS, "prompt"})
    assert not is_own(COLUMNS.keys() - {"namespace"})


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("model", None, "model is missing"),
        ("model", "a model", "model is no name (1 to 64 characters of A-Z a-z 0-9 . _ : / -)"),
        ("call_id", "", "call_id is missing"),
        ("namespace", 7, "namespace is no text"),
        ("session", 7, "session is no text"),
        ("kind", "GUESSED", "kind is none of SAMPLED, BASELINE, FORCED, FALLBACK, DEGRADED"),
        ("kind", None, "kind is missing"),
        ("status", "ok", "status is none of OK, ERROR, TIMEOUT, RATE_LIMITED, CANCELLED"),
        ("time_us", None, "time_us is missing"),
        ("time_us", 1.5, "time_us is no whole number of 0 or more"),
        ("time_us", (1 << 63) - 1, "time_us is out of range"),
        ("time_us", 1 << 63, "time_us is out of range"),
        ("time_us", 10**400, "time_us is out of range"),
        ("answered_us", 7_258_118_400_000_001, "answered_us is out of range"),
        ("output_tokens", 100_000_001, "output_tokens is out of range"),
        ("cost_usd", 1e6 + 1, "cost_usd is out of range"),
        ("cost_usd", 10**400, "cost_usd is out of range"),
        ("latency_s", 604_801.0, "latency_s is out of range"),
        ("propensity", 0.5, "propensity is another than that of the model among the probabilities"),
        ("model", "medium", "probabilities say that the model could not be drawn"),
        ("probabilities", {"large": 0.75, "small": 0.75}, "probabilities do not add up to 1"),
        ("judgements_us", {"thumb": 1, "score:judge": 1 << 62}, "judgements_us is out of range"),
        ("output_tokens", -1, "output_tokens is no whole number of 0 or more"),
        ("output_tokens", True, "output_tokens is no whole number of 0 or more"),
        ("propensity", 0.0, "propensity is 0, and yet the model was drawn"),
        ("propensity", 1.5, "propensity is out of range"),
        ("latency_s", -1, "latency_s is out of range"),
        ("latency_s", float("nan"), "latency_s is out of range"),
        ("cost_usd", float("inf"), "cost_usd is out of range"),
        ("cost_usd", "1", "cost_usd is not a number"),
        ("probabilities", [1], "probabilities is no object"),
        ("probabilities", {"a b": 1.0}, "probabilities has something that is no name"),
        ("probabilities", {"large": None}, "probabilities is not a number"),
        ("judgements", {"thumb": 1.0}, "judgements_us has other sources than judgements"),
        ("judgements", {"thumb": 2.0, "score:judge": 0.5}, "judgements is out of range"),
        ("judgements_us", {"thumb": 1, "score:judge": "x"}, "score:judge is no whole number of 0 or more"),
    ],
)
def test_a_row_that_is_not_of_the_format_is_left_out_with_its_line(tmp_path, column, cell, reason):
    log = written(tmp_path / "log.jsonl", row_of(decided(1)), row_of(decided(2)) | {column: cell}, row_of(decided(3)))
    assert [call.call_id for call in log.calls()] == ["01", "03"]
    assert {why: (found.count, found.lines) for why, found in log.report.rejected.items()} == {reason: (1, [2])}


def test_a_propensity_that_only_probabilities_say_is_theirs_in_rows_and_in_columns(tmp_path):
    for suffix in (".jsonl", ".parquet"):
        path = tmp_path / f"log{suffix}"
        write_file([decided(1, call=JUDGED.call._replace(propensity=None))], path)
        [batch] = open_log(path).batches()
        assert batch.propensity.tolist() == [0.75]


def test_a_latency_that_rounds_to_nothing_is_one(tmp_path):
    log = written(tmp_path / "log.jsonl", row_of(decided(1)) | {"latency_s": 0})
    assert [call.latency_s for call in log.calls()] == [0.0]


@pytest.mark.parametrize("kind", ["FORCED", "FALLBACK", "DEGRADED"])
def test_what_was_not_drawn_need_not_agree_with_its_probabilities(tmp_path, kind):
    log = written(tmp_path / "log.jsonl", row_of(decided(1)) | {"kind": kind, "propensity": 0, "model": "medium"})
    assert [(call.model, call.propensity) for call in log.calls()] == [("medium", 0.0)]


def test_half_a_character_is_part_of_a_session_and_of_no_namespace(tmp_path):
    rows = (row_of(decided(number)) | {"session": "\ud800"} for number in (1, 2))
    log = written(tmp_path / "log.jsonl", *rows, row_of(decided(3)) | {"namespace": "\ud800"})
    [batch] = log.batches()
    assert len(set(batch.session.tolist())) == 1
    assert list(log.report.rejected) == ["namespace is no name (1 to 64 characters of A-Z a-z 0-9 . _ : / -)"]


def test_a_source_that_is_none_is_told(tmp_path):
    odd = {"judgements": {"mood": 1.0}, "judgements_us": {"mood": 1}}
    log = written(tmp_path / "log.jsonl", row_of(decided(1)) | odd)
    assert list(log.calls()) == []
    assert list(log.report.rejected) == ["judgements has a source that is neither thumb nor score:NAME"]


def test_half_a_line_costs_no_more_than_itself(tmp_path):
    whole = json.dumps(row_of(decided(1)))
    log = written(tmp_path / "log.jsonl", whole, whole[:50])
    assert len(list(log.calls())) == 1
    assert sum(one.count for one in log.report.rejected.values()) == 1


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_of_several_namespaces_one_is_chosen(tmp_path, suffix):
    path = tmp_path / f"log{suffix}"
    write_file([decided(1), decided(2, namespace="umbrella"), decided(3)], path)
    for read in (FileLog.calls, FileLog.batches):
        with pytest.raises(LogError, match=r"several namespaces; choose one: acme, umbrella, \.\.\."):
            list(read(open_log(path)))
        with pytest.raises(LogError, match="no namespace 'initech'; it has"):
            list(read(open_log(path, namespace="initech")))
    assert [call.call_id for call in open_log(path, namespace="acme").calls()] == ["01", "03"]
    [batch] = open_log(path, namespace="umbrella").batches()
    assert batch.time_us.tolist() == [20]


def test_batches_of_columns_go_on_from_file_to_file_and_know_what_rows_know(tmp_path):
    tmp_path = tmp_path / "a [*] day's"
    tmp_path.mkdir()
    for day in range(3):
        write_file([decided(day * 5 + number) for number in range(5)], tmp_path / f"decisions-{day}.parquet")
    told: list[tuple[int, int]] = []
    log = open_log(tmp_path, quality_source="thumb")
    found = list(log.batches(4, lambda done, total: told.append((done, total))))
    assert [batch.time_us.tolist() for batch in found] == [
        [10 * number for number in range(start, min(start + 4, 15))] for start in (0, 4, 8, 12)
    ]
    assert told == [(4, 15), (8, 15), (12, 15), (15, 15)]
    by_row = open_log(tmp_path, quality_source="thumb")
    assert len(list(by_row.calls())) == 15
    for name in ("used", "knows", "sources", "rejected"):
        assert getattr(log.report, name) == getattr(by_row.report, name)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"propensity": 1.5}, "propensity is out of range"),
        ({"call_id": "01", "time_us": 10}, "call_id was there before"),
        ({"model": "a b"}, "model is no name"),
        ({"probabilities": {"large": 2.0}}, "probabilities is out of range"),
        ({"judgements_us": {"thumb": 7}}, "judgements_us has other sources than judgements"),
        ({"judgements_us": {"thumb": 7, "score:judge": 1 << 62}}, "judgements_us is out of range"),
        ({"time_us": 1 << 62}, "time_us is out of range"),
        ({"judged_us": 1 << 62}, "judged_us is out of range"),
        ({"cost_usd": 2e6}, "cost_usd is out of range"),
        ({"latency_s": 1e6}, "latency_s is out of range"),
        ({"input_tokens": 1 << 40}, "input_tokens is out of range"),
        ({"propensity": 0.5}, "propensity is another than that of the model"),
        ({"model": "medium"}, "probabilities say that the model could not be drawn"),
        ({"probabilities": {"large": 0.75, "small": 0.75}}, "probabilities do not add up to 1"),
    ],
)
def test_columns_in_which_a_row_is_wrong_are_read_by_the_row(tmp_path, change, reason):
    import duckdb

    lines, path = tmp_path / "log.jsonl", tmp_path / "log.parquet"
    written(lines, row_of(decided(1)), row_of(decided(2)) | change)
    with duckdb.connect() as connection:
        connection.read_json(str(lines), format="newline_delimited", columns=dict(COLUMNS)).write_parquet(str(path))
    log = open_log(path)
    [batch] = log.batches()
    assert batch.time_us.tolist() == [10]
    assert [why for why in log.report.rejected if why.startswith(reason)]


def test_parquet_without_duckdb_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("adapters.traffic.own.parquet.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"writing log.parquet needs DuckDB: pip install 'routeward\[replay\]'"):
        write_file([JUDGED], tmp_path / "log.parquet")
    assert list(tmp_path.iterdir()) == []
    assert write_file([JUDGED], tmp_path / "log.jsonl") == 1


def test_a_log_that_is_written_in_pieces_is_one_file_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr("adapters.traffic.own.writing.PIECE", 3)
    folder = tmp_path / "pieces [1]"
    folder.mkdir()
    assert write_file([decided(number) for number in range(10)], folder / "log.parquet") == 10
    assert list(folder.iterdir()) == [folder / "log.parquet"]
    assert [call.call_id for call in open_log(folder / "log.parquet").calls()] == [f"{n:02x}" for n in range(10)]
