"""What is counted, under labels whose number is bounded."""

import pytest
from prometheus_client import generate_latest

from bandit.priors import InferenceSettings
from bandit.signals import Kind
from bandit.votes import SignalStatus
from server.requests import Call


@pytest.fixture
async def metrics(parts):
    parts.metrics.watch(parts.publisher.namespaces, parts.clock)
    return parts.metrics


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"routeward_{name}", labels)


async def test_categories_that_are_not_configured_are_counted_together(metrics):
    for number in range(1000):
        metrics.decided("acme", f"made-up-{number}", "small", Kind.SAMPLED, 1e-5)
    metrics.decided("acme", "chat", "small", Kind.FORCED, 1e-5)
    labels = {"namespace": "acme", "model": "small"}
    assert value(metrics, "decisions_total", category="other", kind="SAMPLED", **labels) == 1000.0
    assert value(metrics, "decisions_total", category="chat", kind="FORCED", **labels) == 1.0
    assert b"made-up" not in generate_latest(metrics.registry)


async def test_scores_are_counted_together(metrics):
    metrics.recorded([("score:a", SignalStatus.APPLIED), ("score:b", SignalStatus.APPLIED)])
    assert value(metrics, "feedback_total", signal="score", result="APPLIED") == 2.0


async def test_the_snapshot_shows_its_age_its_revision_and_what_it_believes(metrics, parts):
    parts.route(Call("poetry"))
    parts.clock.pass_s(3)
    assert value(metrics, "snapshot_age_seconds", namespace="acme") == pytest.approx(3.0)
    assert value(metrics, "snapshot_revision", namespace="acme") == 0.0
    quality = value(metrics, "posterior_quality", namespace="acme", category="chat", model="small")
    assert quality == pytest.approx(InferenceSettings().thumbs.mean, abs=0.01)
    shift = value(metrics, "shift_probability", namespace="acme", model="small", signal="latency")
    assert shift == pytest.approx(0.02, abs=0.01)
    assert value(metrics, "posterior_quality", namespace="acme", category="poetry", model="small") is None
