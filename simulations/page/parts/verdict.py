"""What a reader wants first: is there something better, by how much, and can it be believed."""

import math
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from simulations.counting import counted
from simulations.page.fields import Interval
from simulations.page.html import Child, table, tag
from simulations.page.result import AMBER, GREEN, RED, STATUSES, Policy, Result
from simulations.page.units import UNKNOWN, percent, seconds, usd, usd_per_thousand

_LIGHTS: Final = {GREEN: ("●", "sound"), AMBER: ("▲", "take care"), RED: ("■", "refused")}
"""By shape and word too, for those who cannot tell the colours."""


class Volume(NamedTuple):
    """Requests per month, and whether somebody asked for them: else they are the log's pace."""

    per_month: float | None
    asked: bool


def light(status: str) -> Element:
    """Return a traffic light."""
    shape, word = _LIGHTS[status]
    return tag("span", tag("span", shape, aria_hidden="true"), f" {word}", class_=f"light {status}")


def verdict(result: Result, number: int, volume: Volume) -> Element:
    """Return the verdict strip. Of what the gate refused it shows the reasons and no number."""
    best = best_policy(result)
    return tag(
        "section",
        tag("h3", "Verdict"),
        tag("p", light(_status(result, best)), " ", tag("strong", sentence(result, best)), class_="headline"),
        _money(best.surest, volume) if best is not None and best.surest is not None else None,
        _field(number, volume),
        _reasons(result, best),
        _policies(result, volume),
        tag("p", _says(result), class_="note"),
        class_=f"verdict {_status(result, best)}",
        id=f"verdict-{number}",
    )


def best_policy(result: Result) -> Policy | None:
    """Return the policy of the highest lift that stands, None where none does."""
    if result.verdict == RED:
        return None
    standing = [p for p in result.policies.values() if p.lift is not None and p.lift.value is not None]
    subjects = result.subjects or [name for name in result.policies if name != result.baseline]
    standing = [policy for policy in standing if policy.name in subjects]
    return max(standing, key=lambda policy: _gain(policy.lift), default=None)


def sentence(result: Result, best: Policy | None) -> str:
    """Return the verdict in words."""
    if best is None or best.lift is None:
        refused = _status(result, best) == RED
        return "Refused: no number can be given." if refused else "There is nothing to compare with."
    surest = best.surest or best.lift
    gained = f"{usd_per_thousand(best.lift.value, signed=True)} per 1,000 requests, {_range(surest, result)}."
    if surest.low is not None and surest.low > 0:
        return f"{best.name} would have been better than what ran: {gained}"
    alone = len(result.subjects) == 1
    who = best.name if alone else "Nothing evaluated"
    nearest = "By the estimate" if alone else f"The nearest is {best.name}"
    if surest.high is not None and surest.high < 0:
        return f"{who} would {'not ' if alone else ''}have been better than what ran. {nearest}: {gained}"
    if _gain(best.lift) <= 0:
        return f"{who} {'does not beat' if alone else 'beats'} what ran. {nearest}: {gained}"
    guess = nearest if alone else f"The best guess is {best.name}"
    return f"{who} is {'not ' if alone else ''}shown to be better than what ran. {guess}: {gained}"


def _status(result: Result, best: Policy | None) -> str:
    """Return the worse light of the log and of the policy that is told of; red where every policy is refused."""
    if result.supports_none:
        return RED
    return max((result.verdict, result.verdict if best is None else best.status), key=STATUSES.index)


def _gain(interval: Interval | None) -> float:
    """Return a value to compare by; what is unknown is below everything."""
    return -math.inf if interval is None or interval.value is None else interval.value


def _range(interval: Interval, result: Result) -> str:
    if interval.low is None or interval.high is None:
        return "interval unknown"
    low, high = (usd_per_thousand(end, signed=True) for end in (interval.low, interval.high))
    beside = f" {_beside(result)}" if _compared(result) else ""
    return f"{percent(result.confidence)} interval{beside}: {low} to {high}"


def _beside(result: Result) -> str:
    """Say how many policies an interval holds at once."""
    return f"beside all {len(_compared(result))}"


def _compared(result: Result) -> list[Policy]:
    """Return the policies whose intervals hold at once; none where there is only one, which is beside no other."""
    found = [policy for policy in result.policies.values() if policy.simultaneous is not None]
    return found if len(found) > 1 else []


def _money(lift: Interval, volume: Volume) -> Element:
    at = tag("span", "your volume" if volume.asked else "the log's pace", class_="pace")
    ends = (_monthly(lift.low, volume), " to ", _monthly(lift.high, volume))
    return tag("p", _monthly(lift.value, volume), " a month at ", at, " (", *ends, ")", class_="money")


def _monthly(usd_per_request: float | None, volume: Volume) -> Element:
    """Return an amount that the page computes anew when the volume changes."""
    known = None if usd_per_request is None or volume.per_month is None else usd_per_request * volume.per_month
    return tag("span", usd(known, signed=True), data_usd_per_request=usd_per_request, class_="monthly")


def _field(number: int, volume: Volume) -> Element:
    name = f"volume-{number}"
    value = None if volume.per_month is None else f"{volume.per_month:.0f}"
    field = tag("input", type="number", min="0", step="any", id=name, value=value, class_="volume")
    return tag("p", tag("label", "Requests per month ", for_=name), field, class_="controls")


def _reasons(result: Result, best: Policy | None) -> Element | None:
    """Return why the light is not green."""
    said = [check.says or check.name for check in result.checks if not check.policy and check.status != GREEN]
    said += best.reasons if best is not None else ()
    if not said and result.supports_none:
        said = ["The log supports none of the policies; the reasons stand beside each."]
    return tag("ul", *(tag("li", each) for each in dict.fromkeys(said)), class_="reasons") if said else None


def _policies(result: Result, volume: Volume) -> Element | None:
    if not result.policies:
        return None
    beside = [_beside(result)] if _compared(result) else []
    headings = ("policy", "value", "more than what ran", *beside, "a month", "answer", "cost", "waiting")
    return table(
        headings,
        [_row(policy, result, volume) for policy in _in_order(result)],
        "Every policy, best first; value, gain and cost in dollars per 1,000 requests; "
        f"all intervals are {percent(result.confidence)} ones",
    )


def _in_order(result: Result) -> list[Policy]:
    return sorted(result.policies.values(), key=lambda p: (p.refused, -_gain(p.headline)))


def _named(policy: Policy, result: Result) -> Element:
    ran = policy.name == result.baseline
    beside = tag("span", "what ran", class_="light") if ran else light(policy.status)
    hindsight = tag("small", "nobody could have known it") if policy.hindsight else None
    return tag("span", tag("span", policy.name), " ", beside, hindsight, class_="named")


def _row(policy: Policy, result: Result, volume: Volume) -> list[Child]:
    if policy.refused:
        reasons = "; ".join(policy.reasons) or "see diagnostics"
        return [_named(policy, result), tag("span", f"refused: {reasons}", class_="why")]
    known = policy.components
    return [
        _named(policy, result),
        _with_range(policy.headline),
        *_gains(policy, result, volume),
        percent(known.get("answer")),
        usd_per_thousand(known.get("cost_usd")),
        seconds(known.get("latency_s")),
    ]


def _gains(policy: Policy, result: Result, volume: Volume) -> list[Child]:
    """Return the gain over what ran with its intervals, and dollars a month; what ran itself has none."""
    compared = bool(_compared(result))
    if policy.name == result.baseline:
        return ["–"] * (2 + compared)
    lift = policy.lift or Interval(None)
    beside = [_between(policy.simultaneous)] if compared else []
    return [_with_range(policy.lift, signed=True), *beside, _monthly(lift.value, volume)]


def _between(interval: Interval | None) -> Element:
    ends = UNKNOWN if interval is None or None in interval else _ends(interval, signed=True)
    return tag("span", tag("small", ends), class_="estimate")


def _ends(interval: Interval, *, signed: bool) -> str:
    return " to ".join(usd_per_thousand(end, signed=signed) for end in (interval.low, interval.high))


def _with_range(interval: Interval | None, *, signed: bool = False) -> Element:
    if interval is None:
        return tag("span", "not given")
    ends = "" if None in interval else _ends(interval, signed=signed)
    return tag("span", usd_per_thousand(interval.value, signed=signed), tag("small", ends), class_="estimate")


def _says(result: Result) -> str:
    worth = f"{usd(result.answer_value_usd)} per good answer, {usd(result.second_value_usd)} per second of waiting"
    estimators = sorted({p.estimator for p in result.policies.values() if p.estimator and p.name != result.baseline})
    how = f" Estimated by {', '.join(estimators)}." if estimators else ""
    left = counted(int(sum(each or 0 for each in result.rejected.values())), "row")
    return f"A request's value is its answer less its cost less the waiting: {worth}.{how} {left} left out."
