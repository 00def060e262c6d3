"""What a log can be used for, from what its calls know."""

from typing import Final, NamedTuple

from adapters.traffic.log import LogReport

_OUTCOMES: Final = ("quality", "latency_s", "output_tokens", "status")
_REWARDS: Final = ("quality", "cost_usd", "latency_s")


class Ability(NamedTuple):
    """A command, whether a log allows it, and a sentence that says why, or with what reservation."""

    command: str
    is_allowed: bool
    says: str


def abilities(report: LogReport) -> tuple[Ability, ...]:
    """Return what a log that was read allows."""
    return (_evaluate(report), _replay(report), _warm_start(report))


def _evaluate(report: LogReport) -> Ability:
    drawn = report.knows["propensity"]
    if not drawn:
        return Ability("evaluate", False, "no call knows the probability with which its model was drawn")
    if not _known(report, *_REWARDS):
        return Ability("evaluate", False, "no call knows quality, cost or latency")
    reservations = [f"{drawn:,} of {report.used:,} calls know their propensity"]
    if report.knows["probabilities"] < drawn:
        reservations.append("propensities cannot be checked where only the drawn model's is known")
    if not report.knows["quality"]:
        reservations.append("no call was judged: policies can be compared in cost and latency only")
    return Ability("evaluate", True, "; ".join(reservations))


def _replay(report: LogReport) -> Ability:
    if not _known(report, *_REWARDS):
        return Ability("replay", False, "no call knows quality, cost or latency")
    reservations = ["works without propensities"]
    if not report.knows["time_us"]:
        reservations.append("no call knows its time: calls follow one another in the order of the log")
    if not report.knows["quality"]:
        reservations.append("no call was judged: what is learned of quality cannot be shown")
    return Ability("replay", True, "; ".join(reservations))


def _warm_start(report: LogReport) -> Ability:
    known = [name.removesuffix("_s") for name in _OUTCOMES if report.knows[name]]
    if not known:
        return Ability("warm-start", False, "no call knows quality, latency, output tokens or status")
    return Ability("warm-start", True, f"teaches {', '.join(known)}")


def _known(report: LogReport, *fields: str) -> bool:
    return any(report.knows[field] for field in fields)
