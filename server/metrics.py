"""The figures of the service, for Prometheus. Label values come from the configuration and the contract only."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from bandit.signals import SCORE_PREFIX, Kind
from bandit.votes import SignalStatus
from server.namespace import Namespace

MAX_WAITING: Final = 1024
"""Observations that a `Durations` keeps until it counts them."""

OTHER: Final = "other"
"""Stands for every category that the configuration does not name."""

_CALL_SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_DECISION_SECONDS: Final = (25e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3)
_BATCH_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


# A second series for every counter that only says when the process first counted it.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Counts what happens. `categories` are the names that may be labels."""

    def __init__(self, categories: Collection[str]) -> None:
        self.registry = registry = CollectorRegistry()
        self._categories = categories
        self._handled = _Children(
            Counter("routeward_grpc_server_handled", "Calls answered.", ["method", "code"], registry=registry)
        )
        self._handling_seconds = Durations(
            "routeward_grpc_server_handling_seconds",
            "Time from a call's arrival to its answer.",
            _CALL_SECONDS,
            label="method",
            registry=registry,
        )
        self._decisions = _Children(
            Counter("routeward_decisions", "Decisions.", ["namespace", "category", "model", "kind"], registry=registry)
        )
        self._decision_seconds = Durations(
            "routeward_decision_seconds", "Time to decide.", _DECISION_SECONDS, label="kind", registry=registry
        )
        self._feedback = _Children(
            Counter(
                "routeward_feedback", "Signals stored, by what became of them.", ["signal", "result"], registry=registry
            )
        )
        self._feedback_refused = _Children(
            Counter("routeward_feedback_refused", "Reports refused, by reason.", ["reason"], registry=registry)
        )
        self.write_batch_size = Histogram(
            "routeward_write_batch_size", "Signals per transaction.", buckets=_BATCH_SIZES, registry=registry
        )
        self.commit_seconds = Histogram(
            "routeward_commit_seconds", "Time of a transaction.", buckets=_CALL_SECONDS, registry=registry
        )
        self.write_queue_depth = Gauge(
            "routeward_write_queue_depth", "Signals waiting to be written.", registry=registry
        )
        self.decision_log_dropped = Counter(
            "routeward_decision_log_dropped", "Decisions that the log had no room for.", registry=registry
        )
        self.task_failures = Counter(
            "routeward_task_failures", "Crashes of background tasks.", ["task"], registry=registry
        )
        ProcessCollector(registry=registry)

    def answered(self, method: str, code: str, seconds: float) -> None:
        """Count a call that ended with this status code."""
        self._handled[method, code].inc()
        self._handling_seconds.observe(method, seconds)

    def decided(self, namespace: str, category: str, model: str, kind: Kind, seconds: float) -> None:
        """Count a decision."""
        known = category if category in self._categories else OTHER
        self._decisions[namespace, known, model, kind.name].inc()
        self._decision_seconds.observe(kind.name, seconds)

    def recorded(self, results: Iterable[tuple[str, SignalStatus]]) -> None:
        """Count the signals of a stored report."""
        for signal, status in results:
            name = "score" if signal.startswith(SCORE_PREFIX) else signal
            self._feedback[name, status.name].inc()

    def refused(self, reason: str) -> None:
        """Count a report that was refused."""
        self._feedback_refused[reason,].inc()

    def watch(self, namespaces: Mapping[str, Namespace], clock: Callable[[], int]) -> None:
        """Show the snapshots of these namespaces; read only when somebody scrapes."""
        self.registry.register(_Snapshots(namespaces, self._categories, clock))


class _Children(dict[tuple[str, ...], Counter]):
    """The members of a family by their labels, found without the lock and the checks of `labels`."""

    def __init__(self, family: Counter) -> None:
        super().__init__()
        self._family = family

    def __missing__(self, labels: tuple[str, ...]) -> Counter:
        child = self[labels] = self._family.labels(*labels)
        return child


class Durations(Collector):
    """A histogram for the hot path: it takes a tenth of the time, because it counts many observations at once."""

    def __init__(
        self, name: str, text: str, bounds: Sequence[float], *, label: str, registry: CollectorRegistry
    ) -> None:
        self._name, self._text, self._label = name, text, label
        self._bounds = np.array(bounds)
        self._names = [*map(str, bounds), "+Inf"]
        self._waiting: dict[str, list[float]] = {}
        self._counts: dict[str, NDArray[np.int64]] = {}
        self._sums: dict[str, float] = {}
        self._lock = Lock()
        registry.register(self)

    def observe(self, label: str, seconds: float) -> None:
        """Take one observation in."""
        waiting = self._waiting.setdefault(label, [])
        waiting.append(seconds)
        if len(waiting) >= MAX_WAITING:
            self._count(label)

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
            places = np.searchsorted(self._bounds, seconds)
            counted = np.bincount(places, minlength=len(self._names))
            self._counts[label] = self._counts.get(label, 0) + counted
            self._sums[label] = self._sums.get(label, 0.0) + sum(seconds)


class _Snapshots(Collector):
    def __init__(
        self, namespaces: Mapping[str, Namespace], categories: Collection[str], clock: Callable[[], int]
    ) -> None:
        self._namespaces = namespaces
        self._categories = categories
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Return the state of every snapshot, each read through one reference."""
        age = GaugeMetricFamily("routeward_snapshot_age_seconds", "Age of the snapshot.", labels=["namespace"])
        revision = GaugeMetricFamily("routeward_snapshot_revision", "Signals in the snapshot.", labels=["namespace"])
        quality = GaugeMetricFamily(
            "routeward_posterior_quality",
            "Posterior mean of quality.",
            labels=["namespace", "category", "model"],
        )
        for name, namespace in self._namespaces.items():
            snapshot = namespace.published.snapshot
            age.add_metric([name], (self._clock() - snapshot.posterior.now_us) * 1e-6)
            revision.add_metric([name], snapshot.revision)
            for category in self._categories:
                means = snapshot.expectations.quality[snapshot.row(category)].tolist()
                for model, mean in zip(snapshot.models, means, strict=True):
                    quality.add_metric([name, category, model.id], mean)
        yield from (age, revision, quality)
