"""Models and their prices out of a file that others keep: LiteLLM's `model_prices_and_context_window.json`.

What the file does not say stays unknown: a model without a price per token is refused, never taken for free.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, NamedTuple

from adapters.names import NAME

MAX_BYTES: Final = 50_000_000
MAX_USD_PER_MTOK: Final = 100_000.0
MAX_TOKENS: Final = 100_000_000
MAX_MODELS: Final = 64
"""How many models a configuration holds."""

_CAPABILITIES: Final = {
    "supports_function_calling": "tools",
    "supports_vision": "vision",
    "supports_response_schema": "json",
    "supports_audio_input": "audio",
}
_PROVIDERS: Final = {"together_ai": "together"}
"""Names of providers that are others here."""
_ALIASES: Final = {"google": "gemini"}
"""Further names here of providers in the list."""
_PER_MILLION: Final = 1e6
_SHOWN: Final = 12
_EXAMPLE: Final = "sample_spec"
"""An entry of the file that only explains the others."""

Entries = Mapping[str, Mapping[str, Any]]


class PriceListError(Exception):
    """A price list cannot be used, or not for what was asked; the text names what is wrong and what to do."""


class ListedModel(NamedTuple):
    """A model of a price list. Prices are US dollars per million tokens; None is not said."""

    id: str
    provider: str
    upstream: str
    family: str
    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_input_usd_per_mtok: float | None
    context_tokens: int | None
    max_output_tokens: int | None
    capabilities: tuple[str, ...]
    has_tiers: bool

    @property
    def is_free(self) -> bool:
        """Whether some of its tokens cost nothing, or somebody wrote zero for what was not known."""
        return 0.0 in (self.input_usd_per_mtok, self.output_usd_per_mtok, self.cached_input_usd_per_mtok)


def read_price_list(path: Path) -> Entries:
    """Return the entries of a file by name. Raises PriceListError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PriceListError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise PriceListError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB; give a price list")
    try:
        entries = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise PriceListError(f"{path} is not JSON; give LiteLLM's model_prices_and_context_window.json") from error
    if not isinstance(entries, dict):
        raise PriceListError(f"{path} holds no entries by name; give LiteLLM's model_prices_and_context_window.json")
    return {name: entry for name, entry in entries.items() if isinstance(entry, dict) and name != _EXAMPLE}


def chosen(entries: Entries, names: Sequence[str], *, provider: str = "", mode: str = "") -> list[str]:
    """Return the names of the entries that are asked for, in the order of the file, whether they have prices or not.

    `names` are names or shell patterns, none for all; `provider` and `mode`, where they are not empty, are those of
    the file. Raises PriceListError for names that choose nothing.
    """
    fitting = [name for name, entry in entries.items() if _fits(entry, provider, mode)]
    missing = [asked for asked in names if not any(_matches(name, asked) for name in fitting)]
    if missing:
        raise PriceListError("; ".join(_unknown(asked, entries, fitting) for asked in missing))
    found = [name for name in fitting if not names or any(_matches(name, asked) for asked in names)]
    if not found:
        raise PriceListError("no model of the list is chosen; leave out --provider or --mode, or give others")
    return found


def check_number(found: Sequence[str], names: Sequence[str], *, provider: str = "") -> None:
    """Raise PriceListError for more entries than a configuration holds; `names` and `provider` chose them."""
    if len(found) > MAX_MODELS:
        message = f"{len(found)} models are chosen, and a configuration holds {MAX_MODELS}"
        narrower = "fewer names or narrower patterns" if names else "names or patterns"
        advice = f"{narrower}, as gpt-4.1*" if provider else f"{narrower}, or --provider"
        raise PriceListError(f"{message}; give {advice}")


def listed_models(entries: Entries, names: Iterable[str], *, allow_free: bool = False) -> list[ListedModel]:
    """Return models by the names of their entries. Raises PriceListError, which names each that has no price."""
    models = [_model(name, entries[name]) for name in names]
    _refuse([one for one in models if isinstance(one, str)], "without a price per token", "put in the price by hand")
    known = [one for one in models if isinstance(one, ListedModel)]
    odd = [one.id for one in known if not NAME.fullmatch(one.id)]
    _refuse(odd, "whose name is no id here", "add a table [[models]] by hand, with the name as its upstream")
    free = [one.id for one in known if one.is_free]
    if not allow_free:
        _refuse(free, "with a price of zero", "--allow-free takes them as free of charge")
    return known


def sellable(
    entries: Entries, found: Sequence[str], names: Sequence[str], *, allow_free: bool = False
) -> tuple[list[str], dict[str, str]]:
    """Return which entries can be models, and why others cannot, by name.

    Of those that nobody named as they are, only a pattern or a provider, what has no price, or no id, is passed over;
    what was named is kept, so that it can be refused.
    """
    skipped = {
        name: why
        for name in found
        if name not in names and (why := _lacking(name, entries[name], allow_free=allow_free))
    }
    return [name for name in found if name not in skipped], skipped


def _lacking(name: str, entry: Mapping[str, Any], *, allow_free: bool) -> str:
    model = _model(name, entry)
    if isinstance(model, str):
        return "no price per token"
    if not NAME.fullmatch(name):
        return "its name is no id here"
    return "a price of zero" if model.is_free and not allow_free else ""


def _fits(entry: Mapping[str, Any], provider: str, mode: str) -> bool:
    listed, provider = entry.get("litellm_provider"), _ALIASES.get(provider, provider)
    return mode in ("", entry.get("mode")) and provider in ("", listed, _PROVIDERS.get(str(listed)))


def _matches(name: str, asked: str) -> bool:
    return name == asked or fnmatchcase(name, asked)


def _unknown(asked: str, entries: Entries, fitting: Sequence[str]) -> str:
    if asked in entries:
        entry = entries[asked]
        return (
            f"{asked} is of provider {entry.get('litellm_provider')} and mode {entry.get('mode')}, which are left out"
        )
    close = get_close_matches(asked, fitting, n=3)
    return f"the list has no {asked}; " + (f"did you mean {' or '.join(close)}?" if close else "see its keys")


def _refuse(names: Sequence[str], what: str, advice: str) -> None:
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise PriceListError(f"models {what}: {', '.join(names[:_SHOWN])}{more}; leave them out, or {advice}")


def _model(name: str, entry: Mapping[str, Any]) -> ListedModel | str:
    """Return a model, or its name where its price is not known."""
    input_usd, output_usd = (_usd_per_mtok(entry.get(f"{key}_cost_per_token")) for key in ("input", "output"))
    if input_usd is None or output_usd is None:
        return name
    listed = str(entry.get("litellm_provider") or "")
    upstream = _upstream(name, listed)
    context, answer = _tokens(entry.get("max_input_tokens")), _tokens(entry.get("max_output_tokens"))
    return ListedModel(
        id=name,
        provider=_provider(listed),
        upstream=upstream,
        family=_family(upstream),
        input_usd_per_mtok=input_usd,
        output_usd_per_mtok=output_usd,
        cached_input_usd_per_mtok=_usd_per_mtok(entry.get("cache_read_input_token_cost")),
        context_tokens=max(context, answer or 0) if context else None,
        max_output_tokens=answer,
        capabilities=tuple(sorted(ours for theirs, ours in _CAPABILITIES.items() if entry.get(theirs) is True)),
        has_tiers=any("_above_" in key and entry[key] for key in entry),
    )


def _usd_per_mtok(value: object) -> float | None:
    """Return a price per million tokens, without the digits that the conversion adds; None for what is no price."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    usd = float(f"{value * _PER_MILLION:.10g}")
    return usd if 0.0 <= usd <= MAX_USD_PER_MTOK else None


def _tokens(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= MAX_TOKENS:
        return None
    return int(value)


def _provider(listed: str) -> str:
    provider = _PROVIDERS.get(listed, listed)
    return provider if NAME.fullmatch(provider) else ""


def _upstream(name: str, listed: str) -> str:
    """Return the name of a model at its provider: the list puts the provider before it, and for Azure a region too."""
    if listed == "azure":
        return name.rpartition("/")[2]
    return name.removeprefix(f"{listed}/")


def _family(upstream: str) -> str:
    """Return the LLM itself: the last part of its name, without a version's tag."""
    family = upstream.rpartition("/")[2].partition(":")[0].partition("@")[0]
    return family if NAME.fullmatch(family) else ""
