"""What is found out about a log while its calls go by: what they know, calls that come twice, units that are mixed."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Self

from adapters.traffic.calls import Call
from adapters.traffic.log import LogReport
from adapters.traffic.reading import ANY_SOURCE, DEFAULT_CATEGORY, Found, Reading

MAX_REMEMBERED: Final = 2_000_000
"""Ids among which duplicates are looked for, some 150 MB."""
FORGOTTEN: Final = f"calls that come twice were looked for among the first {MAX_REMEMBERED:,} ids"
DURATIONS: Final = ("latency_s", "first_token_s")
PER_DECADE: Final = 8
_FACTOR: Final = 3 * PER_DECADE
"""Between seconds and milliseconds."""
_MIXED: Final = (
    "{} falls apart into two heaps about a factor of 1,000 apart ({:,} and {:,} calls): were two units mixed? "
    "All were read in the same one"
)
_SHARE: Final = 0.01
_FEWEST: Final = 20
_EMPTY: Final = 0.02
_SLOW_S: Final = 600.0
_YEAR_2000_US: Final = 946_684_800_000_000


@dataclass(slots=True)
class Magnitudes:
    """How many durations are in each eighth of a decade of seconds, and the earliest time: wrong units show there."""

    durations: dict[str, Counter[int]] = field(default_factory=lambda: {name: Counter() for name in DURATIONS})
    earliest_us: int | None = None

    def add(self, call: Call) -> None:
        """Count a call."""
        for name, counts in self.durations.items():
            duration = getattr(call, name)
            if duration:
                counts[math.floor(math.log10(duration) * PER_DECADE)] += 1
        if call.time_us is not None and (self.earliest_us is None or call.time_us < self.earliest_us):
            self.earliest_us = call.time_us

    def plus(self, other: Self) -> Self:
        """Return what was counted in either."""
        earliest = [time for time in (self.earliest_us, other.earliest_us) if time is not None]
        durations = {name: counts + other.durations[name] for name, counts in self.durations.items()}
        return type(self)(durations, min(earliest, default=None))

    def doubts(self) -> list[str]:
        """Return a sentence for each thing that looks like a wrong unit."""
        found = [doubt for name, counts in self.durations.items() for doubt in _doubts_about(name, counts)]
        if self.earliest_us is not None and self.earliest_us < _YEAR_2000_US:
            found.append("there are times before the year 2000: is their unit right?")
        return found


class Findings:
    """Counts into a report while a log is read."""

    def __init__(self, report: LogReport) -> None:
        self._report = report
        self._ids: set[int] = set()
        self._has_forgotten = False
        self._by_default = 0
        self._magnitudes = Magnitudes()

    def is_new(self, found: Found) -> bool:
        """Count a call and return True, unless one with its id was there before."""
        call = found.call
        if call.call_id and not self._remembered(call.call_id):
            self._report.reject("call_id was there before", found.record.line, found.record.file)
            return False
        self._report.used += 1
        self._report.knows.update(
            [name for name, cell in zip(Call._fields, call, strict=True) if cell not in (None, "")]
        )
        self._report.sources.update(found.sources)
        self._by_default += not call.category
        self._magnitudes.add(call)
        return True

    def conclude(self, reading: Reading) -> None:
        """Write what the reader of the report should know."""
        report, notes = self._report, self._report.notes
        if self._by_default:
            notes.append(f"{self._by_default:,} calls say no category; they are read as category {DEFAULT_CATEGORY}")
        for column, count in sorted(reading.unusable_categories.items()):
            notes.append(f"{count:,} texts of {column} make no name (1 to 64 of A-Z a-z 0-9 . _ : / -), so no category")
        for source, count in sorted(reading.unusable_judgements.items()):
            notes.append(f"{count:,} judgements of {source} are not between 0 and 1, and unknown")
        if self._has_forgotten:
            notes.append(FORGOTTEN)
        if reading.quality_source != ANY_SOURCE and report.used and reading.quality_source not in report.sources:
            known = ", ".join(sorted(report.sources)) or "none"
            notes.append(f"no call has a judgement of {reading.quality_source}; judgements there are: {known}")
        notes.extend(self._magnitudes.doubts())

    def _remembered(self, call_id: str) -> bool:
        number = hash(call_id)
        if number in self._ids:
            return False
        if len(self._ids) < MAX_REMEMBERED:
            self._ids.add(number)
        else:
            self._has_forgotten = True
        return True


def _doubts_about(name: str, counts: Counter[int]) -> list[str]:
    """Return a sentence where durations are in two heaps about a factor of 1,000 apart, or absurdly long."""
    total = sum(counts.values())
    if total < _FEWEST:
        return []
    for cut in range(min(counts) + 1, max(counts) + 1):
        low = {place: count for place, count in counts.items() if place < cut}
        high = {place: count for place, count in counts.items() if place >= cut}
        smaller = min(sum(low.values()), sum(high.values()))
        middle = sum(counts[place] for place in range(cut - PER_DECADE // 2, cut + PER_DECADE // 2))
        if smaller < _SHARE * total or middle > _EMPTY * smaller:
            continue
        if abs(_median(high) - _median(low) - _FACTOR) <= PER_DECADE // 2:
            return [_MIXED.format(name, sum(low.values()), sum(high.values()))]
    if 10 ** (_median(counts) / PER_DECADE) > _SLOW_S:
        return [f"{name} is over {_SLOW_S:.0f} seconds for most calls: is its unit right?"]
    return []


def _median(counts: dict[int, int] | Counter[int]) -> int:
    seen, half = 0, sum(counts.values()) / 2
    for place in sorted(counts):
        seen += counts[place]
        if seen >= half:
            return place
    raise ValueError("nothing was counted")
