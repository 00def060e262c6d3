"""How the demo writes numbers; None is unknown."""

from typing import Final

UNKNOWN: Final = "-"


def per_thousand(usd: float | None) -> str:
    """Write dollars per 1,000 requests: what a single one costs is too little to be read."""
    if usd is None:
        return UNKNOWN
    text = f"${abs(usd) * 1000:,.2f}"
    return text if usd >= 0 or text == "$0.00" else f"-{text}"


def seconds(value: float | None) -> str:
    """Write a duration."""
    return UNKNOWN if value is None else f"{value:,.2f} s"


def percent(share: float) -> str:
    """Write a share of 1."""
    return f"{share:.0%}"


def whole(score: float | None) -> str:
    """Write a score."""
    return UNKNOWN if score is None else f"{round(score)}"
