"""The page in a real browser: it draws, answers to clicks and sliders, talks to nobody, and shows nothing refused."""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from simulations.page.compact import rounded
from simulations.page.documents import result_of
from simulations.page.example import example
from simulations.page.example_replay import example_replay
from simulations.page.layout import documents_by_name
from simulations.page.numbers import as_csv
from simulations.page.whatif import Wishes, best_models, statistics, values
from simulations.page.write import write_report

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-sync", *QUIET]


POINT = """(() => {
  c.scrollIntoView({ block: "center" });
  const [box, { xaxis, yaxis }, { x, y }] = [c.getBoundingClientRect(), c._fullLayout, c.data[NUMBER]];
  return [box.left + xaxis._offset + xaxis.d2p(x[0]), box.top + yaxis._offset + yaxis.d2p(y[0])];
})()"""
"""Where on the screen a point of a chart `c` is."""


@dataclass(slots=True)
class Opened:
    """A page in the browser; what it complained of and what it asked for from outside."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def chart(self, name: str, expression: str) -> Any:
        return self.page.evaluate(f"() => {{ const c = document.querySelector('.chart.{name}'); return {expression} }}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert executable, "this needs a browser: apt-get install -y chromium"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.fail("this needs playwright: make .venv/slow")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    contexts = []

    def opened(*documents: dict[str, Any], width: int = 1400, theme: str = "light") -> Opened:
        written = write_report(documents, tmp_path / "report.html", 1_000_000)
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("console", lambda said: found.complaints.append(said.text) if said.type == "error" else None)
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.goto(written.page.as_uri())
        found.page.locator(".chart:not(:has(svg))").first.wait_for(state="detached")
        return found

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("width", "theme"), [(1400, "light"), (390, "dark")])
def test_a_page_draws_without_complaint_talks_to_nobody_and_fits_its_window(
    opened: Any, width: int, theme: str
) -> None:
    found = opened(example(12), width=width, theme=theme)
    assert found.complaints == []
    assert [url for url in found.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_click_on_the_front_and_a_button_show_the_configuration_that_can_be_copied(opened: Any) -> None:
    found = opened(example(4))
    place = found.chart("front", POINT.replace("NUMBER", "5"))
    found.page.mouse.move(*place)
    found.page.mouse.click(*place)
    assert 'baseline = "south-pro"' in found.page.locator(".panel code").inner_text()
    found.page.get_by_role("button", name="fixed:north-large").press("Enter")
    assert found.page.locator(".panel strong").inner_text() == "fixed:north-large"
    assert 'baseline = "north-large"' in found.page.locator(".panel code").inner_text()
    found.page.locator(".copy").click()
    found.page.locator(".panel span.note").filter(has_text=".").wait_for()


def wished(found: Opened, answer: str, second: str, prices: dict[str, float], dropped: tuple[str, ...]) -> None:
    """Ask for other values, prices and models as somebody at the page would."""
    found.page.locator(".answer-value").fill(answer)
    found.page.locator(".second-value").fill(second)
    for model, factor in prices.items():
        found.page.locator(f'.price[data-model="{model}"]').fill(str(factor))
    for model in dropped:
        found.page.locator(f'.offered[data-model="{model}"]').uncheck()


@pytest.mark.parametrize(
    ("answer", "second", "prices", "dropped"),
    [
        ("0.05", "0.001", {}, ()),
        ("0.4", "0", {"north-large": 0.25, "south-pro": 3.0}, ()),
        ("0.0123", "0.0077", {"north-medium": 1.35}, ("north-large",)),
        ("0", "0.001", {}, ("north-large", "south-pro")),
    ],
)
def test_what_if_comes_to_the_very_numbers_that_python_computes(
    opened: Any, answer: str, second: str, prices: dict[str, float], dropped: tuple[str, ...]
) -> None:
    found, known = opened(example(4)), statistics(result_of(example(4)))
    wished(found, answer, second, prices, dropped)
    wishes = Wishes(float(answer), float(second), prices, dropped)
    shown = found.page.locator(".answers .value").evaluate_all("all => all.map(e => [e.dataset.name, e.dataset.value])")
    assert {name: float(value) if value else None for name, value in shown} == values(known, wishes)
    choices = found.page.locator(".choice").evaluate_all("all => all.map(e => [e.dataset.category, e.textContent])")
    assert {category: None if model == "unknown" else model for category, model in choices} == best_models(
        known, wishes
    )


def test_a_slider_changes_values_and_the_front_and_reset_brings_them_back(opened: Any) -> None:
    found = opened(example(4))
    texts = found.page.locator(".answers .value").all_inner_texts
    before, cost = texts(), found.chart("front", "c.data.map(t => t.x[0])")
    found.page.locator(".answer-slider").fill("1")
    assert float(found.page.locator(".answer-value").input_value()) == pytest.approx(0.5)
    assert all(a != b for a, b in zip(before, texts(), strict=True))
    found.page.locator(".price").first.fill("2")
    moved = found.chart("front", "c.data.map(t => t.x[0])")
    assert moved[2] == pytest.approx(2 * cost[2])
    found.page.get_by_role("button", name="As evaluated").click()
    found.page.locator(".answers .value").first.filter(has_text=before[0]).wait_for()
    assert texts() == before
    assert found.chart("front", "c.data.map(t => t.x[0])") == cost


def test_the_fields_of_volume_limit_and_category_do_what_they_say(opened: Any) -> None:
    document = example(3)
    document["policies"] = {"routeward": document["policies"]["routeward"]}
    document["policies"]["routeward"]["lift"]["value"] = 0.002
    found = opened(document)
    money = found.page.locator(".money .monthly").first
    assert money.inner_text() == "+$2,000"
    found.page.locator(".volume").fill("500")
    assert money.inner_text() == "+$1.00"
    assert found.page.locator(".pace").inner_text() == "your volume"
    found.page.locator(".volume").fill("")
    assert money.inner_text() == "unknown"
    found.page.locator(".slo").fill("1000")
    assert set(found.page.locator(".within").all_inner_texts()) == {"100%"}
    found.page.locator(".whose").select_option("logged")
    assert found.chart("latency", "c.layout.shapes.length") == 1
    found.page.locator(".category").select_option("chat")
    shown = "c.data.filter(t => t.visible).map(t => t.meta.join(' of '))"
    assert set(found.chart("allocation", shown)) == {"logged of chat"}
    found.page.locator(".kind").select_option("models")
    assert set(found.chart("latency", shown)) == {"models"}
    assert found.chart("latency", "c.layout.shapes.length") == 1


def test_a_replay_says_what_would_have_been_chosen_otherwise_and_how_to_know(opened: Any) -> None:
    found = opened(example_replay())
    texts = found.page.locator(".answers .value").all_inner_texts
    before, point = texts(), "c.data.filter(t => t.marker?.size === 20).map(t => t.name)"
    assert all(text.startswith("$") for text in before)
    assert not found.page.locator(".otherwise").is_visible()
    assert "best in hindsight" not in found.chart("front", point)
    found.page.locator(".answer-value").fill("0.1")
    found.page.locator('.price[data-model="large"]').fill("2")
    found.page.locator('.offered[data-model="small"]').uncheck()
    moved = dict(zip(found.page.locator(".answers tbody th").all_inner_texts(), texts(), strict=True))
    assert moved["routeward"] == moved["best in hindsight"] == moved["cheapest"]
    assert moved["routeward"] == "unknown: it would have chosen otherwise"
    assert moved["fixed:large"].startswith(("$", "\N{MINUS SIGN}$"))
    assert moved["logged"] == "unknown"
    asked = "routeward replay LOG --answer-value-usd 0.1 --price large=10,40 --without small"
    assert found.page.locator(".otherwise code").inner_text() == asked
    assert found.chart("front", point) == ["fixed:large"]
    found.page.get_by_role("button", name="As evaluated").click()
    found.page.locator(".otherwise").wait_for(state="hidden")
    assert texts() == before


def test_the_choices_of_the_learner_and_of_the_log_can_be_seen(opened: Any) -> None:
    found = opened(example_replay())
    shown = "c.data.filter(t => t.visible).map(t => t.meta.join(' of '))"
    assert set(found.chart("allocation", shown)) == {"routeward of all categories"}
    found.page.locator(".whose").select_option("logged")
    assert set(found.chart("allocation", shown)) == {"logged of all categories"}


@pytest.mark.parametrize(("written", "said"), [("-1", "-1 is no value"), ("", "Nothing is no value")])
def test_a_value_that_is_none_is_refused_visibly_and_nothing_is_computed(opened: Any, written: str, said: str) -> None:
    found = opened(example(2))
    texts = found.page.locator(".answers .value").all_inner_texts
    before = texts()
    found.page.locator(".answer-value").fill(written)
    assert said in found.page.locator(".complaint").inner_text()
    assert texts() == before
    assert found.page.locator(".answers.stale").count() == 1
    found.page.locator(".answer-value").fill("0.2")
    assert not found.page.locator(".complaint").is_visible()
    assert texts() != before
    assert found.page.locator(".answers.stale").count() == 0


def test_the_downloads_are_every_number_to_six_digits(opened: Any, tmp_path: Path) -> None:
    documents = [example(2), example_replay()]
    documents[0]["models"].append({"id": 'a "model", of two lines\nand more'})
    found = opened(*documents)
    named = rounded(documents_by_name([result_of(document) for document in documents]))
    for kind in ("json", "csv"):
        with found.page.expect_download() as download:
            found.page.locator(f'.download[data-kind="{kind}"]').click()
        download.value.save_as(tmp_path / f"got.{kind}")
    assert json.loads((tmp_path / "got.json").read_text(encoding="utf-8")) == named
    got, expected = (
        [(*row, float(value) if value else None) for *row, value in list(csv.reader(io.StringIO(text)))[1:]]
        for text in ((tmp_path / "got.csv").read_text(encoding="utf-8"), as_csv(named))
    )
    assert got == expected
    assert found.complaints == []


def test_on_a_phone_names_break_between_words_and_legends_leave_room_for_the_picture(opened: Any) -> None:
    found = opened(example(12), width=390)
    widths = "all => all.map(e => e.getBoundingClientRect().width)"
    assert min(found.page.locator("th[scope=row]:visible").evaluate_all(widths)) >= 7 * 16
    breaks = "all => all.map(e => getComputedStyle(e).overflowWrap)"
    assert set(found.page.locator("th[scope=row]").evaluate_all(breaks)) == {"normal"}
    captions = found.page.locator(".caption").evaluate_all("all => all.map(e => e.getBoundingClientRect().right)")
    assert max(captions) <= 390
    for name in ("value", "front"):
        assert found.chart(name, "c._fullLayout.legend._effHeight >= c._fullLayout.legend._height")
        assert found.chart(name, "c._fullLayout._size.h") >= 120


def test_the_theme_can_be_changed_and_charts_follow(opened: Any) -> None:
    found = opened(example(2))
    before = found.chart("front", "c._fullLayout.font.color")
    found.page.locator(".theme").click()
    assert found.page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert found.chart("front", "c._fullLayout.font.color") != before


def test_names_that_are_markup_run_nothing_and_are_shown_as_they_are(opened: Any) -> None:
    names = json.dumps(example(3)).replace("north-large", "<script>alert(1)</script>")
    found = opened(json.loads(names.replace("chat", "<img src=x onerror=alert(2)>")))
    found.page.on("dialog", lambda dialog: found.complaints.append(dialog.message))
    found.page.get_by_role("button", name="fixed:<script>").click()
    assert "<script>alert(1)</script>" in found.page.locator(".panel code").inner_text()
    assert found.page.locator("img").count() == 0
    assert found.complaints == []


def test_a_refused_log_shows_no_headline_and_no_value_anywhere(opened: Any) -> None:
    document = example(2)
    value = document["policies"]["routeward"]["headline"]["value"]
    document["verdict"] = "red"
    for policy in document["policies"].values():
        policy.update(status="red", reasons=["mean weight is 1.3"])
    found = opened(document)
    text = found.page.locator("main").inner_text()
    assert "Refused: no number can be given." in text
    assert f"${1000 * value:.2f}" not in text
    assert "a month at your volume" not in text
    assert found.page.locator(".chart.agreement, .wishes").count() == 0
    assert found.page.locator(".deploy").all_inner_texts() == ["logged"]
    assert found.complaints == []


def test_a_page_without_most_of_its_parts_draws_without_complaint(opened: Any) -> None:
    document = example(2)
    for part in ("time", "latency", "cells", "front", "change_points"):
        del document[part]
    assert opened(document, example(2)).complaints == []
