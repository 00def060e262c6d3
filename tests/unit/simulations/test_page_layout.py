"""The page stands alone, says what it must and nothing that it must not."""

import json
import re
import sys
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from simulations.page.compact import rounded
from simulations.page.documents import result_of
from simulations.page.errors import DocumentError, MissingPlotlyError, NotWrittenError
from simulations.page.example import example
from simulations.page.example_replay import example_replay
from simulations.page.html import as_html, tag
from simulations.page.layout import page
from simulations.page.write import write_report

PLOTLY = "/* what draws the charts */"


class Seen(HTMLParser):
    """What a browser would find: elements with their attributes, texts outside of scripts, and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.within = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 -- the parser names it
        self.within = ""

    def handle_data(self, data: str) -> None:
        if self.within == "script":
            self.scripts[-1] += data
        elif self.within != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def attributes(self, name: str) -> list[str]:
        return [value for _, found in self.elements for key, value in found.items() if key == name and value]


def seen(*documents: dict[str, Any], per_month: float | None = None) -> Seen:
    return Seen(page([result_of(document) for document in documents], PLOTLY, per_month))


def refused() -> dict[str, Any]:
    """A result whose log the gate refused."""
    document = example(2)
    says = "the logged propensities are not those that models were drawn with"
    document["checks"] = [
        {"name": "calibration", "policy": "", "status": "red", "value": 9, "limit": 4.5, "says": says}
    ]
    document["verdict"] = "red"
    for policy in document["policies"].values():
        policy.update(status="red", reasons=[says])
    return document


def test_the_page_names_no_address_but_its_own_data() -> None:
    found = seen(example(2), example(3))
    addresses = [value for name in ("src", "href", "action", "srcset") for value in found.attributes(name)]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)


def test_the_content_policy_allows_exactly_the_scripts_of_the_page() -> None:
    found = seen(example(2))
    [policy] = [content for content in found.attributes("content") if "default-src" in content]
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    kinds = [attributes.get("type") for name, attributes in found.elements if name == "script"]
    run = [text for text, kind in zip(found.scripts, kinds, strict=True) if kind is None]
    assert {b64encode(sha256(text.encode()).digest()).decode() for text in run} == allowed
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy


def test_a_model_with_the_name_of_a_script_is_text() -> None:
    name = "</script><script>alert(1)</script>"
    plain, evil = seen(example(2)), seen(json.loads(json.dumps(example(2)).replace("north-large", name)))
    assert [element for element, _ in evil.elements] == [element for element, _ in plain.elements]
    assert name in evil.texts
    assert all(alert not in text for text in evil.scripts for alert in ("<script>alert", "</script"))


def test_the_headline_tells_the_lift_with_its_interval_and_dollars_a_month() -> None:
    document = example(2)
    lift = document["policies"]["routeward"]["lift"]
    document["policies"] = {"routeward": document["policies"]["routeward"]}
    lift.update(value=0.002, low=0.001, high=0.003, low_simultaneous=0.0005, high_simultaneous=0.0035)
    text = seen(document, per_month=1e6).text
    assert "routeward would have been better than what ran: +$2.00 per 1,000 requests" in text
    assert "95% interval: +$0.500 to +$3.50" in text
    assert "+$2,000 a month at your volume ( +$500 to +$3,500 )" in text
    assert "beside all" not in text


def test_beside_others_the_headline_is_judged_by_the_interval_that_holds_all_of_them_at_once() -> None:
    document = example(2)
    lift = document["policies"]["routeward"]["lift"]
    lift.update(value=0.1, low=0.09, high=0.11, low_simultaneous=0.08, high_simultaneous=0.12)
    text = seen(document, per_month=1e6).text
    assert "+$100 per 1,000 requests, 95% interval beside all 3: +$80.00 to +$120" in text
    assert "+$100,000 a month at your volume ( +$80,000 to +$120,000 )" in text
    assert "more than what ran beside all 3 a month" in text
    assert "+$80.00 to +$120 +$100,000" in text


def test_a_lift_whose_interval_with_the_others_is_unknown_is_not_called_better() -> None:
    document = example(2)
    document["policies"] = {"routeward": document["policies"]["routeward"]}
    document["policies"]["routeward"]["lift"].update(low=0.001, low_simultaneous=None, high_simultaneous=None)
    assert "Nothing evaluated is shown to be better than what ran" in seen(document).text


def test_a_loss_is_no_best_guess() -> None:
    document = example(2)
    document["policies"] = {"routeward": document["policies"]["routeward"]}
    lift = document["policies"]["routeward"]["lift"]
    lift.update(value=-0.001, low_simultaneous=-0.003, high_simultaneous=0.001)
    text = seen(document).text
    assert "Nothing evaluated beats what ran. The nearest is routeward: \N{MINUS SIGN}$1.00" in text
    assert "best guess" not in text
    replayed = example_replay()
    replayed["policies"]["routeward"]["lift_usd"] = {"mean": -0.001, "se": 0.001, "low": -0.002, "high": 0.001}
    assert "routeward does not beat what ran. By the estimate:" in seen(replayed).text


def test_a_policy_of_unknown_value_stands_below_those_of_a_known_one_even_where_all_lose() -> None:
    document = example(2)
    for policy in document["policies"].values():
        policy["headline"].update(value=-0.5, low=-0.6, high=-0.4)
    document["policies"]["routeward"].update(status="amber", headline=None, lift=None)
    rows = [name for name in seen(document).texts if name in document["policies"]]
    assert rows[len(document["policies"]) - 1] == "routeward"
    assert "The nearest is routeward" not in seen(document).text
    assert "The best guess is routeward" not in seen(document).text


def test_what_ran_is_what_others_are_compared_with_and_hindsight_says_what_it_is() -> None:
    found = seen(example_replay("amber"))
    [ran] = [place for place, text in enumerate(found.texts) if text == "what ran"]
    assert found.texts[ran + 3 : ran + 5] == ["–", "–"]
    assert found.text.count("nobody could have known it") == 1


def test_the_log_s_pace_is_not_called_your_volume() -> None:
    text = seen(example(2)).text
    assert "a month at the log's pace" in text
    assert "your volume" not in text


def test_intervals_have_the_level_of_their_document_everywhere() -> None:
    text = seen(example(2) | {"confidence": 0.8}).text
    assert "80% interval" in text
    assert not re.search(r"95\s?% interval|intervals of 95", text)
    assert "all intervals are 80% ones" in text
    assert "90% interval" in seen(example_replay()).text


def test_one_check_is_not_several() -> None:
    document = example(2)
    document["checks"] = [{"name": "a", "policy": "", "status": s, "says": "x"} for s in ("amber", "green", "green")]
    text = seen(document).text
    assert "1 check that is not green" in text
    assert "2 checks that are green" in text


def test_a_refused_log_has_no_point_that_is_worth_most() -> None:
    assert "is worth most at the values below" in seen(example(2)).text
    assert "is worth most at the values below" not in seen(refused()).text


def test_a_replay_without_histograms_tells_the_latency_that_it_has() -> None:
    text = seen(example_replay()).text
    assert "p50, the dot" in text
    assert "Not known" not in text


def test_without_cells_there_is_no_table_of_the_best_models() -> None:
    text = seen(example_replay()).text
    assert "best model" not in text
    assert "routeward replay LOG" in text


def test_the_page_of_a_replay_carries_each_series_once() -> None:
    document = example_replay(moments=400)
    data = next(json.loads(script) for script in seen(document).scripts if '"series"' in script)
    assert all(len(series) <= 101 for series in data["series"])
    assert len(data["series"]) == len({json.dumps(series) for series in data["series"]})
    drawn = [trace for chart in data["charts"].values() for trace in chart["data"]]
    assert len({trace["x"]["$"] for trace in drawn if isinstance(trace["x"], dict)}) == 1


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (-0.001, 0.003, "Nothing evaluated is shown to be better"),
        (-0.003, -0.001, "Nothing evaluated would have been better"),
    ],
)
def test_nothing_is_called_better_unless_all_intervals_together_say_so(low: float, high: float, says: str) -> None:
    document = example(2)
    document["policies"] = {"routeward": document["policies"]["routeward"]}
    document["policies"]["routeward"]["lift"].update(low=0.001, low_simultaneous=low, high_simultaneous=high)
    assert says in seen(document).text


def test_a_refused_log_has_reasons_and_no_headline_no_value_and_no_what_if() -> None:
    found = seen(refused())
    assert "Refused: no number can be given." in found.text
    assert "the logged propensities are not those that models were drawn with" in found.text
    assert "a month at your volume" not in found.text
    assert not found.attributes("data-usd-per-request")
    assert not found.attributes("data-value")


def test_a_refused_policy_is_told_by_its_reason_and_by_no_number() -> None:
    document = example(2)
    policy = document["policies"]["routeward"]
    policy.update(status="red", reasons=["too few calls"])
    found = seen(document)
    assert "refused: too few calls" in found.text
    assert "routeward" not in found.attributes("data-name")
    [data] = [script for script in found.scripts if '"statistics"' in script]
    value = policy["headline"]["value"]
    assert repr(value) not in data
    assert repr(rounded(value)) not in data


def test_dollars_a_month_follow_the_pace_of_the_log_unless_a_volume_is_given() -> None:
    document = example(2, rows=28_000)
    [volume] = [a["value"] for name, a in seen(document).elements if name == "input" and a.get("class") == "volume"]
    assert float(volume or "nan") == pytest.approx(1000 * 365.25 / 12, rel=1e-4)


def test_without_a_pace_dollars_a_month_are_unknown() -> None:
    document = example(2)
    document["log"].update({"from": None, "to": None})
    assert "unknown a month at the log's pace" in seen(document).text


def test_parts_that_are_not_known_say_so() -> None:
    document = example(2)
    for part in ("time", "front", "cells", "latency", "calibration", "missingness", "change_points"):
        del document[part]
    text = seen(document).text
    assert text.count("Not known.") == 9
    assert "nan" not in text.lower().split()


def test_several_results_stand_on_one_page_with_ids_of_their_own() -> None:
    found = seen(example(2), example(3))
    ids = found.attributes("id")
    assert len(ids) == len(set(ids))
    assert {"result-0", "result-1"} <= set(ids)
    assert {"#result-0", "#result-1"} <= set(found.attributes("href"))


def test_every_picture_has_words_for_those_who_do_not_see_it_and_every_field_a_label() -> None:
    found = seen(example(3))
    assert all(attributes["aria-label"] for _, attributes in found.elements if attributes.get("role") == "img")
    labelled = set(found.attributes("for"))
    fields = [attributes for name, attributes in found.elements if name in ("input", "select")]
    assert all(a.get("id") in labelled or a.get("aria-label") or a.get("type") == "checkbox" for a in fields)


def test_the_page_carries_every_number_once_to_six_digits() -> None:
    document = example(2)
    document["latency"]["models"]["north-large"][0] = 123456789
    document["objective"]["answer_value_usd"] = 0.0123456789
    [carried] = [script for script in seen(document).scripts if '"Evaluation of decisions.parquet":' in script]
    [found] = json.loads(carried).values()
    assert found["latency"]["models"]["north-large"][0] == 123456789
    assert found["objective"]["answer_value_usd"] == 0.0123457
    assert found == rounded(document)
    assert {a["data-kind"] for name, a in seen(document).elements if "download" in (a.get("class") or "")} == {
        "json",
        "csv",
    }


def test_texts_and_attributes_are_escaped() -> None:
    found = Seen(as_html(tag("p", "<b>", tag("i", "&"), "<u>", title='"><s>')))
    assert [name for name, _ in found.elements] == ["p", "i"]
    assert found.elements[0][1] == {"title": '"><s>'}
    assert found.texts == ["<b>", "&", "<u>"]


def test_json_and_csv_are_written_where_plotly_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    out = tmp_path / "report.html"
    with pytest.raises(MissingPlotlyError, match=r"pip install 'routeward\[report\]'"):
        write_report([example(2)], out)
    assert json.loads(out.with_suffix(".json").read_text(encoding="utf-8")) == example(2)
    assert out.with_suffix(".csv").is_file()
    assert not out.exists()


def test_nothing_is_written_for_a_document_that_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(DocumentError):
        write_report([{"kind": "simulate"}], tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotWrittenError, match="cannot be written"):
        write_report([example(2)], tmp_path / "nowhere" / "report.html")


def test_the_document_that_a_report_is_made_of_may_lie_beside_it(tmp_path: Path) -> None:
    source = tmp_path / "report.json"
    source.write_text(json.dumps(example(2)), encoding="utf-8")
    before = source.read_bytes()
    write_report([example(2)], tmp_path / "report.html")
    assert source.read_bytes() == before


def test_equal_results_give_equal_pages() -> None:
    assert page([result_of(example(2))], PLOTLY) == page([result_of(example(2))], PLOTLY)


def test_a_sound_log_that_supports_no_policy_has_a_red_verdict_with_their_reasons() -> None:
    document = example(2)
    for policy in document["policies"].values():
        policy.update(status="red", reasons=["too few calls"])
    found = seen(document)
    assert "Refused: no number can be given." in found.text
    assert "verdict red" in found.attributes("class")
    assert "refused: too few calls" in found.texts
    assert found.text.count("too few calls") == len(document["policies"])
