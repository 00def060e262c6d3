"""A price list of the form that LiteLLM keeps: what of it becomes models, and what is refused."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from adapters.price_list import (
    ListedModel,
    PriceListError,
    check_number,
    chosen,
    listed_models,
    read_price_list,
    sellable,
)

SMALL = {
    "litellm_provider": "acme",
    "mode": "chat",
    "input_cost_per_token": 1.5e-07,
    "output_cost_per_token": 6e-07,
}
LIST: dict[str, dict[str, Any]] = {
    "sample_spec": {"mode": "one of chat, embedding", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
    "acme/small-1": {
        **SMALL,
        "cache_read_input_token_cost": 7.5e-08,
        "max_tokens": 4096,
        "max_input_tokens": 128000,
        "max_output_tokens": 4096.0,
        "supports_function_calling": True,
        "supports_vision": True,
        "supports_response_schema": True,
        "supports_audio_input": False,
    },
    "large-1": {**SMALL, "litellm_provider": "together_ai", "input_cost_per_token_above_128k_tokens": 3e-07},
    "azure/eu/large-1@2026": {**SMALL, "litellm_provider": "azure"},
    "spoken-1": {"litellm_provider": "acme", "mode": "chat", "input_cost_per_second": 0.001},
    "free-1": {**SMALL, "input_cost_per_token": 0.0, "output_cost_per_token": 0},
    "vectors-1": {**SMALL, "mode": "embedding"},
    "odd name": SMALL,
}


def written(folder: Path, document: object) -> Path:
    path = folder / "prices.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def model(entry: dict[str, Any], name: str = "m") -> ListedModel:
    [found] = listed_models({name: entry}, [name])
    return found


def test_a_model_has_prices_per_million_tokens_limits_and_capabilities(tmp_path: Path) -> None:
    [found] = listed_models(read_price_list(written(tmp_path, LIST)), ["acme/small-1"])
    assert found == ListedModel(
        id="acme/small-1",
        provider="acme",
        upstream="small-1",
        family="small-1",
        input_usd_per_mtok=0.15,
        output_usd_per_mtok=0.6,
        cached_input_usd_per_mtok=0.075,
        context_tokens=128_000,
        max_output_tokens=4096,
        capabilities=("json", "tools", "vision"),
        has_tiers=False,
    )


def test_what_the_list_does_not_say_is_unknown() -> None:
    found = model(SMALL)
    assert (found.cached_input_usd_per_mtok, found.context_tokens, found.max_output_tokens) == (None, None, None)
    assert (found.capabilities, found.has_tiers) == ((), False)


def test_names_of_providers_and_models_are_those_that_a_gateway_calls() -> None:
    large, azure = model(LIST["large-1"], "large-1"), model(LIST["azure/eu/large-1@2026"], "azure/eu/large-1")
    assert (large.provider, large.upstream, large.has_tiers) == ("together", "large-1", True)
    assert (azure.provider, azure.upstream, azure.family) == ("azure", "large-1", "large-1")
    tagged = model({**SMALL, "litellm_provider": "openrouter"}, "openrouter/acme/large-1:free")
    assert (tagged.upstream, tagged.family) == ("acme/large-1:free", "large-1")


def test_a_context_holds_at_least_the_longest_answer() -> None:
    assert model({**SMALL, "max_input_tokens": 100, "max_output_tokens": 200}).context_tokens == 200


@pytest.mark.parametrize("price", [None, "0.1", True, -1e-07, math.nan, math.inf, 1.0, [], {}])
@pytest.mark.parametrize("key", ["input_cost_per_token", "output_cost_per_token"])
def test_a_model_without_a_known_price_is_refused_by_name(key: str, price: object) -> None:
    with pytest.raises(PriceListError, match=r"models without a price per token: m; leave them out"):
        model({**SMALL, key: price})


def test_every_model_without_a_price_is_named() -> None:
    with pytest.raises(PriceListError, match="a, b;"):
        listed_models({"a": {}, "b": {}, "c": SMALL}, ["a", "b", "c"])


@pytest.mark.parametrize("key", ["input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost"])
def test_a_price_of_zero_is_taken_only_where_that_was_said(key: str) -> None:
    entries = {"m": {**SMALL, key: 0.0}}
    with pytest.raises(PriceListError, match=r"with a price of zero: m; .*--allow-free"):
        listed_models(entries, ["m"])
    [found] = listed_models(entries, ["m"], allow_free=True)
    assert found.is_free


def test_a_name_that_is_no_id_is_refused() -> None:
    with pytest.raises(PriceListError, match="whose name is no id here: odd name"):
        listed_models(LIST, ["odd name"])


@pytest.mark.parametrize("tokens", ["4096", True, -1, 0, 1e12, math.nan, None, []])
def test_a_limit_that_is_none_is_unknown(tokens: object) -> None:
    assert model({**SMALL, "max_input_tokens": tokens, "max_output_tokens": tokens}).context_tokens is None


def test_models_are_chosen_by_name_pattern_provider_and_mode(tmp_path: Path) -> None:
    entries = read_price_list(written(tmp_path, LIST))
    assert "sample_spec" not in entries
    assert chosen(entries, ["acme/*", "large-1"], mode="chat") == ["acme/small-1", "large-1"]
    assert chosen(entries, [], provider="together", mode="chat") == ["large-1"]
    assert chosen(entries, [], provider="together_ai") == ["large-1"]
    assert chosen(entries, [], mode="embedding") == ["vectors-1"]
    assert len(chosen(entries, [])) == len(LIST) - 1


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["large-2"], r"has no large-2; did you mean large-1"),
        (["zzzz*"], r"has no zzzz\*"),
        (["vectors-1"], "vectors-1 is of provider acme and mode embedding"),
    ],
)
def test_names_that_choose_nothing_are_refused_with_others(names: list[str], said: str) -> None:
    with pytest.raises(PriceListError, match=said):
        chosen(LIST, names, mode="chat")


def test_a_choice_of_nothing_or_of_more_than_fits_is_refused() -> None:
    with pytest.raises(PriceListError, match="no model of the list is chosen"):
        chosen(LIST, [], provider="nobody")
    with pytest.raises(PriceListError, match="65 models are chosen"):
        check_number([f"m{index}" for index in range(65)], [])


@pytest.mark.parametrize(
    ("names", "provider", "advice"),
    [
        ([], "", "give names or patterns, or --provider"),
        ([], "openai", "give names or patterns, as gpt-4.1*"),
        (["*"], "openai", "give fewer names or narrower patterns, as gpt-4.1*"),
    ],
)
def test_what_was_given_already_is_no_advice_against_too_many(names: list[str], provider: str, advice: str) -> None:
    with pytest.raises(PriceListError) as refused:
        check_number(["m"] * 65, names, provider=provider)
    assert str(refused.value).endswith(advice)


def test_the_preset_google_finds_models_of_gemini() -> None:
    assert chosen({"gemini/a": {**SMALL, "litellm_provider": "gemini"}}, [], provider="google") == ["gemini/a"]


def test_only_what_was_named_is_kept_without_a_price() -> None:
    found = ["acme/small-1", "spoken-1", "free-1", "odd name"]
    skipped = {"free-1": "a price of zero", "odd name": "its name is no id here"}
    assert sellable(LIST, found, ["spoken-1"]) == (["acme/small-1", "spoken-1"], skipped)
    assert "free-1" in sellable(LIST, found, ["spoken-1"], allow_free=True)[0]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": ', b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_no_price_list_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_bytes(content)
    with pytest.raises(PriceListError, match=r"model_prices_and_context_window\.json"):
        read_price_list(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PriceListError, match="cannot be read"):
        read_price_list(tmp_path / "none.json")


def test_entries_that_are_none_are_left_out(tmp_path: Path) -> None:
    assert read_price_list(written(tmp_path, {"a": 1, "b": SMALL})) == {"b": SMALL}
