"""Models and categories, with who manages them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from adapters.ledger import MANAGED_BY_FILE
from adapters.sql.schema import categories, models
from adapters.sql.statements import insert_or_keep, insert_or_replace
from bandit.catalogue import Model, Prices

_NAME_CATEGORY: Final = insert_or_replace(categories, categories.c.keys())
_FIND_CATEGORY: Final = insert_or_keep(categories, categories.c.keys())
_PUT_MODEL: Final = insert_or_replace(models, models.c.keys())


def add_categories(connection: Connection, namespace: str, names: Sequence[str], *, managed_by: str) -> None:
    """Remember categories; only the file takes over known ones."""
    statement = _NAME_CATEGORY if managed_by == MANAGED_BY_FILE else _FIND_CATEGORY
    rows = [{"namespace": namespace, "name": name, "managed_by": managed_by} for name in names]
    if rows:
        connection.execute(statement, rows)


def apply_models(connection: Connection, wanted: Sequence[Model]) -> None:
    """Make the file-managed models exactly these; disable the others."""
    removed = models.c.id.not_in([model.id for model in wanted])
    connection.execute(update(models).where(models.c.managed_by == MANAGED_BY_FILE, removed).values(enabled=False))
    if wanted:
        connection.execute(_PUT_MODEL, [_row(model) for model in wanted])


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
