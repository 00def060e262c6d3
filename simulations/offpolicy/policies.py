"""Policies to evaluate: for each category, the share of its calls that each model gets.

A file of policies is TOML: a table for each, with a model or a table of shares for each category, and `default` for
all others.

    [policies.two-models]
    default = "south-flash"
    code-review = { north-large = 0.5, south-pro = 0.5 }
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulations.errors import OptionsError
from simulations.nearest import SHOWN, nearest
from simulations.offpolicy.sums import LogSums

Floats = NDArray[np.float64]

DEFAULT: Final = "default"
LOGGED: Final = "logged"
ANY: Final = "*"
"""Stands for every model that can be chosen, all alike."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Shares of models by category; `default` holds for categories that are not named."""

    name: str
    shares: Mapping[str, Mapping[str, float]]

    def of(self, category: str) -> Mapping[str, float]:
        """Return the shares of a category; empty where the policy says nothing of it."""
        return self.shares.get(category) or self.shares.get(DEFAULT, {})

    def toml(self) -> str:
        """Return the policy as a file of policies has it."""
        lines = [f"[policies.{_key(self.name)}]"]
        for category, shares in self.shares.items():
            inside = ", ".join(f"{_key(model)} = {share:.6g}" for model, share in shares.items())
            alone = len(shares) == 1
            lines.append(f"{_key(category)} = {_text(next(iter(shares))) if alone else f'{{ {inside} }}'}")
        return "\n".join(lines) + "\n"


def fixed(model: str) -> Policy:
    """Return the policy that always chooses one model."""
    return Policy(f"fixed:{model}", {DEFAULT: {model: 1.0}})


def uniform() -> Policy:
    """Return the policy that chooses among all models alike."""
    return Policy("uniform", {DEFAULT: {ANY: 1.0}})


def read_policies(path: Path) -> tuple[Policy, ...]:
    """Read a file of policies. Raises OptionsError with the policy, the category and what to write."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionsError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionsError(f"{path} is not TOML: {error}") from error
    tables = document.get("policies")
    if not isinstance(tables, dict) or not tables or set(document) != {"policies"}:
        raise OptionsError(f"{path}: give policies as tables  [policies.NAME]  and nothing else")
    return tuple(_policy(path, name, table) for name, table in tables.items())


def matrices(policies: Sequence[Policy], sums: LogSums) -> Floats:
    """Return the probabilities of models in the contexts of a log; shape (P, X, M).

    Shares of models that cannot be chosen go to those that can; where none can, a row is 0. Raises OptionsError for a
    model or a category that the log does not have.
    """
    places = {model: m for m, model in enumerate(sums.models)}
    categories = tuple(dict.fromkeys(context.category for context in sums.contexts))
    probabilities = np.zeros((len(policies), len(sums.contexts), len(sums.models)))
    for p, policy in enumerate(policies):
        _check_names(policy, sums.models, categories)
        for x, context in enumerate(sums.contexts):
            shares = policy.of(context.category)
            able = context.eligible or sums.models
            if ANY in shares:
                shares = dict.fromkeys(able, 1.0)
            for model, share in shares.items():
                if model in able:
                    probabilities[p, x, places[model]] = share
    totals = probabilities.sum(axis=2, keepdims=True)
    return probabilities / np.where(totals > 0.0, totals, 1.0)


def require_complete(policies: Sequence[Policy], sums: LogSums) -> None:
    """Raise OptionsError for a policy that says nothing of a category of the log."""
    categories = tuple(dict.fromkeys(context.category for context in sums.contexts))
    for policy in policies:
        if unsaid := [category for category in categories if not policy.of(category)]:
            raise OptionsError(
                f"policy {policy.name} says nothing of category {', '.join(unsaid[:SHOWN])}, which the log has; "
                "name it, or give the policy a default"
            )


def _check_names(policy: Policy, models: Sequence[str], categories: Sequence[str]) -> None:
    named = {model for shares in policy.shares.values() for model in shares}
    for kind, unknown, known in (
        ("model", named - {*models, ANY}, models),
        ("category", policy.shares.keys() - {*categories, DEFAULT}, categories),
    ):
        if unknown:
            name = min(unknown)
            raise OptionsError(f"policy {policy.name}: the log has no {kind} {name}; it has {nearest(name, known)}")


def _policy(path: Path, name: str, table: object) -> Policy:
    if name == LOGGED:
        raise OptionsError(f"{path}: a policy cannot be called '{LOGGED}': that is what the log did")
    if not isinstance(table, dict) or not table:
        raise OptionsError(f"{path}: policy {name} is no table of categories")
    return Policy(name, {category: _shares(path, f"{name}.{category}", value) for category, value in table.items()})


def _shares(path: Path, place: str, value: object) -> Mapping[str, float]:
    if isinstance(value, str):
        return {value: 1.0}
    if not isinstance(value, dict) or not value:
        raise OptionsError(f"{path}: {place} is neither a model nor a table of shares")
    for model, share in value.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 <= share < math.inf:
            raise OptionsError(f"{path}: {place}.{model} is {share!r}; give a share, 0 or more")
    total = float(sum(value.values()))
    if total <= 0.0:
        raise OptionsError(f"{path}: the shares of {place} are all 0; give one above 0")
    return {model: share / total for model, share in value.items()}


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else _text(name)


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
