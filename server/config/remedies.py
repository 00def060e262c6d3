"""Why models cannot be called, and what to do about it, for people. No text shows a value that might be secret."""

from collections.abc import Mapping
from difflib import get_close_matches

from adapters.providers.presets import PRESETS
from server.config.provider_keys import ProviderKeys
from server.config.providers import Plan, served_models
from server.config.tables import Tables
from server.settings import Remedy


def remedies_of(document: Tables, plans: Mapping[str, Plan], keys: ProviderKeys) -> Mapping[str, Remedy]:
    """Return a remedy for each model of a document that cannot be called, by id."""
    usable = keys.usable(plans)
    return {
        id_: _remedy(id_, provider, plans, keys)
        for _, id_, provider in served_models(document)
        if provider not in usable
    }


def _remedy(id_: str, provider: str, plans: Mapping[str, Plan], keys: ProviderKeys) -> Remedy:
    plan = plans.get(provider)
    if not provider:
        return Remedy(provider, "it names no provider", f'add  provider = "NAME"  to the table of {id_}')
    if plan is None:
        return Remedy(provider, f"the provider {provider} is unknown", _placing(provider, plans))
    if not plan.is_placed:
        return Remedy(provider, f"nobody says where {provider} is", f"add  [providers.{provider}]  with base_url")
    if plan.key_file:
        hint = next((absent.hint for absent in keys.absent if provider in absent.path), "give it the key")
        return Remedy(provider, f"there is no such file as key_file of {provider} names", hint)
    return Remedy(provider, f"{plan.key_env}, the key of {provider}, is not set or empty", f"set {plan.key_env}")


def _placing(provider: str, plans: Mapping[str, Plan]) -> str:
    close = get_close_matches(provider, sorted({*plans, *PRESETS}), n=1)
    meant = f'did you mean "{close[0]}"? Else ' if close else ""
    return f"{meant}add  [providers.{provider}]  with format and base_url"
