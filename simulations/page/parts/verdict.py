"""What a reader wants first: is there something better, by how much, and can it be believed."""

from functools import partial
from typing import Final
from xml.etree.ElementTree import Element

from simulations.page.fields import Interval
from simulations.page.html import Child, table, tag
from simulations.page.result import AMBER, GREEN, RED, STATUSES, Policy, Result
from simulations.page.units import count, percent, seconds, usd, usd_per_thousand

_LIGHTS: Final = {GREEN: ("●", "sound"), AMBER: ("▲", "take care"), RED: ("■", "refused")}
"""By shape and word too, for those who cannot tell the colours."""


def light(status: str) -> Element:
    """Return a traffic light."""
    shape, word = _LIGHTS[status]
    return tag("span", tag("span", shape, aria_hidden="true"), f" {word}", class_=f"light {status}")


def verdict(result: Result, number: int, requests_per_month: float | None) -> Element:
    """Return the verdict strip. Of what the gate refused it shows the reasons and no number."""
    best = best_policy(result)
    return tag(
        "section",
        tag("h3", "Verdict"),
        tag("p", light(_status(result, best)), " ", tag("strong", sentence(result, best)), class_="headline"),
        _money(best, requests_per_month) if best is not None and best.lift is not None else None,
        _volume(number, requests_per_month),
        _reasons(result, best),
        _policies(result, requests_per_month),
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
    return max(standing, key=lambda policy: _value(policy.lift), default=None)


def sentence(result: Result, best: Policy | None) -> str:
    """Return the verdict in words."""
    if best is None or best.lift is None:
        refused = _status(result, best) == RED
        return "Refused: no number can be given." if refused else "There is nothing to compare with."
    surest = best.simultaneous or best.lift
    low = best.lift.low if surest.low is None else surest.low
    high = best.lift.high if surest.high is None else surest.high
    gained = f"{usd_per_thousand(best.lift.value, signed=True)} per 1,000 requests, {_range(best.lift, result)}"
    if low is not None and low > 0:
        return f"{best.name} would have been better than what ran: {gained}."
    if high is not None and high < 0:
        return f"Nothing evaluated would have been better than what ran. The nearest is {best.name}: {gained}."
    return f"Nothing evaluated is shown to be better than what ran. The best guess is {best.name}: {gained}."


def _status(result: Result, best: Policy | None) -> str:
    """Return the worse light of the log and of the policy that is told of; red where every policy is refused."""
    if result.supports_none:
        return RED
    return max((result.verdict, result.verdict if best is None else best.status), key=STATUSES.index)


def _value(interval: Interval | None) -> float:
    return 0.0 if interval is None or interval.value is None else interval.value


def _range(interval: Interval, result: Result) -> str:
    if interval.low is None or interval.high is None:
        return "interval unknown"
    low, high = (usd_per_thousand(end, signed=True) for end in (interval.low, interval.high))
    return f"{percent(result.confidence)} interval {low} to {high}"


def _money(best: Policy, per_month: float | None) -> Element:
    lift = best.lift or Interval(None)
    ends = (_monthly(lift.low, per_month), " to ", _monthly(lift.high, per_month))
    return tag("p", _monthly(lift.value, per_month), " a month at your volume (", *ends, ")", class_="money")


def _monthly(usd_per_request: float | None, per_month: float | None) -> Element:
    """Return an amount that the page computes anew when the volume changes."""
    known = None if usd_per_request is None or per_month is None else usd_per_request * per_month
    return tag("span", usd(known, signed=True), data_usd_per_request=usd_per_request, class_="monthly")


def _volume(number: int, per_month: float | None) -> Element:
    name = f"volume-{number}"
    value = None if per_month is None else f"{per_month:.0f}"
    field = tag("input", type="number", min="0", step="any", id=name, value=value, class_="volume")
    return tag("p", tag("label", "Requests per month ", for_=name), field, class_="controls")


def _reasons(result: Result, best: Policy | None) -> Element | None:
    """Return why the light is not green."""
    said = [check.says or check.name for check in result.checks if not check.policy and check.status != GREEN]
    said += best.reasons if best is not None else ()
    if not said and result.supports_none:
        said = ["The log supports none of the policies; the reasons stand beside each."]
    return tag("ul", *(tag("li", each) for each in dict.fromkeys(said)), class_="reasons") if said else None


def _policies(result: Result, per_month: float | None) -> Element | None:
    if not result.policies:
        return None
    headings = ("policy", "value", "more than what ran", "a month", "answer", "cost", "waiting")
    return table(
        headings,
        [_row(policy, per_month) for policy in _in_order(result)],
        "Every policy, best first; value, gain and cost in dollars per 1,000 requests",
    )


def _in_order(result: Result) -> list[Policy]:
    return sorted(result.policies.values(), key=lambda p: (p.refused, -_value(p.headline)))


def _named(policy: Policy) -> Element:
    return tag("span", tag("span", policy.name), " ", light(policy.status), class_="named")


def _row(policy: Policy, per_month: float | None) -> list[Child]:
    if policy.refused:
        reasons = "; ".join(policy.reasons) or "see diagnostics"
        return [_named(policy), tag("span", f"refused: {reasons}", class_="why")]
    lift, known = policy.lift or Interval(None), policy.components
    return [
        _named(policy),
        _with_range(policy.headline),
        _with_range(policy.lift, signed=True),
        _monthly(lift.value, per_month) if policy.lift is not None else "",
        percent(known.get("answer")),
        usd_per_thousand(known.get("cost_usd")),
        seconds(known.get("latency_s")),
    ]


def _with_range(interval: Interval | None, *, signed: bool = False) -> Element:
    if interval is None:
        return tag("span", "not given")
    written = partial(usd_per_thousand, signed=signed)
    ends = "" if None in interval else f"{written(interval.low)} to {written(interval.high)}"
    return tag("span", written(interval.value), tag("small", ends), class_="estimate")


def _says(result: Result) -> str:
    worth = f"{usd(result.answer_value_usd)} per good answer, {usd(result.second_value_usd)} per second of waiting"
    estimators = sorted({p.estimator for p in result.policies.values() if p.estimator and p.name != result.baseline})
    how = f" Estimated by {', '.join(estimators)}." if estimators else ""
    left = sum(each or 0 for each in result.rejected.values())
    return f"A request's value is its answer less its cost less the waiting: {worth}.{how} {count(left)} rows left out."
