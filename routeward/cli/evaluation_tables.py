"""An evaluation as people read it: what the gate says, then what each policy is worth."""

from typing import TYPE_CHECKING, Any, Final

from routeward.cli.output import percent, usd

if TYPE_CHECKING:
    from rich.console import RenderableType

COLOURS: Final = {"green": "green", "amber": "yellow", "red": "red"}
WORDS: Final = {"green": "sound", "amber": "with care", "red": "refused"}


def verdict_and_policies(document: dict[str, Any]) -> "RenderableType":
    """Return the gate's word on the log, a table of policies, and why some were refused."""
    from rich.console import Group
    from rich.text import Text

    log = document["log"]
    verdict = document["verdict"]
    head = Text.assemble(
        f"{log['rows']:,} calls of {log['name']}: ", (WORDS[verdict], f"bold {COLOURS[verdict]}"), _logged(document)
    )
    checks = [check for check in document["checks"] if not check["policy"] and check["status"] != "green"]
    said = [Text.assemble((f"  {c['status']}: ", COLOURS[c["status"]]), f"{c['name']}: {c['says']}") for c in checks]
    parts: list[Any] = [head, *said]
    if document["policies"]:
        parts += [Text(), _policies(document), Text(), *_refusals(document)]
        parts.append(Text(f"Dollars per 1,000 calls: {_objective(document)}. Estimator: {document['headline']}."))
    return Group(*parts)


def _logged(document: dict[str, Any]) -> str:
    logged = document["logged"]
    if logged["value"] is None:
        return ""
    return f", worth {usd(logged['value'])} each ({usd(logged['low'])} to {usd(logged['high'])})"


def _objective(document: dict[str, Any]) -> str:
    objective = document["objective"]
    answer, second = usd(objective["answer_value_usd"]), usd(objective["second_value_usd"])
    return f"a good answer is worth {answer}, a second of waiting costs {second}"


def _policies(document: dict[str, Any]) -> "RenderableType":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    level = percent(document["confidence"])
    table.add_column("policy", overflow="fold")
    for title in ("", "value", f"lift ({level})", "beside all others", "quality", "cost", "ESS"):
        table.add_column(title, justify="right" if title else "left", no_wrap=True)
    policies = document["policies"].items()
    for name, policy in sorted(policies, key=lambda item: -((item[1]["lift"] or {"value": -1e300})["value"] or 0.0)):
        table.add_row(name, *_cells(policy), style="dim" if policy["status"] == "red" else "")
    return table


def _cells(policy: dict[str, Any]) -> list[Any]:
    from rich.text import Text

    status, lift, components = policy["status"], policy["lift"], policy["components"]
    word = Text(WORDS[status], style=COLOURS[status])
    ess = f"{policy['weights']['ess']:,.0f}"
    if policy["headline"] is None or lift is None:
        return [word, "", "", "", "", "", ess]
    return [
        word,
        _thousand(policy["headline"]["value"]),
        f"{_thousand(lift['value'])} ({_thousand(lift['low'])} to {_thousand(lift['high'])})",
        f"{_thousand(lift['low_simultaneous'])} to {_thousand(lift['high_simultaneous'])}",
        f"{components['answer']:.3f}",
        _thousand(components["cost_usd"]),
        ess,
    ]


def _thousand(usd_per_call: float | None) -> str:
    # Adding 0 takes the sign off what rounds to nothing.
    return "?" if usd_per_call is None else f"{round(1000.0 * usd_per_call, 2) + 0.0:.2f}"


def _refusals(document: dict[str, Any]) -> list[Any]:
    from rich.text import Text

    refused = {name: policy["reasons"] for name, policy in document["policies"].items() if policy["status"] == "red"}
    return [Text.assemble((name, "bold"), f" refused: {'; '.join(reasons)}") for name, reasons in refused.items()]
