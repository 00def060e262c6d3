"""Several servers may write: sums are spread over shards, and rows say which transaction wrote them last."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SUMS: Final = ("namespace", "category", "model", "signal", "source", "bucket")
SPEND: Final = ("namespace", "category", "profile", "priced", "minute")


def upgrade() -> None:
    """Write the small tables anew with a longer key; only SQLite has stores of this age, and it cannot change keys."""
    for name in ("sums", "sums_base"):
        checks = [sa.CheckConstraint("n <= 10000000000", name="count_range")] if name == "sums" else []
        _rewritten(name, SUMS, ("n", "y", "yy"), *checks)
    for name in ("spend", "spend_base"):
        _rewritten(name, SPEND, ("n", "nano_usd"))
    _rewritten("revisions", ("namespace",), ("revision",))
    op.add_column("categories", _changed())


def _rewritten(name: str, key: tuple[str, ...], numbers: tuple[str, ...], *more: sa.CheckConstraint) -> None:
    kept_by_database = [] if name.endswith("_base") else [_changed()]
    op.rename_table(name, f"{name}_before")
    op.create_table(
        name,
        *(sa.Column(column, _type(column), primary_key=True, autoincrement=False) for column in key),
        sa.Column("shard", sa.SmallInteger, primary_key=True, autoincrement=False, server_default=sa.text("0")),
        *(sa.Column(column, sa.BigInteger, nullable=False) for column in numbers),
        *kept_by_database,
        *more,
        sqlite_with_rowid=name == "revisions",
    )
    columns = ", ".join((*key, *numbers))
    op.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {name}_before")  # noqa: S608 - names from here
    op.drop_table(f"{name}_before")


def _changed() -> "sa.Column[int]":
    return sa.Column("changed", sa.BigInteger, nullable=False, server_default=sa.text("0"))


def _type(column: str) -> type[sa.BigInteger | sa.Boolean | sa.String]:
    if column in ("bucket", "minute"):
        return sa.BigInteger
    return sa.Boolean if column == "priced" else sa.String
