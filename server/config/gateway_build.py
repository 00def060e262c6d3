"""Turns what a valid configuration says of calling models into settings."""

from collections.abc import Mapping
from pathlib import Path

from adapters.providers.chat import Timeouts
from adapters.providers.endpoint import Endpoint, Format, Upstream
from adapters.providers.presets import PRESETS
from server.config.checks import file_beside_database
from server.config.gateway_schema import MIB, GatewayTable
from server.config.provider_keys import ProviderKeys
from server.config.providers import Plan, private_hosts_of, served_models, uncallable_of
from server.config.remedies import remedies_of
from server.config.schema import Document
from server.config.tables import Tables, table_of, text_in
from server.settings import GatewaySettings, HeaderRule


def gateway_of(
    document: Document,
    raw: Tables,
    folder: Path,
    plans: Mapping[str, Plan],
    keys: ProviderKeys,
    fingerprint_key: bytes,
) -> GatewaySettings:
    """Return how to call the models of a document; relative paths in it start in `folder`."""
    table, usable = document.gateway, keys.usable(plans)
    names = {model.id: model.upstream or model.id for model in document.models}
    return GatewaySettings(
        listen=table.listen,
        timeouts=_timeouts(table),
        max_body_bytes=table.max_body_mb * MIB,
        private_hosts=private_hosts_of(raw),
        endpoints={name: _endpoint(plan, keys) for name, plan in usable.items()},
        upstreams={
            id_: Upstream(provider, names[id_]) for _, id_, provider in served_models(raw) if provider in usable
        },
        uncallable=uncallable_of(raw, plans, usable),
        upstream_names={model.id: model.upstream for model in document.models if model.upstream},
        remedies=remedies_of(raw, plans, keys),
        key_variables={plan.name: plan.key_place for plan in plans.values() if plan.is_placed and plan.needs_key},
        categories=dict(table.categories),
        rules=tuple(HeaderRule(rule.header.lower(), rule.pattern, rule.category) for rule in table.rules),
        fingerprint_key=fingerprint_key,
        fingerprint_key_file=file_beside_database(raw, folder, table.fingerprint_key_file, ".fingerprint"),
    )


def _timeouts(table: GatewayTable) -> Timeouts:
    return Timeouts(table.connect_seconds, table.first_token_seconds, table.idle_seconds, table.total_seconds)


def _endpoint(plan: Plan, keys: ProviderKeys) -> Endpoint:
    table, preset = plan.table or {}, PRESETS.get(plan.name)
    stream_usage = table.get("stream_usage")
    return Endpoint(
        name=plan.name,
        format=Format(plan.format),
        base_url=plan.base_url,
        key=keys.found.get(plan.name),
        headers=dict(table_of(table, "headers")),
        query=dict(table_of(table, "query")),
        api_version=text_in(table, "api_version"),
        stream_usage=stream_usage if isinstance(stream_usage, bool) else preset is None or preset.stream_usage,
    )
