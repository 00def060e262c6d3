"""What the configuration file names, as entries of the registry."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapters.ledger import MANAGED_BY_FILE
from adapters.registry import Edit, Entry, EntryKey, EntryKind, Registry
from bandit.catalogue import Model
from bandit.modes import Mode
from bandit.priors import ModelPrior
from bandit.request import Objective
from server.registry.changes import edit_to
from server.registry.tables import canonical
from server.settings import DEFAULT_PROFILE, Settings


def file_entries(settings: Settings, namespaces: Iterable[str]) -> list[Entry]:
    """Return the models, profiles, and categories of these namespaces that the configuration file names."""
    return [
        Entry(key, canonical(key, said), MANAGED_BY_FILE)
        for key, said in (*_models(settings), *_profiles(settings), *_categories(settings, namespaces))
    ]


def file_edits(registry: Registry, settings: Settings, namespaces: Iterable[str]) -> list[Edit]:
    """Return what has to be edited so that the file owns what it names.

    A model that it no longer names is disabled, other entries are removed; whoever manages the registry may then change
    them. What others registered is left alone.
    """
    served = ["", *namespaces]
    wanted = {entry.key: entry for entry in file_entries(settings, served[1:])}
    edits: list[Edit] = []
    for key, entry in wanted.items():
        edits += edit_to(registry, key, entry.settings, MANAGED_BY_FILE, after=edits)
    for key, present in sorted(registry.entries.items()):
        if present.managed_by == MANAGED_BY_FILE and key not in wanted and key.namespace in served:
            left = {**present.settings, "enabled": False} if key.kind is EntryKind.MODEL else None
            edits += edit_to(registry, key, left, after=edits)
    return edits


def _models(settings: Settings) -> Iterator[tuple[EntryKey, Mapping[str, Any]]]:
    priors, names = settings.learning.inference.models, settings.gateway.upstream_names
    for model in settings.catalogue.models:
        said = {**_model(model), **_prior(priors.get(model.id, ModelPrior())), "upstream": names.get(model.id, "")}
        yield EntryKey(EntryKind.MODEL, "", model.id), {key: value for key, value in said.items() if value is not None}


def _model(model: Model) -> Mapping[str, Any]:
    prices = model.prices
    return {
        "input_usd_per_mtok": prices.input_usd_per_mtok,
        "output_usd_per_mtok": prices.output_usd_per_mtok,
        "cached_input_usd_per_mtok": prices.cached_input_usd_per_mtok,
        "family": model.family,
        "provider": model.provider,
        "region": model.region,
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": sorted(model.capabilities),
        "enabled": model.enabled,
        "alias_of": model.alias_of,
    }


def _prior(prior: ModelPrior) -> Mapping[str, Any]:
    return {
        "prior_quality": prior.quality,
        "prior_weight": prior.quality_weight,
        "prior_error_rate": prior.error_rate,
        "list_latency_seconds": prior.latency_s,
        "list_output_tokens": None if prior.output_tokens is None else round(prior.output_tokens),
    }


def _profiles(settings: Settings) -> Iterator[tuple[EntryKey, Mapping[str, Any]]]:
    for name, objective in settings.catalogue.profiles.items():
        if (name, objective) == (DEFAULT_PROFILE, Objective()):
            continue  # it holds without being named
        yield EntryKey(EntryKind.PROFILE, "", name), objective._asdict()


def _categories(settings: Settings, namespaces: Iterable[str]) -> Iterator[tuple[EntryKey, Mapping[str, Any]]]:
    inference, policy = settings.learning.inference, settings.learning.policy
    sources = inference.quality_sources
    for name, category in settings.catalogue.categories.items():
        said = {
            "input_tokens": category.input_tokens,
            "latency_probability": category.latency_probability,
            "quality_source": sources.get(name) or sources.get("default", "thumb"),
            "prior_from": inference.prior_from.get(name, ""),
            **_mode(policy.mode(name)),
        }
        for namespace in namespaces:
            yield EntryKey(EntryKind.CATEGORY, namespace, name), said


def _mode(mode: Mode) -> Mapping[str, Any]:
    said: dict[str, Any] = {"baseline": mode.baseline, "observe_share": mode.observe_share, "guard": mode.guard}
    if mode.cheapest_within is not None:
        within, probability, exploration = (
            mode.cheapest_within.within,
            mode.cheapest_within.probability,
            mode.cheapest_within.exploration_share,
        )
        said |= {
            "mode": "cheapest_within",
            "within": within,
            "within_probability": probability,
            "within_exploration": exploration,
        }
    return said
