"""Models, categories and profiles may change while servers run: one table of them, counted and audited."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables, and move the models into them; the next start adds what the configuration file names."""
    entries = op.create_table(
        "registry",
        sa.Column("namespace", sa.String, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("managed_by", sa.String, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("namespace", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True)),
        sa.Column("after", sa.JSON(none_as_null=True)),
    )
    op.execute("INSERT INTO meta (name, value) VALUES ('registry_version', 0)")
    rows = op.get_bind().execute(sa.text("SELECT * FROM models")).mappings().all()
    if rows:
        op.bulk_insert(entries, [_moved(row) for row in rows])
    op.drop_table("models")


def _moved(row: Any) -> dict[str, Any]:
    known = {name: value for name, value in row.items() if name not in ("id", "managed_by") and value not in (None, "")}
    if isinstance(known["capabilities"], str):
        known["capabilities"] = json.loads(known["capabilities"])
    defaults = {"family": row["id"], "capabilities": [], "enabled": 1}
    settings = {name: value for name, value in known.items() if defaults.get(name) != value}
    if "enabled" in settings:
        settings["enabled"] = False
    return {
        "namespace": "",
        "kind": "model",
        "name": row["id"],
        "settings": settings,
        "managed_by": row["managed_by"],
        "version": 1,
    }
