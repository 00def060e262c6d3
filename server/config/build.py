"""Turns a valid configuration file into the settings of the service."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bandit.budget import Budget
from bandit.catalogue import Model, Prices
from bandit.evidence import Signal
from bandit.modes import CheapestWithin, Mode
from bandit.priors import InferenceSettings
from bandit.request import Objective
from bandit.snapshot import PolicySettings
from server.config.checks import key_file_of
from server.config.knowledge import past_of, priors_of, sources_of
from server.config.schema import BudgetTable, CategoryTable, Document, LearningTable, ModelTable, ServerTable
from server.config.store import spool_of, store_of
from server.settings import (
    DEFAULT_PROFILE,
    ApiKey,
    Catalogue,
    CategorySettings,
    GatewaySettings,
    LearningSettings,
    ServerSettings,
    Settings,
    TlsFiles,
    TokenKey,
)

_DAY_S: Final = 86_400.0
_HOUR_S: Final = 3600


def settings_of(
    document: Document,
    raw: Mapping[str, Any],
    folder: Path,
    token_keys: Sequence[TokenKey],
    gateway: GatewaySettings,
    postgres_url: str = "",
) -> Settings:
    """Return the settings that a document describes; relative paths in it start in `folder`."""
    learning, catalogue = _learning(document, folder), _catalogue(document)
    server = _server(document.server, folder)
    return Settings(
        server=dataclasses.replace(server, token_keys=tuple(token_keys), token_key_file=key_file_of(raw, folder)),
        store=store_of(document.store, folder, postgres_url),
        spool=spool_of(document.spool, folder),
        learning=learning,
        catalogue=catalogue,
        gateway=gateway,
        digest=digest_of(learning, catalogue),
    )


def digest_of(learning: LearningSettings, catalogue: Catalogue) -> str:
    """Return a name for everything that shapes decisions: equal for equal models, prices and settings.

    What merely says when things happen, where data is kept and who may call is left out.
    """
    shaping = {
        "inference": dataclasses.asdict(learning.inference),
        "policy": dataclasses.asdict(learning.policy),
        "bucket_s": learning.bucket_s,
        "catalogue": dataclasses.asdict(catalogue),
    }
    text = json.dumps(shaping, sort_keys=True, separators=(",", ":"), default=sorted)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _server(table: ServerTable, folder: Path) -> ServerSettings:
    tls = TlsFiles(folder / table.tls_certificate, folder / table.tls_key) if table.tls_certificate else None
    return ServerSettings(
        listen=table.listen,
        metrics_listen=table.metrics,
        tls=tls,
        keys=tuple(ApiKey(key.id, key.sha256, key.namespace, key.admin) for key in table.keys),
        drain_s=table.drain_seconds,
        grace_s=table.grace_seconds,
        workers=table.workers,
    )


def _learning(document: Document, folder: Path) -> LearningSettings:
    table = document.learning
    sources = {name: category.quality_source for name, category in document.categories.items()}
    return LearningSettings(
        inference=InferenceSettings(
            quality_sources=sources,
            half_lives_s=_half_lives_s(table),
            models=priors_of(document),
            prior_from=sources_of(document),
            warm_start=past_of(document, folder),
            knowledge_cap=table.knowledge_cap,
            knowledge_half_life=table.knowledge_half_life,
            prior_from_weight=table.prior_from_weight,
            judge_delta=table.judge_delta,
        ),
        policy=_policy(document),
        bucket_s=table.bucket_seconds,
        refresh_s=table.refresh_seconds,
        max_feedback_age_s=table.max_feedback_age_days * _DAY_S,
    )


def _policy(document: Document) -> PolicySettings:
    table = document.learning
    return PolicySettings(
        exploration=table.exploration,
        floor=table.floor,
        caps=dict(table.caps),
        canary_share=table.canary_share,
        canary_observations=table.canary_observations,
        spreads_unjudged=table.spread_unjudged,
        modes={name: mode_of(category) for name, category in document.categories.items()},
    )


def mode_of(table: CategoryTable) -> Mode:
    """Return how a category chooses."""
    cheapest = CheapestWithin(table.within, table.within_probability, table.within_exploration)
    return Mode(
        cheapest_within=cheapest if table.mode == "cheapest_within" else None,
        baseline=table.baseline,
        observe_share=table.observe_share,
        guard=table.guard,
    )


def _half_lives_s(table: LearningTable) -> dict[Signal, float]:
    days: dict[Signal, float | None] = table.half_life_days.model_dump()  # type: ignore[assignment]
    return {signal: value * _DAY_S for signal, value in days.items() if value is not None}


def _catalogue(document: Document) -> Catalogue:
    profiles = {
        name: Objective(profile.answer_value_usd, profile.second_value_usd)
        for name, profile in document.profiles.items()
    }
    routing = document.routing
    return Catalogue(
        models=tuple(sorted((_model(table) for table in document.models), key=lambda model: model.id)),
        categories={
            name: CategorySettings(category.input_tokens, category.latency_probability)
            for name, category in document.categories.items()
        },
        profiles={DEFAULT_PROFILE: Objective(), **profiles},
        max_categories=routing.max_categories,
        strict_categories=routing.strict_categories,
        max_fallbacks=routing.max_fallbacks,
        budgets=tuple(sorted((_budget(table) for table in document.budgets), key=lambda budget: budget.name)),
    )


def _budget(table: BudgetTable) -> Budget:
    return Budget(
        name=table.name,
        namespace=table.namespace,
        category=table.category,
        profile=table.profile,
        usd_per_request=table.usd_per_request,
        usd_per_period=table.usd_per_period,
        period_s=table.period_hours * _HOUR_S,
        on_exhausted="refuse" if table.on_exhausted == "refuse" else "cheapest",
    )


def _model(table: ModelTable) -> Model:
    return Model(
        id=table.id,
        prices=Prices(table.input_usd_per_mtok, table.output_usd_per_mtok, table.cached_input_usd_per_mtok),
        family=table.family or table.id,
        provider=table.provider,
        region=table.region,
        context_tokens=table.context_tokens,
        max_output_tokens=table.max_output_tokens,
        capabilities=frozenset(table.capabilities),
        enabled=table.enabled,
        alias_of=table.alias_of,
    )
