"""Models and categories, with who manages them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select, update

from adapters.ledger import MANAGED_BY_FILE
from adapters.sql.schema import categories, models
from adapters.sql.statements import given_columns, insert_or_keep, insert_or_replace, insert_rows
from bandit.catalogue import Model, Prices


def add_categories(connection: Connection, namespace: str, names: Sequence[str], *, managed_by: str) -> None:
    """Remember categories; only the file takes over known ones."""
    statement = insert_or_replace if managed_by == MANAGED_BY_FILE else insert_or_keep
    insert_rows(connection, categories, statement, [(namespace, name, managed_by) for name in names])


def apply_models(connection: Connection, wanted: Sequence[Model]) -> None:
    """Make the file-managed models exactly these; disable the others."""
    removed = models.c.id.not_in([model.id for model in wanted])
    connection.execute(update(models).where(models.c.managed_by == MANAGED_BY_FILE, removed).values(enabled=False))
    if wanted:
        put = insert_or_replace(models, given_columns(models), connection.dialect)
        connection.execute(put, [_row(model) for model in wanted])


def all_models(connection: Connection) -> Sequence[Model]:
    """Return every model of the registry, sorted by id."""
    return tuple(_model(row) for row in connection.execute(select(models).order_by(models.c.id)))


def _row(model: Model) -> Mapping[str, object]:
    prices = model.prices
    return {
        "id": model.id,
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
        "managed_by": MANAGED_BY_FILE,
    }


def _model(row: Row[Any]) -> Model:
    return Model(
        id=row.id,
        prices=Prices(row.input_usd_per_mtok, row.output_usd_per_mtok, row.cached_input_usd_per_mtok),
        family=row.family,
        provider=row.provider,
        region=row.region,
        context_tokens=row.context_tokens,
        max_output_tokens=row.max_output_tokens,
        capabilities=frozenset(row.capabilities),
        enabled=row.enabled,
    )
