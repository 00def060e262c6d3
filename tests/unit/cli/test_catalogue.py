"""`catalogue import` prints models that a configuration can hold."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

PRICES = {
    "acme/small-1": {
        "litellm_provider": "acme",
        "mode": "chat",
        "input_cost_per_token": 1.5e-07,
        "output_cost_per_token": 6e-07,
        "cache_read_input_token_cost": 7.5e-08,
        "max_input_tokens": 128000,
        "max_output_tokens": 4096,
        "supports_function_calling": True,
    },
    "tiered-1": {
        "litellm_provider": "acme",
        "mode": "chat",
        "input_cost_per_token": 1e-06,
        "output_cost_per_token": 2e-06,
        "input_cost_per_token_above_200k_tokens": 2e-06,
    },
    "spoken-1": {"litellm_provider": "other", "mode": "chat", "input_cost_per_second": 0.001},
}


@pytest.fixture
def prices(tmp_path: Path) -> str:
    """A price list in the folder of `cli`."""
    (tmp_path / "prices.json").write_text(json.dumps(PRICES))
    return "prices.json"


def test_models_are_printed_as_tables_of_a_configuration(cli: Cli, prices: str) -> None:
    ended = cli("catalogue", "import", prices, "acme/small-1")
    assert ended.code == 0
    assert tomllib.loads(ended.out)["models"] == [
        {
            "id": "acme/small-1",
            "family": "small-1",
            "provider": "acme",
            "upstream": "small-1",
            "input_usd_per_mtok": 0.15,
            "cached_input_usd_per_mtok": 0.075,
            "output_usd_per_mtok": 0.6,
            "context_tokens": 128_000,
            "max_output_tokens": 4096,
            "capabilities": ["tools"],
        }
    ]


def test_what_is_written_passes_the_check_and_is_never_overwritten(cli: Cli, prices: str) -> None:
    words = ("catalogue", "import", prices, "--provider", "acme", "--out", "models.toml")
    assert "Wrote 2 models to models.toml" in cli(*words).out
    checked = cli("config", "check", "models.toml", "--json")
    assert (checked.code, checked.document["models"]) == (0, ["acme/small-1", "tiered-1"])
    before = Path("models.toml").read_text()
    assert "# The list has further prices for long prompts" in before
    again = cli(*words, "--json")
    assert (again.code, again.document["error"]["reason"]) == (1, "FILE_EXISTS")
    assert Path("models.toml").read_text() == before


def test_the_document_holds_models_and_the_text(cli: Cli, prices: str) -> None:
    document = cli("catalogue", "import", prices, "tiered-1", "--json").document
    [model] = document["models"]
    assert (model["id"], model["cached_input_usd_per_mtok"], model["has_tiers"]) == ("tiered-1", None, True)
    assert tomllib.loads(document["toml"])["models"][0]["id"] == "tiered-1"
    assert document["path"] is None


def test_a_model_without_a_price_is_an_error_and_nothing_is_written(cli: Cli, prices: str) -> None:
    ended = cli("catalogue", "import", prices, "spoken-1", "tiered-1", "--out", "models.toml", "--json")
    assert (ended.code, ended.document["error"]["reason"]) == (1, "PRICE_LIST_REFUSED")
    assert "spoken-1" in ended.document["error"]["message"]
    assert not Path("models.toml").exists()


def test_models_without_a_price_that_nobody_named_are_skipped_and_told(cli: Cli, prices: str) -> None:
    ended = cli("catalogue", "import", prices, "*-1")
    assert [one["id"] for one in tomllib.loads(ended.out)["models"]] == ["acme/small-1", "tiered-1"]
    assert (ended.code, ended.err) == (0, "skipped 1: spoken-1: no price per token\n")
    document = cli("catalogue", "import", prices, "--json").document
    assert document["skipped"] == {"spoken-1": "no price per token"}
    nothing = cli("catalogue", "import", prices, "--provider", "other")
    assert (nothing.code, "none of the 1 models" in nothing.err) == (1, True)


def test_a_name_that_is_not_listed_is_told_with_one_that_is(cli: Cli, prices: str) -> None:
    ended = cli("catalogue", "import", prices, "tierd-1")
    assert (ended.code, "did you mean tiered-1?" in ended.err) == (1, True)
