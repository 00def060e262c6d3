"""Counters and histograms of the hot path count like those of Prometheus."""

import threading

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram

from server.series import MAX_WAITING, Counts, Durations

BOUNDS = (0.001, 0.01, 0.1)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_a_counter_counts_each_combination_of_labels_apart(registry):
    counts = Counts("calls", "Calls.", ["method", "code"], registry)
    for labels in (("a", "OK"), ("a", "OK"), ("b", "OK")):
        counts.add(*labels)
    assert registry.get_sample_value("calls_total", {"method": "a", "code": "OK"}) == 2.0
    assert registry.get_sample_value("calls_total", {"method": "b", "code": "OK"}) == 1.0
    assert registry.get_sample_value("calls_total", {"method": "b", "code": "NOT_FOUND"}) is None


@pytest.mark.parametrize("count", [1, MAX_WAITING - 1, MAX_WAITING, 5000])
def test_a_histogram_equals_that_of_prometheus(registry, count):
    ours = Durations("ours", "Ours.", "method", BOUNDS, registry)
    theirs = Histogram("theirs", "Theirs.", ["method"], buckets=BOUNDS, registry=registry)
    for seconds in [*BOUNDS, 0.0, *np.random.default_rng(7).lognormal(-4, 2, count).tolist()]:
        ours.observe("Route", seconds)
        theirs.labels("Route").observe(seconds)
    for bound in (*map(str, BOUNDS), "+Inf"):
        labels = {"method": "Route", "le": bound}
        assert registry.get_sample_value("ours_bucket", labels) == registry.get_sample_value("theirs_bucket", labels)
    for name in ("count", "sum"):
        labels = {"method": "Route"}
        expected = registry.get_sample_value(f"theirs_{name}", labels)
        assert registry.get_sample_value(f"ours_{name}", labels) == pytest.approx(expected)


def test_collecting_meanwhile_loses_no_observation(registry):
    durations = Durations("calls", "Calls.", "method", BOUNDS, registry)
    ended = threading.Event()

    def scrape():
        while not ended.is_set():
            list(durations.collect())

    scraper = threading.Thread(target=scrape)
    scraper.start()
    for _ in range(50_000):
        durations.observe("Route", 0.002)
    ended.set()
    scraper.join()
    assert registry.get_sample_value("calls_count", {"method": "Route"}) == 50_000.0
