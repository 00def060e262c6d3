"""The configuration file that the demo's server is started with."""

import re
from collections.abc import Iterator
from typing import Final

import numpy as np

from bandit.catalogue import Model
from bandit.request import Objective
from simulations.errors import OptionsError
from simulations.world import World

DATABASE: Final = "routeward.db"
REFRESH_S: Final = 0.1
BUCKET_S: Final = 3600.0
"""Beliefs change when a bucket closes; none should between the end of the traffic and the restart."""
_MAX_CATEGORIES: Final = 100
_MAX_USD_PER_MTOK: Final = 100_000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")


def configuration(world: World, objective: Objective) -> str:
    """Return the TOML file that serves a world. Raises OptionsError for what cannot be served."""
    for name in (*world.categories, *(model.id for model in world.models)):
        if not _NAME.fullmatch(name):
            raise OptionsError(
                f"routeward cannot serve the name '{name}': rename it in the table to 1 to 64 characters of "
                "A-Z a-z 0-9 . _ : / - that begin with a letter or digit"
            )
    for model in world.models:
        price = max(model.prices.input_usd_per_mtok, model.prices.output_usd_per_mtok)
        if price > _MAX_USD_PER_MTOK:
            raise OptionsError(
                f"routeward cannot serve {model.id}: by the table a million of its tokens cost {price:,.0f} dollars, "
                f"and {_MAX_USD_PER_MTOK:,} is the most; correct the table, or leave the model out of --models"
            )
    return "\n".join(
        [
            "# Made by routeward demo.",
            "[server]",
            'listen = "127.0.0.1:0"  # a free port; the line "ready" of the log names it',
            'metrics = "127.0.0.1:0"',
            "",
            "[store]",
            f'path = "{DATABASE}"',
            "",
            "[learning]",
            f"refresh_seconds = {REFRESH_S}  # the demo's traffic is fast; 0.5 is the default",
            f"bucket_seconds = {BUCKET_S}",
            "",
            "[routing]",
            f"max_categories = {max(_MAX_CATEGORIES, len(world.categories))}",
            "",
            "[profiles.balanced]",
            f"answer_value_usd = {float(objective.answer_value_usd)!r}",
            f"second_value_usd = {float(objective.second_value_usd)!r}",
            *(line for category in _categories(world) for line in category),
            *(line for model in world.models for line in _model(model)),
            "",
        ]
    )


def typical_tokens(world: World) -> list[int | None]:
    """Return the tokens of a typical prompt of each category; None where no prompt's are known."""
    tokens = [world.requested_tokens[prompts] for prompts in world.prompts_by_category]
    known = [counts[counts > 0] for counts in tokens]
    return [max(1, round(float(np.median(counts)))) if counts.size else None for counts in known]


def _categories(world: World) -> Iterator[list[str]]:
    for category, tokens in zip(world.categories, typical_tokens(world), strict=True):
        size = [] if tokens is None else [f"input_tokens = {tokens}"]
        yield ["", f'[categories."{category}"]', *size]


def _model(model: Model) -> list[str]:
    return [
        "",
        "[[models]]",
        f'id = "{model.id}"',
        f"input_usd_per_mtok = {model.prices.input_usd_per_mtok!r}",
        f"output_usd_per_mtok = {model.prices.output_usd_per_mtok!r}",
    ]
