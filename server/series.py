"""Counters and histograms for the hot path. They cost a tenth of those of prometheus_client: no lock, no child objects.

One thread counts; any thread may collect.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

MAX_WAITING: Final = 1024
"""Observations that are kept until they are counted all at once."""


class Counts(Collector):
    """A counter with labels."""

    def __init__(self, name: str, text: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._counts: defaultdict[tuple[str, ...], float] = defaultdict(int)
        registry.register(self)

    def add(self, *labels: str) -> None:
        """Count one."""
        self._counts[labels] += 1

    def add_amount(self, amount: float, *labels: str) -> None:
        """Count an amount, which is not negative."""
        self._counts[labels] += amount

    def describe(self) -> Iterator[Metric]:
        """Return the family without its members."""
        yield CounterMetricFamily(self._name, self._text, labels=self._labels)

    def collect(self) -> Iterator[Metric]:
        """Return everything that was counted."""
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for labels, count in list(self._counts.items()):
            family.add_metric(labels, count)
        yield family


class Durations(Collector):
    """A histogram with one label; `bounds` are the upper ends of its buckets, in seconds."""

    def __init__(self, name: str, text: str, label: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name, self._text, self._label = name, text, label
        self._bounds = np.array(bounds)
        self._names = [*map(str, bounds), "+Inf"]
        self._waiting: defaultdict[str, list[float]] = defaultdict(list)
        self._counts: dict[str, NDArray[np.int64]] = {}
        self._sums: dict[str, float] = {}
        self._lock = Lock()
        registry.register(self)

    def observe(self, label: str, seconds: float) -> None:
        """Take one observation in."""
        waiting = self._waiting[label]
        waiting.append(seconds)
        if len(waiting) >= MAX_WAITING:
            self._count(label)

    def describe(self) -> Iterator[Metric]:
        """Return the family without its members."""
        yield HistogramMetricFamily(self._name, self._text, labels=[self._label])

    def collect(self) -> Iterator[Metric]:
        """Return everything that was observed."""
        family = HistogramMetricFamily(self._name, self._text, labels=[self._label])
        for label in list(self._waiting):
            self._count(label)
            totals = np.cumsum(self._counts[label]).tolist()
            family.add_metric([label], list(zip(self._names, totals, strict=True)), self._sums[label])
        yield family

    def _count(self, label: str) -> None:
        with self._lock:
            # Copied and cut in one step each, because the hot path appends without the lock.
            seconds = self._waiting[label][:]
            del self._waiting[label][: len(seconds)]
            counted = np.bincount(np.searchsorted(self._bounds, seconds), minlength=len(self._names))
            self._counts[label] = self._counts.get(label, 0) + counted
            self._sums[label] = self._sums.get(label, 0.0) + sum(seconds)
