"""The tables. Times are microseconds since 1970-01-01 UTC, money nano-dollars, sums fixed point of 2^-20.

No type or option here belongs to one database only. NULL is unknown.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
)

from bandit.sums import MAX_COUNT

metadata: Final = MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s", "pk": "pk_%(table_name)s"})

COUNT_RANGE: Final = "ck_sums_count_range"
"""Name of the constraint that refuses cells beyond `MAX_COUNT`."""

signals: Final = Table(
    "signals",
    metadata,
    Column("namespace", String, primary_key=True),
    Column("nonce", LargeBinary, primary_key=True),
    Column("signal", String, primary_key=True),
    Column("observed_us", BigInteger, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("category", String, nullable=False),
    Column("model", String, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("decided_us", BigInteger, nullable=False),
    Column("request_input_tokens", BigInteger),
    Column("propensity", Double, nullable=False),
    Column("parent", LargeBinary, nullable=False),
    Column("client", String, nullable=False),
    Column("rater", String, nullable=False),
    Column("retracted", Boolean, nullable=False),
    Column("status", SmallInteger),
    Column("latency_us", BigInteger),
    Column("time_to_first_token_us", BigInteger),
    Column("input_tokens", BigInteger),
    Column("cached_input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cost_nano_usd", BigInteger),
    Column("up", Boolean),
    Column("value", BigInteger),
    Column("bill_profile", String),
    Column("bill_priced", Boolean),
    Column("bill_nano_usd", BigInteger),
    Index("ix_signals_decided_us", "decided_us"),
    sqlite_with_rowid=False,
)


def _sums_table(name: str, *constraints: CheckConstraint) -> Table:
    return Table(
        name,
        metadata,
        Column("namespace", String, primary_key=True),
        Column("category", String, primary_key=True),
        Column("model", String, primary_key=True),
        Column("signal", String, primary_key=True),
        Column("source", String, primary_key=True),
        Column("bucket", BigInteger, primary_key=True),
        Column("n", BigInteger, nullable=False),
        Column("y", BigInteger, nullable=False),
        Column("yy", BigInteger, nullable=False),
        *constraints,
        sqlite_with_rowid=False,
    )


sums: Final = _sums_table("sums", CheckConstraint(f"n <= {MAX_COUNT}", "count_range"))
sums_base: Final = _sums_table("sums_base")
"""What signals that were dropped have taught; part of `sums` too."""


def _spend_table(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("namespace", String, primary_key=True),
        Column("category", String, primary_key=True),
        Column("profile", String, primary_key=True),
        Column("priced", Boolean, primary_key=True),
        Column("minute", BigInteger, primary_key=True),
        Column("n", BigInteger, nullable=False),
        Column("nano_usd", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


spend: Final = _spend_table("spend")
"""What was billed, while there are budgets; by minute, and by hour once it is old."""
spend_base: Final = _spend_table("spend_base")
"""What was billed for signals that were dropped; part of `spend` too."""

revisions: Final = Table(
    "revisions",
    metadata,
    Column("namespace", String, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

distributions: Final = Table(
    "distributions",
    metadata,
    Column("namespace", String, primary_key=True),
    Column("id", LargeBinary, primary_key=True),
    Column("used_us", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("snapshot_us", BigInteger, nullable=False),
    Column("config_hash", String, nullable=False),
    Column("answer_value_usd", Double, nullable=False),
    Column("second_value_usd", Double, nullable=False),
    Column("forecasts", JSON, nullable=False),
    Column("exclusions", JSON, nullable=False),
    Column("cached_model", String, nullable=False),
    Column("max_cost_usd", Double),
    Column("max_latency_s", Double),
    Column("min_quality", Double),
    Column("budget_price", Double, nullable=False, server_default="0"),
    Column("intended", JSON),
    Index("ix_distributions_used_us", "used_us"),
    # Its rows are long: in the tree of a key, each would spill into a page of its own.
)
"""What decisions were drawn from, by its digest; `used_us` is the time of the latest decision that was."""

decisions: Final = Table(
    "decisions",
    metadata,
    Column("decided_us", BigInteger, primary_key=True, autoincrement=False),
    Column("namespace", String, primary_key=True),
    Column("nonce", LargeBinary, primary_key=True),
    Column("category", String, nullable=False),
    Column("model", String, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("propensity", Double, nullable=False),
    Column("uniform", Double),
    Column("reason", String, nullable=False),
    Column("profile", String, nullable=False),
    Column("distribution", LargeBinary, nullable=False),
    Column("input_tokens", BigInteger),
    Column("max_output_tokens", BigInteger),
    Column("cached_input_tokens", BigInteger),
    Column("request_id", String, nullable=False),
    Column("session_id", String, nullable=False),
    Column("client", String, nullable=False),
    sqlite_with_rowid=False,
)
"""By time, so that rows are appended, read and dropped in the order of one tree."""

models: Final = Table(
    "models",
    metadata,
    Column("id", String, primary_key=True),
    Column("input_usd_per_mtok", Double, nullable=False),
    Column("output_usd_per_mtok", Double, nullable=False),
    Column("cached_input_usd_per_mtok", Double),
    Column("family", String, nullable=False),
    Column("provider", String, nullable=False),
    Column("region", String, nullable=False),
    Column("context_tokens", BigInteger),
    Column("max_output_tokens", BigInteger),
    Column("capabilities", JSON, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("managed_by", String, nullable=False),
)

categories: Final = Table(
    "categories",
    metadata,
    Column("namespace", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("managed_by", String, nullable=False),
)

meta: Final = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""What was fixed when the store was made."""
