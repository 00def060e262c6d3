"""The pages of reference name what there is: every reason of an error, every figure."""

import inspect
from pathlib import Path

import pytest

from server import errors
from server.errors import ServiceError
from server.gateway.breaker import State
from server.gateway.figures import Figures
from server.http.figures import HttpFigures

PAGES = Path(__file__).parents[3] / "docs" / "reference"


def rows(page: str) -> dict[str, list[str]]:
    """The rows of the first table of a page, by what stands first in them."""
    lines = (PAGES / page).read_text(encoding="utf-8").splitlines()
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `"))
    return {first.strip("`"): rest for first, *rest in cells}


def test_the_page_of_errors_names_every_reason_with_its_status():
    classes = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, ServiceError)]
    reasons = {one.reason: f"`{one.code.name}`" for one in classes if one is not ServiceError}
    assert {reason: status for reason, (status, *_) in rows("errors.md").items()} == reasons


@pytest.fixture
async def families(parts):
    parts.metrics.watch(parts.publisher.namespaces, parts.clock)
    HttpFigures(parts.metrics.registry)
    Figures(parts.metrics.registry, {"small": "acme"}).watch(lambda _: State.CLOSED)
    found = {}
    for family in parts.metrics.registry.collect():
        if family.name.startswith("routeward_"):
            found[family.name + "_total" * (family.type == "counter")] = family.type
    return found


async def test_the_page_of_metrics_names_every_figure_with_its_kind(families):
    assert {name: kind for name, (kind, *_) in rows("metrics.md").items()} == families
