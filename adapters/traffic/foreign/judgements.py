"""Judgements that a log keeps apart from the calls they are about."""

from collections.abc import Iterable
from typing import NamedTuple


class Judged(NamedTuple):
    """What the judgements of a call say by source, and when the last of them was known, in microseconds."""

    values: dict[str, float]
    time_us: int | None


class Judgements:
    """Judgements by what they are about. Of two of a source, the one with the larger (time, value) counts."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, tuple[int, float]]] = {}

    def add(self, about: str, source: str, value: float, time_us: int | None) -> None:
        """Keep a judgement; a time that is unknown comes before all others."""
        kept = self._known.setdefault(about, {})
        kept[source] = max(kept.get(source, (-1, -1.0)), (-1 if time_us is None else time_us, value))

    def of(self, about: Iterable[str]) -> Judged:
        """Return what is known of a call by its names, the first of which counts where several have a source."""
        found: dict[str, tuple[int, float]] = {}
        for one in about:
            found = {**self._known.get(one, {}), **found} if one else found
        times = [time for time, _ in found.values() if time >= 0]
        return Judged({source: value for source, (_, value) in found.items()}, max(times, default=None))

    def forget(self, about: Iterable[str]) -> None:
        """Drop judgements."""
        for one in about:
            self._known.pop(one, None)
