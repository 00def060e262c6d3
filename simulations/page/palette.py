"""Colours that differ to colour-blind eyes, in both themes (Okabe and Ito, without yellow and black).

More than six names go through the colours again with another dash, pattern and symbol.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simulations.page.result import Result

FIXED: Final = "fixed:"
"""Begins the name of a policy that always takes one model."""
COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
QUIET: Final = "#8A8F98"
"""Of what is there to compare with."""
_DASHES: Final = ("solid", "dash", "dot", "dashdot")
_PATTERNS: Final = ("", "/", ".", "x")
_SYMBOLS: Final = ("circle", "square", "diamond", "triangle-up")


@dataclass(frozen=True, slots=True)
class Look:
    """How a name is drawn, in the words of plotly."""

    colour: str
    dash: str = "solid"
    pattern: str = ""
    symbol: str = "circle"

    def faint(self, alpha: float) -> str:
        """Return the colour, see-through."""
        red, green, blue = (int(self.colour[place : place + 2], 16) for place in (1, 3, 5))
        return f"rgba({red},{green},{blue},{alpha})"


def looks(result: Result) -> Mapping[str, Look]:
    """Return a look for each policy and model, the same in every chart; the baseline is grey.

    A policy that always takes one model looks like that model.
    """
    found = {name: _look(place) for place, name in enumerate(_names(result))}
    fixed = {f"{FIXED}{model}": found[model] for model in found}
    return {**found, **fixed, result.baseline: Look(QUIET, symbol="x")}


def _names(result: Result) -> list[str]:
    """Return names that need a look of their own: models, then policies that choose among them."""
    courses = result.timeline.courses if result.timeline is not None else {}
    models = [*result.models, *(cell.model for cell in result.cells)]
    policies = [name for name in (*result.policies, *courses) if not name.startswith(FIXED)]
    return [name for name in dict.fromkeys([*models, *policies]) if name != result.baseline]


def _look(place: int) -> Look:
    again, colour = divmod(place, len(COLOURS))
    cycle = again % len(_DASHES)
    return Look(COLOURS[colour], _DASHES[cycle], _PATTERNS[cycle], _SYMBOLS[cycle])
