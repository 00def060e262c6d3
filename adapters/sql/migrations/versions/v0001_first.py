"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    _signals()
    _sums("sums", sa.CheckConstraint("n <= 10000000000", name="count_range"))
    _sums("sums_base")
    op.create_table(
        "revisions",
        sa.Column("namespace", sa.String, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    _decisions()
    _registry()
    op.create_table(
        "meta",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )


def _signals() -> None:
    op.create_table(
        "signals",
        sa.Column("namespace", sa.String, primary_key=True),
        sa.Column("nonce", sa.LargeBinary, primary_key=True),
        sa.Column("signal", sa.String, primary_key=True),
        sa.Column("observed_us", sa.BigInteger, nullable=False),
        sa.Column("received_us", sa.BigInteger, nullable=False),
        sa.Column("category", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("decided_us", sa.BigInteger, nullable=False),
        sa.Column("request_input_tokens", sa.BigInteger),
        sa.Column("propensity", sa.Double, nullable=False),
        sa.Column("parent", sa.LargeBinary, nullable=False),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("rater", sa.String, nullable=False),
        sa.Column("retracted", sa.Boolean, nullable=False),
        sa.Column("status", sa.SmallInteger),
        sa.Column("latency_us", sa.BigInteger),
        sa.Column("time_to_first_token_us", sa.BigInteger),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("cached_input_tokens", sa.BigInteger),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("cost_nano_usd", sa.BigInteger),
        sa.Column("up", sa.Boolean),
        sa.Column("value", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_signals_decided_us", "signals", ["decided_us"])


def _sums(name: str, *constraints: sa.CheckConstraint) -> None:
    op.create_table(
        name,
        sa.Column("namespace", sa.String, primary_key=True),
        sa.Column("category", sa.String, primary_key=True),
        sa.Column("model", sa.String, primary_key=True),
        sa.Column("signal", sa.String, primary_key=True),
        sa.Column("source", sa.String, primary_key=True),
        sa.Column("bucket", sa.BigInteger, primary_key=True),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("y", sa.BigInteger, nullable=False),
        sa.Column("yy", sa.BigInteger, nullable=False),
        *constraints,
        sqlite_with_rowid=False,
    )


def _decisions() -> None:
    op.create_table(
        "distributions",
        sa.Column("namespace", sa.String, primary_key=True),
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("used_us", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("snapshot_us", sa.BigInteger, nullable=False),
        sa.Column("config_hash", sa.String, nullable=False),
        sa.Column("answer_value_usd", sa.Double, nullable=False),
        sa.Column("second_value_usd", sa.Double, nullable=False),
        sa.Column("forecasts", sa.JSON, nullable=False),
        sa.Column("exclusions", sa.JSON, nullable=False),
        sa.Column("cached_model", sa.String, nullable=False),
        sa.Column("max_cost_usd", sa.Double),
        sa.Column("max_latency_s", sa.Double),
        sa.Column("min_quality", sa.Double),
    )
    op.create_index("ix_distributions_used_us", "distributions", ["used_us"])
    op.create_table(
        "decisions",
        sa.Column("decided_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("namespace", sa.String, primary_key=True),
        sa.Column("nonce", sa.LargeBinary, primary_key=True),
        sa.Column("category", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("propensity", sa.Double, nullable=False),
        sa.Column("uniform", sa.Double),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("profile", sa.String, nullable=False),
        sa.Column("distribution", sa.LargeBinary, nullable=False),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("max_output_tokens", sa.BigInteger),
        sa.Column("cached_input_tokens", sa.BigInteger),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("session_id", sa.String, nullable=False),
        sa.Column("client", sa.String, nullable=False),
        sqlite_with_rowid=False,
    )


def _registry() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("input_usd_per_mtok", sa.Double, nullable=False),
        sa.Column("output_usd_per_mtok", sa.Double, nullable=False),
        sa.Column("cached_input_usd_per_mtok", sa.Double),
        sa.Column("family", sa.String, nullable=False),
        sa.Column("provider", sa.String, nullable=False),
        sa.Column("region", sa.String, nullable=False),
        sa.Column("context_tokens", sa.BigInteger),
        sa.Column("max_output_tokens", sa.BigInteger),
        sa.Column("capabilities", sa.JSON, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("managed_by", sa.String, nullable=False),
    )
    op.create_table(
        "categories",
        sa.Column("namespace", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("managed_by", sa.String, nullable=False),
    )
