"""The tables. Times are microseconds since 1970-01-01 UTC, money nano-dollars, sums fixed point of 2^-20.

They are the same in every database; what PostgreSQL makes of them besides stands in `adapters.sql.postgres.tables`.
NULL is unknown.
"""

from typing import Any, Final

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
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement

from bandit.sums import MAX_COUNT

metadata: Final = MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s", "pk": "pk_%(table_name)s"})

CHANGED: Final = "changed"
"""Name of the column that holds the number of the last transaction that wrote a row, where several write at once."""

_Text: Final = String().with_variant(String(collation="C"), "postgresql")
"""Sorted as Python sorts it."""


class _Transaction(ColumnElement[int]):
    """Number of the present transaction; 0 in a database that only one connection writes to."""

    inherit_cache = True


@compiles(_Transaction)
def _nobody_else(_: _Transaction, __: Any, **___: Any) -> str:
    return "0"


@compiles(_Transaction, "postgresql")
def _current(_: _Transaction, __: Any, **___: Any) -> str:
    return "(pg_current_xact_id()::text::bigint)"


def _changed() -> "Column[int]":
    """Make the column by which replicas find what changed since they last looked."""
    return Column(CHANGED, BigInteger, nullable=False, server_default=_Transaction())


def _shard() -> "Column[int]":
    """Make the column that spreads a row over several, so that replicas do not wait for each other to add to it."""
    return Column("shard", SmallInteger, primary_key=True, autoincrement=False, server_default=text("0"))


COUNT_RANGE: Final = "ck_sums_count_range"
"""Name of the constraint that refuses cells beyond `MAX_COUNT`."""

signals: Final = Table(
    "signals",
    metadata,
    Column("namespace", _Text, primary_key=True),
    Column("nonce", LargeBinary, primary_key=True),
    Column("signal", _Text, primary_key=True),
    Column("observed_us", BigInteger, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("category", _Text, nullable=False),
    Column("model", _Text, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("decided_us", BigInteger, nullable=False),
    Column("request_input_tokens", BigInteger),
    Column("propensity", Double, nullable=False),
    Column("parent", LargeBinary, nullable=False),
    Column("client", _Text, nullable=False),
    Column("rater", _Text, nullable=False),
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
    Column("bill_profile", _Text),
    Column("bill_priced", Boolean),
    Column("bill_nano_usd", BigInteger),
    Index("ix_signals_decided_us", "decided_us"),
    sqlite_with_rowid=False,
)


def _sums_table(name: str, *more: CheckConstraint | Column[Any]) -> Table:
    return Table(
        name,
        metadata,
        Column("namespace", _Text, primary_key=True),
        Column("category", _Text, primary_key=True),
        Column("model", _Text, primary_key=True),
        Column("signal", _Text, primary_key=True),
        Column("source", _Text, primary_key=True),
        Column("bucket", BigInteger, primary_key=True),
        _shard(),
        Column("n", BigInteger, nullable=False),
        Column("y", BigInteger, nullable=False),
        Column("yy", BigInteger, nullable=False),
        *more,
        sqlite_with_rowid=False,
    )


sums: Final = _sums_table("sums", _changed(), CheckConstraint(f"n <= {MAX_COUNT}", "count_range"))
sums_base: Final = _sums_table("sums_base")
"""What signals that were dropped have taught; part of `sums` too."""


def _spend_table(name: str, *more: Column[Any]) -> Table:
    return Table(
        name,
        metadata,
        Column("namespace", _Text, primary_key=True),
        Column("category", _Text, primary_key=True),
        Column("profile", _Text, primary_key=True),
        Column("priced", Boolean, primary_key=True),
        Column("minute", BigInteger, primary_key=True),
        _shard(),
        Column("n", BigInteger, nullable=False),
        Column("nano_usd", BigInteger, nullable=False),
        *more,
        sqlite_with_rowid=False,
    )


spend: Final = _spend_table("spend", _changed())
"""What was billed, while there are budgets; by minute, and by hour once it is old."""
spend_base: Final = _spend_table("spend_base")
"""What was billed for signals that were dropped; part of `spend` too."""

revisions: Final = Table(
    "revisions",
    metadata,
    Column("namespace", _Text, primary_key=True),
    _shard(),
    Column("revision", BigInteger, nullable=False),
    _changed(),
)

distributions: Final = Table(
    "distributions",
    metadata,
    Column("namespace", _Text, primary_key=True),
    Column("id", LargeBinary, primary_key=True),
    Column("used_us", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("snapshot_us", BigInteger, nullable=False),
    Column("config_hash", _Text, nullable=False),
    Column("answer_value_usd", Double, nullable=False),
    Column("second_value_usd", Double, nullable=False),
    Column("forecasts", JSON, nullable=False),
    Column("exclusions", JSON, nullable=False),
    Column("cached_model", _Text, nullable=False),
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
    Column("namespace", _Text, primary_key=True),
    Column("nonce", LargeBinary, primary_key=True),
    Column("category", _Text, nullable=False),
    Column("model", _Text, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("propensity", Double, nullable=False),
    Column("uniform", Double),
    Column("reason", _Text, nullable=False),
    Column("profile", _Text, nullable=False),
    Column("distribution", LargeBinary, nullable=False),
    Column("input_tokens", BigInteger),
    Column("max_output_tokens", BigInteger),
    Column("cached_input_tokens", BigInteger),
    Column("request_id", _Text, nullable=False),
    Column("session_id", _Text, nullable=False),
    Column("client", _Text, nullable=False),
    sqlite_with_rowid=False,
)
"""By time, so that rows are appended, read and dropped in the order of one tree."""

registry: Final = Table(
    "registry",
    metadata,
    Column("namespace", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("settings", JSON, nullable=False),
    Column("managed_by", String, nullable=False),
    Column("version", BigInteger, nullable=False),
)
"""Models, profiles, and categories of namespaces, as tables of the configuration would say them."""

audit: Final = Table(
    "audit",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("time_us", BigInteger, nullable=False),
    Column("client", String, nullable=False),
    Column("namespace", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
)
"""Who changed the registry, by its version after the change."""

categories: Final = Table(
    "categories",
    metadata,
    Column("namespace", _Text, primary_key=True),
    Column("name", _Text, primary_key=True),
    Column("managed_by", _Text, nullable=False),
    _changed(),
)

meta: Final = Table(
    "meta",
    metadata,
    Column("name", _Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""What was fixed when the store was made, and what counts and marks."""
