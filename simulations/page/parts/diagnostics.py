"""Whether the numbers can be believed: every check, the weights, and their pictures."""

from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import Element

from simulations.page.html import Child, table, tag
from simulations.page.parts.pictures import Sheet, picture
from simulations.page.parts.verdict import light
from simulations.page.result import GREEN, STATUSES, Check, Result
from simulations.page.units import count, figure, percent

_WEIGHTS: Final = {
    "ess": ("effective calls", count),
    "max_share": ("largest share of one call", percent),
    "mean": ("mean weight, should be 1", figure),
    "mean_se": ("its standard error", figure),
    "unidentified": ("of what was never tried", percent),
}


def diagnostics(sheet: Sheet) -> Element:
    """Return everything that the gate looked at."""
    result = sheet.result
    return tag(
        "section",
        tag("h3", "Can this be believed?"),
        tag("p", "The gate looks at all of this before a number is shown; what is red refuses it.", class_="note"),
        *_checks(result),
        _weights(result),
        tag(
            "div",
            *(picture(sheet, name, level="h4") for name in ("calibration", "missingness")),
            class_="pictures",
        ),
        picture(sheet, "overlap", level="h4"),
        picture(sheet, "agreement", level="h4"),
        _rejected(result.rejected),
        id=f"diagnostics-{sheet.number}",
    )


def _checks(result: Result) -> list[Element]:
    """Return what is not green, open, and the rest, folded."""
    if not result.checks:
        return [tag("p", "No checks were recorded.", class_="absent")]
    bad = sorted((c for c in result.checks if c.status != GREEN), key=lambda check: STATUSES.index(check.status))
    good = [check for check in result.checks if check.status == GREEN]
    parts = ((bad[::-1], _said(len(bad), "not green")), (good, _said(len(good), "green")))
    headings = ("check", "of", "", "value", "limit", "")
    return [
        tag("details", tag("summary", said), table(headings, [_check(c) for c in checks]), open=checks is not good)
        for checks, said in parts
        if checks
    ]


def _said(number: int, colour: str) -> str:
    return f"{number} check that is {colour}" if number == 1 else f"{number} checks that are {colour}"


def _check(check: Check) -> list[Child]:
    of = check.policy or "the log"
    return [check.name, of, light(check.status), figure(check.value), figure(check.limit), check.says]


def _weights(result: Result) -> Element | None:
    weighed = {name: policy.weights for name, policy in result.policies.items() if policy.weights}
    if not weighed:
        return None
    rows = [
        [name, *(say(weights.get(part)) for part, (_, say) in _WEIGHTS.items())] for name, weights in weighed.items()
    ]
    headings = ("policy", *(heading for heading, _ in _WEIGHTS.values()))
    return tag("details", tag("summary", "How much of the log speaks for each policy"), table(headings, rows))


def _rejected(rejected: Mapping[str, float | None]) -> Element | None:
    if not rejected:
        return None
    rows = [[reason, count(rows)] for reason, rows in rejected.items()]
    return tag("details", tag("summary", "Rows left out"), table(("reason", "rows"), rows))
