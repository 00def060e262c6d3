"""Logs are opened whatever their format, and what they can say is told."""

import gzip
import json
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

from adapters.traffic.calls import Call
from adapters.traffic.errors import LogError
from adapters.traffic.fields import Column, parsed_map
from adapters.traffic.files import json_rows, table, text
from adapters.traffic.formats import open_log

ROW = {"category": "chat", "model": "large", "latency_s": 1.5, "call_id": "1"}


def jsonl(path: Path, *known: Mapping[str, object]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in known), encoding="utf-8")
    return path


def test_the_content_says_what_a_file_is_and_not_its_suffix_alone(tmp_path):
    text = json.dumps(ROW)
    (tmp_path / "lines.json").write_text(f"{text}\n{text.replace('1', '2')}\n")
    (tmp_path / "array.json").write_text(f"\ufeff [{text},\n {text.replace('1', '2')} ]\n", encoding="utf-8")
    (tmp_path / "array.log").write_text(json.dumps([ROW, ROW | {"call_id": "2"}], indent=2))
    (tmp_path / "answer.json").write_text(json.dumps({"data": [ROW, ROW | {"call_id": "2"}]}, indent=2))
    (tmp_path / "semicolons.csv").write_text("category;model;latency_s\nchat;large;1.5\nchat;large;1.5\n")
    (tmp_path / "tabs.tsv").write_text("category\tmodel\tlatency_s\nchat\tlarge\t1.5\nchat\tlarge\t1.5\n")
    for name in ("lines.json", "array.json", "array.log", "answer.json", "semicolons.csv", "tabs.tsv"):
        assert [call.model for call in open_log(tmp_path / name).calls()] == ["large"] * 2, name


@pytest.mark.parametrize("bytes_at_a_time", [1, 7, 1000])
def test_an_array_is_read_in_pieces(tmp_path, monkeypatch, bytes_at_a_time):
    monkeypatch.setattr(text, "PIECE_BYTES", bytes_at_a_time)
    known = [ROW | {"call_id": f"ä{number}"} for number in range(20)]
    (tmp_path / "log.json").write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
    assert [call.call_id for call in open_log(tmp_path / "log.json").calls()] == [row["call_id"] for row in known]


@pytest.mark.parametrize("text", ['[{"model": "m", "cost": 1}, {"mod', '[{"model": "m", "cost": 1} x', "[1, 2"])
def test_an_array_that_is_cut_is_refused_with_the_element(tmp_path, text):
    (tmp_path / "log.json").write_text(text)
    with pytest.raises(LogError, match=r"element \d of the array is no JSON, cut or too long"):
        list(open_log(tmp_path / "log.json", fmt="generic").calls())


def test_a_table_with_a_column_twice_is_refused(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("model,quality, quality\na,1,0\n", encoding="utf-8")
    with pytest.raises(LogError, match=r"log.csv has several columns called 'quality'; leave one, or rename them"):
        open_log(path)


def test_a_table_may_have_columns_without_a_name(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(",model,quality,\n0,a,1,\n1,b,0,\n", encoding="utf-8")
    assert [call.model for call in open_log(path).calls()] == ["a", "b"]


def test_half_a_character_in_a_session_is_a_session_like_others(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"model": "a", "quality": 1, "session": "\\ud800"}\n' * 2 + '{"model": "a", "quality": 1}\n')
    [batch] = open_log(path).batches()
    first, second, unknown = batch.session.tolist()
    assert first == second >= 0 > unknown


def test_compressed_text_is_read(tmp_path):
    with gzip.open(tmp_path / "log.jsonl.gz", "wt") as file:
        file.write(json.dumps(ROW))
    told = []
    assert len(list(open_log(tmp_path / "log.jsonl.gz").calls(lambda *done: told.append(done)))) == 1
    assert told[-1] == (1000, 1000)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".json"])
def test_text_that_is_a_thousand_times_longer_than_its_file_is_never_in_memory(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(table, "MAX_LINE_BYTES", 100_000)
    monkeypatch.setattr(json_rows, "MAX_JSON_BYTES", 100_000)
    path, row = (
        tmp_path / f"log{suffix}.gz",
        {".csv": b"model,quality\na,1\n"}.get(suffix, b'{"model": "a", "quality": 1}\n'),
    )
    with gzip.open(path, "wb") as file:
        file.write(row)
        for _ in range(20):
            file.write(b"x" * 1_000_000)
        file.write(b"\n" + row.splitlines()[-1])
    tracemalloc.start()
    log = open_log(path)
    assert [call.model for call in log.calls()] == ["a", "a"]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [one.count for one in log.report.rejected.values()] == [1]
    assert most < 8_000_000


def test_compressed_text_that_is_cut_is_refused(tmp_path):
    whole = gzip.compress("".join(f'{{"model": "m{number}", "cost": 1}}\n' for number in range(9999)).encode())
    (tmp_path / "log.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LogError, match="cannot be read"):
        list(open_log(tmp_path / "log.jsonl.gz").calls())


def test_a_folder_is_read_in_the_order_of_names_and_lines_are_told_with_their_file(tmp_path):
    jsonl(tmp_path / "b.jsonl", ROW | {"call_id": "3"}, ROW | {"latency_s": -1})
    (tmp_path / "a").mkdir()
    jsonl(tmp_path / "a" / "a.jsonl", ROW, ROW | {"call_id": "2"})
    (tmp_path / "README.md").write_text("not a log")
    jsonl(tmp_path / ".hidden.jsonl", ROW)
    (tmp_path / "empty.csv").write_text("")
    log, told = open_log(tmp_path), list[float]()
    assert [call.call_id for call in log.calls(lambda done, total: told.append(done / total))] == ["1", "2", "3"]
    assert log.report.rejected["latency_s is out of range"].places() == "b.jsonl:2"
    assert told == sorted(told)


def test_a_folder_of_several_formats_is_refused(tmp_path):
    jsonl(tmp_path / "a.jsonl", ROW)
    jsonl(tmp_path / "b.jsonl", {"resourceSpans": []})
    with pytest.raises(LogError, match=r"several formats, generic \(a.jsonl\), otel \(b.jsonl\)"):
        open_log(tmp_path)


@pytest.mark.parametrize(
    ("head", "complaint"),
    [
        ("a,b", "no column that says the model of a call. It has the columns a, b"),
        ("model,b", "no column that says what was measured of a call"),
        ("date,model,requests,usage,prompt_tokens", "sums by day and model, as OpenRouter's activity"),
        ("", "holds no row that can be read"),
    ],
)
def test_where_no_format_fits_the_columns_are_told(tmp_path, head, complaint):
    (tmp_path / "log.csv").write_text(f"{head}\n{','.join('1' * len(head.split(',')))}\n" if head else "")
    with pytest.raises(LogError, match=complaint):
        open_log(tmp_path / "log.csv")


def test_a_folder_without_a_log_and_what_is_not_there_are_refused(tmp_path):
    with pytest.raises(LogError, match="is a folder without"):
        open_log(tmp_path)
    with pytest.raises(LogError, match="does not exist"):
        open_log(tmp_path / "gone.csv")


def test_columns_are_mapped_with_their_units(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("llm,kind of task,when,ms,cents,stars\nlarge,chat,1767225600250,250,3,80\n")
    words = ("model=llm", "category=kind of task", "time=when:ms", "latency=ms:ms", "cost=cents:usd_cents")
    [call] = open_log(path, column_map=parsed_map((*words, "quality=stars:percent"))).calls()
    assert (call.model, call.category, call.time_us) == ("large", "chat", 1_767_225_600_250_000)
    assert (call.latency_s, call.cost_usd, call.quality) == (0.25, 0.03, 0.8)


def test_a_map_reaches_into_objects(tmp_path):
    path = jsonl(tmp_path / "log.jsonl", {"call": {"model": "m", "usage": '{"out": 7}'}})
    [call] = open_log(path, column_map=parsed_map(("model=call.model", "output_tokens=call.usage.out"))).calls()
    assert (call.model, call.output_tokens) == ("m", 7)


@pytest.mark.parametrize(
    ("word", "column"),
    [
        ("latency_ms=elapsed", Column("elapsed", "ms")),
        ("score:tone=stars", Column("stars")),
        ("time=when", Column("when")),
        ("quality=score:tone:", Column("score:tone")),
    ],
)
def test_a_unit_may_be_in_the_name_of_the_field(word, column):
    assert list(parsed_map((word,)).values()) == [column]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("latency",), "give FIELD=COLUMN"),
        (("speed=x",), "no field of a call; known: category, model"),
        (("latency=x",), "say the unit of latency, as latency=x:s"),
        (("cost=x:eur",), "eur is no unit of cost; known: usd, usd_cents"),
        (("model=x:ms",), "model has no unit"),
        (("time=x:days",), "days is no unit of time; known: iso, s, ms"),
        (("cost=x:usd", "cost_usd=y"), "cost is mapped twice"),
    ],
)
def test_a_map_that_cannot_be_followed_is_refused(words, complaint):
    with pytest.raises(LogError, match=complaint):
        parsed_map(words)


def test_a_mapped_column_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(LogError, match="has no column speed; it has the columns call_id, category"):
        open_log(jsonl(tmp_path / "log.jsonl", ROW), column_map=parsed_map(("latency=speed:s",)))


def test_formats_and_sources_of_quality_that_are_none_are_refused(tmp_path):
    path = jsonl(tmp_path / "log.jsonl", ROW)
    with pytest.raises(LogError, match="format csv is not known; known: "):
        open_log(path, fmt="csv")
    with pytest.raises(LogError, match="quality source likes is none of any, thumb, score:NAME"):
        open_log(path, quality_source="likes")


def test_a_report_says_what_a_log_knows(tmp_path):
    rows_of_it: list[Mapping[str, object]] = [
        ROW,
        ROW | {"call_id": "2", "quality": 0.5},
        ROW | {"call_id": "2"},
        {"model": "m"},
    ]
    log = open_log(jsonl(tmp_path / "log.jsonl", *rows_of_it), quality_source="thumb")
    for _ in range(2):  # each reading begins anew
        assert len(list(log.calls())) == 2
        assert log.report.used == 2
        assert log.report.knows == {"category": 2, "model": 2, "latency_s": 2, "call_id": 2}
        assert log.report.sources == {"score:quality": 1}
        assert {reason: one.lines for reason, one in log.report.rejected.items()} == {
            "call_id was there before": [3],
            "category is missing": [4],
        }
        assert log.report.notes == ["no call has a judgement of thumb; judgements there are: score:quality"]


@pytest.mark.parametrize(
    ("latencies", "note"),
    [
        ([1.0, 1.3, 2.0] * 20, None),
        (
            [1.0, 1.3, 2.0] * 20 + [1000.0, 1400.0, 1900.0] * 5,
            "two heaps about a factor of 1,000 apart (60 and 15 calls)",
        ),
        ([0.01, 0.1, 1.0, 10.0, 100.0] * 20, None),
        ([900.0, 1300.0, 2000.0] * 20, "over 600 seconds for most calls"),
        ([1.0] * 60 + [100.0] * 10, None),
    ],
)
def test_units_that_seem_to_be_mixed_are_told_and_never_mended(tmp_path, latencies, note):
    calls = [{"model": "m", "category": "c", "latency_s": latency} for latency in latencies]
    log = open_log(jsonl(tmp_path / "log.jsonl", *calls))
    assert [call.latency_s for call in log.calls()] == latencies
    assert [(note or "no note") in told for told in log.report.notes] == ([] if note is None else [True])


def test_times_before_2000_are_told(tmp_path):
    log = open_log(jsonl(tmp_path / "log.jsonl", {"model": "m", "category": "c", "time_ms": 1_767_225_600}))
    assert [call.time_us for call in log.calls()] == [1_767_225_600_000]
    assert log.report.notes == ["there are times before the year 2000: is their unit right?"]


def test_the_types_of_parquet_are_read_as_they_are_meant(tmp_path):
    path = tmp_path / "log [1]*.parquet"
    with duckdb.connect() as connection:
        connection.sql(
            """SELECT 'm' AS model, 'c' AS category, TIMESTAMPTZ '2026-03-01 11:00:00.25+01' AS "time",
            TIMESTAMP_NS '2026-03-01 10:00:00.25' AS answered_time, MAP {'m': 0.75::DOUBLE, 'n': 0.25::DOUBLE} AS
            probabilities, ['m', 'n'] AS eligible, 1.5::DECIMAL(9, 3) AS latency_s, 0.5::FLOAT AS quality,
            '00000000-0000-0000-0000-000000000001'::UUID AS call_id, 7::UTINYINT AS output_tokens,
            'NaN'::FLOAT AS cost_usd, 1 AS "a ""quoted"" name", 2 AS other"""
        ).write_parquet(str(path))
    [call] = open_log(path).calls()
    assert call == Call(
        "c",
        "m",
        time_us=1_772_359_200_250_000,
        call_id="00000000-0000-0000-0000-000000000001",
        propensity=0.75,
        probabilities={"m": 0.75, "n": 0.25},
        eligible=("m", "n"),
        output_tokens=7,
        latency_s=1.5,
        quality=0.5,
        answered_us=1_772_359_200_250_000,
    )
