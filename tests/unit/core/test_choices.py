"""Eligibility and fallbacks on hand-made catalogues."""

from dataclasses import replace

import pytest

from bandit.catalogue import Model, Prices
from bandit.eligibility import EJECTED, Needs, barred, ejected, eligible
from bandit.fallbacks import fallbacks

BASE = Model(
    "base",
    Prices(1.0, 2.0),
    provider="acme",
    region="eu",
    context_tokens=1_000,
    max_output_tokens=500,
    capabilities=frozenset({"tools", "images"}),
)


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        (Needs(allowed=frozenset({"other"})), "models"),
        (Needs(capabilities=frozenset({"tools", "audio"})), "capabilities"),
        (Needs(region="us"), "region"),
        (Needs(input_tokens=900, max_output_tokens=101), "context_length"),
        (Needs(max_output_tokens=501), "max_output_tokens"),
    ],
)
def test_an_excluded_model_names_what_excluded_it(needs, reason):
    result = eligible([BASE, replace(BASE, id="off", enabled=False)], needs)
    assert result.mask == 0
    assert result.exclusions == {"base": reason, "off": "disabled"}


def test_a_model_that_meets_every_need_is_eligible():
    needs = Needs(frozenset({"base"}), frozenset({"tools"}), "eu", 900, 100)
    assert eligible([replace(BASE, enabled=False), BASE], needs).mask == 0b10


def test_an_unknown_context_length_excludes_nothing():
    assert eligible([replace(BASE, context_tokens=None)], Needs(input_tokens=10**8)).mask == 1


PROVIDERS = [replace(BASE, id=f"m{i}", provider=provider) for i, provider in enumerate("aaabc")]


def test_the_first_fallback_sits_at_another_provider():
    assert fallbacks(PROVIDERS, ranking=(0, 1, 2, 4, 3), chosen=0) == (4, 1, 2)


def test_fallbacks_follow_the_ranking_where_there_is_one_provider():
    assert fallbacks(PROVIDERS[:3], ranking=(2, 0, 1), chosen=0) == (2, 1)


def test_fallbacks_never_repeat_the_chosen_model_and_keep_the_limit():
    assert fallbacks(PROVIDERS, ranking=(3, 4, 0, 1, 2), chosen=3, limit=1) == (4,)
    assert fallbacks(PROVIDERS, ranking=(3,), chosen=3) == ()


def test_the_same_llm_elsewhere_is_turned_to_before_better_ranked_ones():
    models = [
        Model("gpt", Prices(1.0, 1.0), family="gpt", provider="openai"),
        Model("claude", Prices(1.0, 1.0), family="claude", provider="anthropic"),
        Model("gpt-eu", Prices(1.0, 1.0), family="gpt", provider="openai"),
        Model("gpt-azure", Prices(1.0, 1.0), family="gpt", provider="azure"),
    ]
    assert fallbacks(models, ranking=(0, 1, 2, 3), chosen=0) == (3, 2, 1)
    assert fallbacks(models[:3], ranking=(0, 1, 2), chosen=0) == (1, 2)


def test_at_most_half_of_what_is_eligible_is_ejected_the_longest_failing_first():
    models = [Model(name, Prices(1.0, 1.0)) for name in "abcd"]
    everything = eligible(models, Needs())
    out = ejected(models, everything, failing=(2, 0, 3))
    assert (out.mask, out.exclusions) == (0b1010, {"c": EJECTED, "a": EJECTED})
    assert ejected(models, eligible(models, Needs(allowed=frozenset({"c"}))), failing=(2,)).mask == 0b0100
    assert ejected(models, everything, failing=()) is everything


def test_what_cannot_be_called_is_not_eligible_and_the_reason_is_told_unless_there_is_another():
    models = [Model("a", Prices(1.0, 1.0)), Model("b", Prices(1.0, 1.0), enabled=False), Model("c", Prices(1.0, 1.0))]
    out = barred(models, eligible(models, Needs()), {"a": "provider_key", "b": "provider_key"})
    assert (out.mask, out.exclusions) == (0b100, {"a": "provider_key", "b": "disabled"})
