"""What has to fit together in a registry, whoever changes it: the rules that the configuration file obeys as well."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapters.registry import EntryKind, Registry
from adapters.toml.problems import Finding
from server.config.budgets import check_budgets
from server.config.checks import check_choices
from server.config.knowledge import check_sources, check_weights
from server.config.tables import Tables
from server.errors import RegistryInconsistentError
from server.registry.tables import model_table
from server.settings import Settings

MAX_MODELS: Final = 64
MAX_PROFILES: Final = 1000


def require_consistent(before: Registry, after: Registry, settings: Settings) -> None:
    """Raise RegistryInconsistentError where a change breaks a rule that held before it."""
    held = {finding.message for finding in _findings(before, settings)}
    for finding in _findings(after, settings):
        if finding.message not in held:
            field = ".".join(str(part) for part in finding.path)
            raise RegistryInconsistentError(field, f"{finding.message}; {finding.hint}")


def _findings(registry: Registry, settings: Settings) -> Iterator[Finding]:
    yield from _counts(registry)
    for namespace in sorted({key.namespace for key in registry.entries} | {""}):
        document = _document(registry, settings, namespace)
        yield from check_choices(document)
        yield from check_weights(document)
        yield from check_sources(document)
        yield from check_budgets(document)


def _counts(registry: Registry) -> Iterator[Finding]:
    models = registry.of_kind(EntryKind.MODEL)
    if not any(model_table(entry).enabled for entry in models):
        yield Finding(("models",), "no model would be enabled", "enable or add another one first")
    for name, count, most in (
        ("models", len(models), MAX_MODELS),
        ("profiles", len(registry.of_kind(EntryKind.PROFILE)), MAX_PROFILES),
    ):
        if count > most:
            yield Finding((name,), f"there would be {count} {name}, but there may be {most}", "remove one first")


def _document(registry: Registry, settings: Settings, namespace: str) -> Tables:
    """Return what a configuration file would say for one namespace."""
    policy, inference = settings.learning.policy, settings.learning.inference
    return {
        "models": [{"id": one.key.name, **one.settings} for one in registry.of_kind(EntryKind.MODEL)],
        "categories": _named(registry, EntryKind.CATEGORY, namespace),
        "profiles": _named(registry, EntryKind.PROFILE, ""),
        "learning": {
            "floor": policy.floor,
            "caps": dict(policy.caps),
            "canary_share": policy.canary_share,
            "knowledge_cap": inference.knowledge_cap,
        },
        "routing": {"max_categories": settings.catalogue.max_categories},
        "budgets": [_budget(one) for one in settings.catalogue.budgets_of(namespace)] if namespace else [],
    }


def _named(registry: Registry, kind: EntryKind, namespace: str) -> Mapping[str, Mapping[str, Any]]:
    return {entry.key.name: entry.settings for entry in registry.of_kind(kind, namespace)}


def _budget(budget: Any) -> Mapping[str, Any]:
    amounts = {"usd_per_request": budget.usd_per_request, "usd_per_period": budget.usd_per_period}
    return {
        "name": budget.name,
        "category": budget.category,
        "profile": budget.profile,
        **{name: usd for name, usd in amounts.items() if usd is not None},
    }
