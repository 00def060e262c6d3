"""An evaluation as people read it: what the gate says, then what each policy is worth."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from routeward.cli.narrow_tables import fitting, shortened
from routeward.cli.output import counted, percent, usd

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    Document = dict[str, Any]

COLOURS: Final = {"green": "green", "amber": "yellow", "red": "red"}
WORDS: Final = {"green": "sound", "amber": "with care", "red": "refused"}
UNIT: Final = "$/1,000"
VALUE, COST, QUALITY = f"value\n{UNIT}", f"cost\n{UNIT}", "quality"
DISPENSABLE: Final = (COST, QUALITY, VALUE)
"""Columns that a narrow table goes without, the first one first."""


def verdict_and_policies(document: "Document", width: int, requests_per_month: float | None = None) -> "RenderableType":
    """Return the gate's word on the log, a table of policies at most `width` wide, and why some were refused.

    With a volume, also what each policy would bring a month.
    """
    from rich.console import Group
    from rich.text import Text

    parts: list[Any] = [*_head(document)]
    if document["verdict"] != "red" and document["policies"]:
        parts += [Text(), _policies(document, width), Text(), *_refusals(document)]
        parts.append(Text(f"Here {_objective(document)}. Estimator: {document['headline']}."))
        if requests_per_month is not None:
            parts += [Text(), *_months(document, requests_per_month)]
    return Group(*parts)


def _head(document: "Document") -> "Iterator[Text]":
    from rich.text import Text

    log, verdict = document["log"], document["verdict"]
    said = (WORDS[verdict], f"bold {COLOURS[verdict]}")
    yield Text.assemble(f"{log['rows']:,} calls of {log['name']}: ", said, _logged(document))
    checks = {check["name"]: check for check in document["checks"] if not check["policy"]}
    for name, check in checks.items():
        if check["status"] != "green":
            yield Text.assemble((f"  {check['status']}: ", COLOURS[check["status"]]), f"{name}: {check['says']}")
    if checks["propensities"]["status"] == "green":
        yield from (
            Text(f"  {counted(count, 'call')} left out: {why}") for why, count in log.get("unusable", {}).items()
        )
    yield from (Text(f"  note: {note}") for note in log.get("notes", ()))


def _logged(document: "Document") -> str:
    logged = document["logged"]
    if document["verdict"] == "red" or logged["value"] is None:
        return ""
    value, *interval = (usd(1000.0 * logged[name]) for name in ("value", "low", "high"))
    return f", worth {value} per 1,000 ({percent(document['confidence'])}: {' to '.join(interval)})"


def _objective(document: "Document") -> str:
    objective = document["objective"]
    answer, second = usd(objective["answer_value_usd"]), usd(objective["second_value_usd"])
    return f"a good answer is worth {answer}, a second of waiting costs {second}"


def _policies(document: "Document", width: int) -> "RenderableType":
    from rich.text import Text

    policies = _best_first(document)
    columns = {
        "": [WORDS[policy["status"]] for policy in policies.values()],
        VALUE: [_shown(policy["headline"], "value") for policy in policies.values()],
        f"lift ({percent(document['confidence'])})\n{UNIT}": [_lift(policy) for policy in policies.values()],
        f"beside all\n{UNIT}": [_beside(policy["lift"]) for policy in policies.values()],
        QUALITY: [_component(policy, "answer", 1.0, 3) for policy in policies.values()],
        COST: [_component(policy, "cost_usd", 1000.0, 2) for policy in policies.values()],
        "ESS": [f"{policy['weights']['ess']:,.0f}" for policy in policies.values()],
    }
    table, room = fitting("policy", list(policies), columns, width, DISPENSABLE)
    for (name, policy), cells in zip(policies.items(), zip(*columns.values(), strict=True), strict=True):
        word, *others = cells
        status = policy["status"]
        style = "dim" if status == "red" else ""
        table.add_row(shortened(name, room), Text(word, style=COLOURS[status]), *others, style=style)
    return table


def _best_first(document: "Document") -> "Document":
    """Return the policies by their lift, those whose lift is unknown last."""

    def place(item: tuple[str, Any]) -> tuple[bool, float]:
        value = (item[1]["lift"] or {"value": None})["value"]
        return value is None, -(value or 0.0)

    return dict(sorted(document["policies"].items(), key=place))


def _lift(policy: "Document") -> str:
    lift = policy["lift"]
    return "" if lift is None else f"{_thousand(lift['value'])} ({_thousand(lift['low'])} to {_thousand(lift['high'])})"


def _beside(lift: "Document | None") -> str:
    if lift is None:
        return ""
    return f"{_thousand(lift['low_simultaneous'])} to {_thousand(lift['high_simultaneous'])}"


def _shown(numbers: "Document | None", name: str) -> str:
    return "" if numbers is None else _thousand(numbers[name])


def _component(policy: "Document", name: str, factor: float, digits: int) -> str:
    value = policy["components"][name]
    return "" if policy["headline"] is None else "?" if value is None else f"{factor * value:.{digits}f}"


def _thousand(usd_per_call: float | None) -> str:
    # Adding 0 takes the sign off what rounds to nothing.
    return "?" if usd_per_call is None else f"{round(1000.0 * usd_per_call, 2) + 0.0:,.2f}"


def _months(document: "Document", requests: float) -> "Iterator[Text]":
    """Yield what each policy brings a month, more than what was logged."""
    from rich.text import Text

    yield Text(f"Lift in dollars a month, at {requests:,.0f} requests ({percent(document['confidence'])}):")
    for name, policy in _best_first(document).items():
        if policy["lift"] is not None:
            value, *interval = (_times(policy["lift"][part], requests) for part in ("value", "low", "high"))
            yield Text(f"  {name}: {value} ({' to '.join(interval)})")


def _times(usd_per_call: float | None, requests: float) -> str:
    return "?" if usd_per_call is None else usd(usd_per_call * requests)


def _refusals(document: "Document") -> "Iterator[Text]":
    from rich.text import Text

    for name, policy in document["policies"].items():
        of_it = (check for check in document["checks"] if check["policy"] == name)
        reasons = [check["says"] for check in of_it if check["status"] == "red"]
        if policy["status"] == "red" and reasons:
            yield Text.assemble((name, "bold"), f" refused: {'; '.join(reasons)}")
