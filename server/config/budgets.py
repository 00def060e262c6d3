"""What is wrong between a budget and the rest of a document."""

from collections.abc import Iterator, Mapping

from adapters.toml.explain import did_you_mean
from adapters.toml.problems import Finding
from server.config.tables import Tables, entries_of, table_of, tables_of
from server.settings import DEFAULT_NAMESPACE, DEFAULT_PROFILE


def check_budgets(document: Tables) -> Iterator[Finding]:
    """Find budgets without an amount or with two, of the same name, for what does not exist, or that no price keeps."""
    seen: set[str] = set()
    known, cheapest = _known(document), _cheapest_within(document)
    for index, budget in entries_of(document, "budgets"):
        yield from _amounts(index, budget)
        yield from _scope(index, budget, known)
        yield from _deaf(index, budget, cheapest)
        name = budget.get("name")
        if isinstance(name, str):
            if name in seen:
                message = f'"{name}" is the name of two budgets'
                yield Finding(("budgets", index, "name"), message, "give each a name of its own, or remove one of them")
            seen.add(name)


def _amounts(index: int, budget: Tables) -> Iterator[Finding]:
    given = [name for name in ("usd_per_request", "usd_per_period") if name in budget]
    if len(given) == 2:
        message = "usd_per_request and usd_per_period are both given"
        yield Finding(("budgets", index, given[1]), message, "keep one of them; two budgets may have the same scope")
    elif not given:
        message = "the budget has no amount"
        yield Finding(("budgets", index), message, "add  usd_per_request = 0.002  or  usd_per_period = 50.0")
    elif given == ["usd_per_request"]:
        for name in sorted({"period_hours", "on_exhausted"} & budget.keys()):
            message = f"{name} is given without usd_per_period"
            yield Finding(
                ("budgets", index, name), message, "an amount per request has no period to exhaust: remove it"
            )


def _scope(index: int, budget: Tables, known: Mapping[str, list[str]]) -> Iterator[Finding]:
    for name, names in known.items():
        value = budget.get(name)
        if isinstance(value, str) and value and value not in names:
            yield Finding(("budgets", index, name), f'there is no {name} "{value}"', did_you_mean(value, names))


def _deaf(index: int, budget: Tables, cheapest: list[str]) -> Iterator[Finding]:
    """Find a budget for categories that take the cheapest good model at any price of money, and so cannot keep it."""
    own = budget.get("category") or ""
    covered = [category for category in cheapest if own in ("", category)]
    if covered and "usd_per_request" in budget:
        names = ", ".join(f'"{category}"' for category in covered)
        message = f"usd_per_request covers a category of mode cheapest_within, which no budget can slow down: {names}"
        hint = 'name a category of mode "maximize" in the budget, or remove the mode there'
        yield Finding(("budgets", index, "category" if own else "usd_per_request"), message, hint)


def _cheapest_within(document: Tables) -> list[str]:
    return [name for name, one in tables_of(document, "categories").items() if one.get("mode") == "cheapest_within"]


def _known(document: Tables) -> Mapping[str, list[str]]:
    keys = [key for _, key in entries_of(table_of(document, "server"), "keys")]
    namespaces = [key.get("namespace", DEFAULT_NAMESPACE) for key in keys] or [DEFAULT_NAMESPACE]
    return {
        "namespace": [namespace for namespace in namespaces if isinstance(namespace, str)],
        "category": [*table_of(document, "categories")],
        "profile": [DEFAULT_PROFILE, *table_of(document, "profiles")],
    }
