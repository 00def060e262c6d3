"""Where budgets stand, as JSON values and as a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from routeward.cli.output import percent, usd

if TYPE_CHECKING:
    from rich.console import RenderableType

    from routeward.v1.admin_service_pb2 import BudgetStanding


def budget_document(one: "BudgetStanding") -> dict[str, Any]:
    """Return a budget as JSON values."""
    amount = one.WhichOneof("amount")
    return {
        "name": one.name,
        "category": one.category or None,
        "profile": one.profile or None,
        "usd_per_request": one.usd_per_request if amount == "usd_per_request" else None,
        "usd_per_period": one.usd_per_period if amount == "usd_per_period" else None,
        "period_end_time": one.period_end_time.ToJsonString() if one.HasField("period_end_time") else None,
        "spent_usd": one.spent_usd,
        "billed_count": one.billed_count,
        "target_usd": one.target_usd,
        "price": one.price,
        "exhausted": one.exhausted,
    }


def budget_table(budgets: "Sequence[BudgetStanding]") -> "RenderableType":
    """Return the budgets as a table."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("budget", overflow="fold", min_width=8)
    for heading in ("amount", "spent", "used", "a request", "price"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in budgets:
        table.add_row(one.name, _amount(one), usd(one.spent_usd), _used(one), _request(one), _price(one))
    return table


def _price(one: "BudgetStanding") -> str:
    return "spent" if one.exhausted else f"{one.price:.3g}"


def _amount(one: "BudgetStanding") -> str:
    if one.WhichOneof("amount") == "usd_per_period":
        return f"{usd(one.usd_per_period)} to {one.period_end_time.ToDatetime():%m-%d %H:%M}"
    return f"{usd(one.usd_per_request)} a request"


def _used(one: "BudgetStanding") -> str:
    if one.WhichOneof("amount") == "usd_per_period":
        return percent(one.spent_usd / one.usd_per_period)
    return percent(one.spent_usd / one.billed_count / one.usd_per_request) if one.billed_count else "-"


def _request(one: "BudgetStanding") -> str:
    return usd(one.spent_usd / one.billed_count) if one.billed_count else "-"
