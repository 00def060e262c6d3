"""What GetPosterior shows."""

from dataclasses import replace

import pytest

from bandit.records import SignalRecord
from bandit.signals import DecisionFacts, Kind, Outcome, Status, Thumb
from server.beliefs import Beliefs
from server.errors import CategoryUnknownError, ProfileUnknownError
from server.requests import Call


@pytest.fixture
async def beliefs(parts):
    return Beliefs(parts.publisher.namespaces, parts.questions)


async def learn(parts, model, *facts):
    decision = DecisionFacts("chat", model, Kind.SAMPLED, parts.clock(), 500)
    records = [
        SignalRecord("acme", bytes([number] * 12), fact.signal, fact, 1, 1, decision, 0.5)
        for number, fact in enumerate(facts)
    ]
    written = await parts.store.write(records)
    parts.namespace.apply(written.changes["acme"])
    await parts.publisher.refresh(parts.namespace)


async def test_every_known_category_and_every_model_is_shown_in_order(beliefs, parts):
    parts.route(Call("poetry"))
    _, categories = beliefs.show("", "", parts.caller)
    assert [one.category for one in categories] == ["chat", "default", "poetry"]
    assert [model.model for model in categories[0].models] == ["large", "other", "retired", "small"]


async def test_what_was_observed_moves_the_means_and_is_counted(beliefs, parts):
    facts = [Outcome(Status.OK, 400_000, None, 480, None, 100), *[Thumb(up=True)] * 9, Outcome(Status.ERROR)]
    await learn(parts, "large", *facts)
    snapshot, (chat,) = beliefs.show("chat", "", parts.caller)
    large, other = chat.models[:2]
    assert (large.outcome_count, large.quality_count) == (2.0, 9.0)
    assert (other.outcome_count, other.quality_count) == (0.0, 0.0)
    assert large.quality > other.quality
    assert large.quality_sd < other.quality_sd
    assert large.error_rate > other.error_rate
    assert large.latency_s < other.latency_s < other.latency_p95_s
    assert snapshot.revision == len(facts)


async def test_probabilities_are_those_the_next_decision_is_drawn_from(beliefs, parts):
    _, (chat,) = beliefs.show("chat", "frugal", parts.caller)
    distribution = parts.route(Call("chat", profile="frugal")).distribution
    shown = {model.model: model.probability for model in chat.models}
    models = (model.id for model in parts.settings.catalogue.models)
    assert shown == dict(zip(models, distribution.probabilities, strict=True))
    assert shown["retired"] == 0.0


async def test_what_excludes_a_model_is_named(beliefs, parts):
    _, (chat,) = beliefs.show("chat", "", parts.caller)
    assert {model.model: model.excluded for model in chat.models} == {
        "large": "",
        "other": "",
        "retired": "disabled",
        "small": "",
    }


async def test_models_that_are_all_disabled_are_shown_nevertheless(parts_of):
    usual = await parts_of()
    disabled = tuple(replace(model, enabled=False) for model in usual.settings.catalogue.models)
    parts = await parts_of(models=disabled)
    _, (chat,) = Beliefs(parts.publisher.namespaces, parts.questions).show("chat", "", parts.caller)
    assert [model.probability for model in chat.models] == [0.0] * 4


async def test_showing_an_unknown_category_creates_none(beliefs, parts):
    with pytest.raises(CategoryUnknownError):
        beliefs.show("poetry", "", parts.caller)
    assert "poetry" not in parts.namespace.categories


async def test_an_unknown_profile_is_refused(beliefs, parts):
    with pytest.raises(ProfileUnknownError):
        beliefs.show("chat", "cheap", parts.caller)
