"""What is wrong with the gateway of a document, beside its providers."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Final

from adapters.toml.explain import did_you_mean
from adapters.toml.lines import Path
from adapters.toml.problems import Finding
from server.config.checks import check_exposed
from server.config.provider_checks import CREDENTIALS, TOKEN, check_providers
from server.config.provider_keys import ProviderKeys
from server.config.providers import Plan, is_listening, uncallable_of
from server.config.tables import Tables, entries_of, number_of, table_of, text_in, text_of
from server.fields import FINGERPRINT_BYTES, FINGERPRINT_PREFIX

FINGERPRINT: Final = re.compile(f"{re.escape(FINGERPRINT_PREFIX)}[0-9a-f]{{{2 * FINGERPRINT_BYTES}}}")
"""Name of a category that nobody named."""
_PLACE: Final = ("gateway", "listen")
_CAUSES: Final = {"models", "provider", "providers"}
"""Tables for whose faults, or for whose name, models may lack a provider."""


def check_gateway(
    document: Tables, plans: Mapping[str, Plan], keys: ProviderKeys, *, has_token_keys: bool, folder: FilePath
) -> Iterator[Finding]:
    """Find what is wrong with the gateway of a document, and its providers; relative paths start in `folder`."""
    yield from check_providers(document, plans)
    yield from keys.findings
    if is_listening(document):
        yield from _listening(document, folder, has_token_keys=has_token_keys)
        yield from _names(document)
        yield from _times(document)
    yield from _fingerprints(document)
    yield from _rules(document)


def check_callable(
    document: Tables, plans: Mapping[str, Plan], keys: ProviderKeys, found: Iterable[Finding]
) -> Iterator[Finding]:
    """Find that a server would lack the keys of its providers; what was `found` already may be the cause of it."""
    yield from keys.absent
    causes = any(finding.path[0] in _CAUSES for finding in (*found, *keys.absent))
    if is_listening(document) and not causes and not keys.problems:
        yield from _nothing_callable(document, plans, keys)


def _listening(document: Tables, folder: FilePath, *, has_token_keys: bool) -> Iterator[Finding]:
    address = text_of(document, *_PLACE)
    for name in ("listen", "metrics"):
        if address == text_of(document, "server", name) and not address.endswith(":0"):
            message = f"listen of [gateway] and {name} of [server] are the same address"
            yield Finding(_PLACE, message, "give the gateway a port of its own")
    yield from check_exposed(document, _PLACE, folder, has_token_keys=has_token_keys)


def _nothing_callable(document: Tables, plans: Mapping[str, Plan], keys: ProviderKeys) -> Iterator[Finding]:
    models = {text_in(model, "id") for _, model in entries_of(document, "models") if model.get("enabled") is not False}
    if models and models <= uncallable_of(document, plans, keys.usable(plans)).keys():
        wanted = sorted({plan.key_env for plan in plans.values() if plan.is_placed and plan.key_env})
        hint = "name the provider of each model: one that has a preset, or a table [providers.NAME]"
        advice = f"set {' or '.join(wanted)}" if wanted else hint
        yield Finding(_PLACE, "the gateway could call none of the models", advice)


def _names(document: Tables) -> Iterator[Finding]:
    for index, model in entries_of(document, "models"):
        id_ = text_in(model, "id")
        if id_ == "auto" or id_.startswith("auto/"):
            message = f'callers of the gateway could not name "{id_}": to them it means that any model will do'
            yield Finding(("models", index, "id"), message, "give it another id")


def _times(document: Tables) -> Iterator[Finding]:
    total = number_of(document, "gateway", "total_seconds")
    for name in ("connect_seconds", "first_token_seconds", "idle_seconds"):
        if name in table_of(document, "gateway") and number_of(document, "gateway", name) > total:
            message = f"{name} is more than total_seconds, which is {total:g}"
            yield Finding(("gateway", name), message, "lower it, or raise total_seconds")


def _fingerprints(document: Tables) -> Iterator[Finding]:
    for name, category in table_of(table_of(document, "gateway"), "categories").items():
        place: Path = ("gateway", "categories", name)
        if not FINGERPRINT.fullmatch(name):
            hint = "copy it from the header x-routeward-category of an answer, as auto-0123456789ab"
            yield Finding(place, "categories hold a name that is no fingerprint", hint)
        yield from _category(document, place, category)


def _rules(document: Tables) -> Iterator[Finding]:
    for index, rule in entries_of(table_of(document, "gateway"), "rules"):
        place: Path = ("gateway", "rules", index)
        header, pattern = rule.get("header"), rule.get("pattern")
        if isinstance(header, str) and not TOKEN.fullmatch(header):
            hint = "a name of a header has letters, digits and - in it"
            yield Finding((*place, "header"), "header is a name that no header can have", hint)
        elif isinstance(header, str) and header.lower() in CREDENTIALS:
            hint = "let callers say who they are in another header"
            yield Finding((*place, "header"), f"{header} carries a credential", hint)
        if isinstance(pattern, str) and not (0 < len(pattern) <= 200 and pattern.isprintable()):
            hint = 'write 1 to 200 printable characters, as  pattern = "checkout-*"'
            yield Finding((*place, "pattern"), "pattern matches no header", hint)
        yield from _category(document, (*place, "category"), rule.get("category"))


def _category(document: Tables, place: Path, category: object) -> Iterator[Finding]:
    known = table_of(document, "categories")
    strict = table_of(document, "routing").get("strict_categories") is True
    if strict and isinstance(category, str) and category not in known:
        yield Finding(place, f'there is no category "{category}" in this file', did_you_mean(category, known))
