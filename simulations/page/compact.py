"""Makes what the page carries small: six digits that count, and every series of numbers once."""

import json
from collections.abc import Mapping
from typing import Any, Final

from simulations.page.charts.spec import Spec

DIGITS: Final = 6
_SERIES: Final = 8
"""Lists that are longer are series, and stand in one place."""


def rounded(value: Any) -> Any:
    """Return JSON values whose fractions have six digits that count; whole numbers stay as they are."""
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    if isinstance(value, float):
        return int(value) if value.is_integer() else float(f"{value:.{DIGITS}g}")
    return value


def pooled(charts: Mapping[str, Spec]) -> tuple[dict[str, Spec], list[list[Any]]]:
    """Return charts whose series are places in the list that comes with them, as {"$": place}."""
    places: dict[str, int] = {}

    def placed(value: Any) -> Any:
        if not isinstance(value, list) or len(value) <= _SERIES:
            return value
        return {"$": places.setdefault(json.dumps(value), len(places))}

    found = {
        name: {**spec, "data": [{key: placed(value) for key, value in trace.items()} for trace in spec["data"]]}
        for name, spec in charts.items()
    }
    return found, [json.loads(text) for text in places]
