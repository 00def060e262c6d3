"""Judged logs of every format have a value when they are replayed, though none tells how long requests were."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from adapters.traffic.fields import parsed_map
from adapters.traffic.formats import FileLog, open_log
from simulations.replay.course import Stage
from simulations.replay.figures import LEARNER, figures_of
from simulations.replay.offer import Learner

ROWS: Final = 40
Rows = list[dict[str, Any]]


def lines(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def moment(row: int, seconds: int = 0) -> str:
    return f"2026-03-01 10:{row:02d}:{seconds:02d}"


def litellm(folder: Path) -> FileLog:
    spend = {"call_type": "acompletion", "spend": 0.0021, "prompt_tokens": 100, "completion_tokens": 30}
    named = [
        {
            "request_id": f"r{n}",
            "model": "ab"[n % 2],
            "startTime": moment(n),
            "endTime": moment(n, 2),
            "good": n % 3 / 2,
        }
        for n in range(ROWS)
    ]
    rows = [{**spend, **one, "total_tokens": 130, "status": "success"} for one in named]
    return open_log(lines(folder / "spend.jsonl", rows), column_map=parsed_map(("quality=good",)))


def langfuse(folder: Path) -> FileLog:
    usage = {"usage_details": {"input": 100, "output": 30}, "total_cost": 0.002, "type": "GENERATION", "latency": 2000}
    observations = [
        {"id": f"o{n}", "trace_id": f"t{n}", "start_time": moment(n), "provided_model_name": "ab"[n % 2], **usage}
        for n in range(ROWS)
    ]
    scores = [
        {"id": f"x{n}", "timestamp": moment(n, 9), "trace_id": f"t{n}", "observation_id": f"o{n}", "value": n % 3 / 2}
        for n in range(ROWS)
    ]
    lines(folder / "observations_v2" / "a.jsonl", observations)
    lines(folder / "scores" / "a.jsonl", [{**one, "name": "helpful", "data_type": "NUMERIC"} for one in scores])
    return open_log(folder)


def otel(folder: Path) -> FileLog:
    def attributes(**values: str | float) -> Rows:
        kinds = {str: "stringValue", int: "intValue", float: "doubleValue"}
        return [{"key": name.replace("__", "."), "value": {kinds[type(one)]: one}} for name, one in values.items()]

    def span(n: int) -> dict[str, Any]:
        start = 1_772_359_200_000_000_000 + n * 10**9
        told = attributes(gen_ai__evaluation__name="tone", gen_ai__evaluation__score__value=n % 3 / 2)
        known = attributes(
            gen_ai__operation__name="chat",
            gen_ai__request__model="ab"[n % 2],
            gen_ai__usage__input_tokens=100,
            gen_ai__usage__output_tokens=30,
        )
        return {
            "traceId": f"t{n}",
            "spanId": f"s{n}",
            "name": "chat",
            "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + 10**9),
            "attributes": [*known, *attributes(gen_ai__usage__cost=0.002)],
            "events": [{"name": "gen_ai.evaluation.result", "timeUnixNano": str(start + 10**10), "attributes": told}],
        }

    spans = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": [*map(span, range(ROWS))]}]}]}
    return open_log(lines(folder / "spans.jsonl", [spans]))


def router_bench(folder: Path) -> FileLog:
    head = "sample_id,prompt,eval_name,a,b,a|model_response,a|total_cost,b|total_cost,oracle"
    rows = (f"mmlu.{n},why,mmlu law,{n % 3 / 2},{n % 2},A,0.002,0.001,a" for n in range(ROWS))
    (folder / "table.csv").write_text("\n".join([head, *rows]), encoding="utf-8")
    return open_log(folder / "table.csv")


def mapped(folder: Path) -> FileLog:
    rows = (f"{1_772_359_200 + n},mail,{'ab'[n % 2]},{n % 3 / 2},0.002" for n in range(ROWS))
    (folder / "calls.csv").write_text("\n".join(["when,task,llm,mark,usd", *rows]), encoding="utf-8")
    names = ("category=task", "model=llm", "quality=mark", "cost_usd=usd", "time=when:s")
    return open_log(folder / "calls.csv", column_map=parsed_map(names))


@pytest.mark.parametrize("log_in", [litellm, langfuse, otel, router_bench, mapped])
def test_a_judged_log_has_a_value(
    stage: Callable[..., Stage], log_in: Callable[[Path], FileLog], tmp_path: Path
) -> None:
    ready = stage(log_in(tmp_path), Learner(refresh_s=1e6, second_value_usd=0.0))
    assert len(ready.traffic) >= ROWS
    assert np.isnan(ready.traffic.requested_tokens).all()
    figures = figures_of(ready, 0, bootstrap=False, stops_when_dry=False)[LEARNER].figures
    assert 0.0 < figures["answer"] < 1.0
    assert figures["cost_usd"] > 0.0
    assert figures["valued"] == 1.0
