"""The figures of the service, for Prometheus. Label values come from the configuration and the contract only."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bandit.signals import SCORE_PREFIX, Kind
from bandit.sums import digest_of
from bandit.votes import SignalStatus
from server.namespace import Namespace
from server.series import Counts, Durations

OTHER: Final = "other"
"""Stands for every category that the configuration does not name."""

_KINDS: Final = {kind: kind.name for kind in Kind}
"""The attribute itself is looked up by a descriptor, which takes longer than all else here."""

_CALL_SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_DECISION_SECONDS: Final = (25e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3)
_BATCH_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

_BUDGET_FIGURES: Final = {
    "spent_usd": "US dollars billed in the present period, or in the last day where the amount is per request.",
    "price": "What a dollar costs beyond itself.",
    "target_usd": "US dollars that a request may cost now, on average.",
    "exhausted": "1 once the money of the period is spent.",
}

# A second series for every counter that only says when the process first counted it.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Counts what happens. `categories` are the names that may be labels; more may come."""

    def __init__(self, categories: Collection[str]) -> None:
        self.registry = registry = CollectorRegistry()
        self._categories = categories
        self._handled = Counts("routeward_grpc_server_handled", "Calls answered.", ["method", "code"], registry)
        self._handling_seconds = Durations(
            "routeward_grpc_server_handling_seconds",
            "Time from a call's arrival to its answer.",
            "method",
            _CALL_SECONDS,
            registry,
        )
        self._decisions = Counts(
            "routeward_decisions", "Decisions.", ["namespace", "category", "model", "kind"], registry
        )
        self._decision_seconds = Durations(
            "routeward_decision_seconds", "Time to decide.", "kind", _DECISION_SECONDS, registry
        )
        self._feedback = Counts(
            "routeward_feedback", "Signals stored, by what became of them.", ["signal", "result"], registry
        )
        self._feedback_refused = Counts(
            "routeward_feedback_refused", "Reports refused, by reason.", ["reason"], registry
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
        self.store_up = Gauge("routeward_store_up", "1 unless the last write or look failed.", registry=registry)
        self.store_up.set(1)
        self.spool_records = Gauge("routeward_spool_records", "Signals in the spool.", registry=registry)
        self.spool_bytes = Gauge("routeward_spool_bytes", "Bytes of the spool in use.", registry=registry)
        self.spool_oldest_seconds = Gauge(
            "routeward_spool_oldest_seconds", "How long the oldest signal in the spool has waited.", registry=registry
        )
        self.spool_dropped = Counter(
            "routeward_spool_dropped", "Spooled signals that the store refused for good.", registry=registry
        )
        self.decision_log_dropped = Counter(
            "routeward_decision_log_dropped", "Decisions that the log had no room for.", registry=registry
        )
        self.export_failures = Counter(
            "routeward_export_failures", "Sweeps that could not export the log.", registry=registry
        )
        self.task_failures = Counter(
            "routeward_task_failures", "Crashes of background tasks.", ["task"], registry=registry
        )
        self.follow_age_seconds = Gauge(
            "routeward_follow_age_seconds", "Seconds since the shared store was last read.", registry=registry
        )
        ProcessCollector(registry=registry)

    def answered(self, method: str, code: str, seconds: float) -> None:
        """Count a call that ended with this status code."""
        self._handled.add(method, code)
        self._handling_seconds.observe(method, seconds)

    def decided(self, namespace: str, category: str, model: str, kind: Kind, seconds: float) -> None:
        """Count a decision."""
        name = _KINDS[kind]
        self._decisions.add(namespace, category if category in self._categories else OTHER, model, name)
        self._decision_seconds.observe(name, seconds)

    def recorded(self, results: Iterable[tuple[str, SignalStatus]]) -> None:
        """Count the signals of a stored report."""
        for signal, status in results:
            self._feedback.add("score" if signal.startswith(SCORE_PREFIX) else signal, status.name)

    def refused(self, reason: str) -> None:
        """Count a report that was refused."""
        self._feedback_refused.add(reason)

    def watch(self, namespaces: Mapping[str, Namespace], clock: Callable[[], int]) -> None:
        """Show the snapshots of these namespaces; read only when somebody scrapes."""
        self.registry.register(_Snapshots(namespaces, self._categories, clock))


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
        digest = GaugeMetricFamily(
            "routeward_sums_digest",
            "Number that is equal where all that was counted up to the revision of the snapshot is.",
            labels=["namespace"],
        )
        quality = GaugeMetricFamily(
            "routeward_posterior_quality",
            "Posterior mean of quality.",
            labels=["namespace", "category", "model"],
        )
        shift = GaugeMetricFamily(
            "routeward_shift_probability",
            "Probability that a model is at another level than usual.",
            labels=["namespace", "model", "signal"],
        )
        degraded = GaugeMetricFamily(
            "routeward_degraded", "1 while the store has not been read since the start.", labels=["namespace"]
        )
        spent, price, target, exhausted = (
            GaugeMetricFamily(f"routeward_budget_{what}", text, labels=["namespace", "budget"])
            for what, text in _BUDGET_FIGURES.items()
        )
        for name, namespace in list(self._namespaces.items()):
            published = namespace.published
            snapshot = published.snapshot
            for budget, standing, paid in snapshot.budgets:
                spent.add_metric([name, budget.name], standing.usd)
                price.add_metric([name, budget.name], paid)
                target.add_metric([name, budget.name], standing.target_usd)
                exhausted.add_metric([name, budget.name], float(standing.exhausted))
            age.add_metric([name], (self._clock() - snapshot.posterior.now_us) * 1e-6)
            revision.add_metric([name], snapshot.revision)
            digest.add_metric([name], digest_of(published.sums))
            degraded.add_metric([name], float(namespace.degraded))
            for (shifted, signal), probability in snapshot.posterior.shifts.items():
                shift.add_metric([name, shifted, signal], probability)
            for category in tuple(self._categories):
                means = snapshot.expectations.quality[snapshot.row(category)].tolist()
                for model, mean in zip(snapshot.models, means, strict=True):
                    quality.add_metric([name, category, model.id], mean)
        yield from (age, revision, digest, degraded, quality, shift, spent, price, target, exhausted)
