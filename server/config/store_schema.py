"""The tables of the configuration file that say where things are kept."""

from pydantic import Field

from adapters.toml.kinds import FileName
from adapters.toml.table import Table
from server.config.kinds import Days, PostgresUrl


class StoreTable(Table):
    """Where to keep what is learned."""

    path: FileName = Field(
        default="routeward.db", description="SQLite file, relative to this file; empty: memory, gone with the process"
    )
    retention_days: Days = Field(
        default=30.0, description="age at which signals and decisions are dropped; what they taught stays"
    )
    min_free_mb: int = Field(
        default=256,
        ge=0,
        le=1_000_000,
        description="free disk space below which decisions are not logged; feedback always is",
    )
    postgres: PostgresUrl = Field(
        default="",
        description="URL of a PostgreSQL that several replicas share, instead of the file; one with a password belongs "
        "into the variable ROUTEWARD_POSTGRES",
        examples=["postgresql://routeward@db.internal/routeward"],
    )
    sync_seconds: float = Field(
        default=0.5, ge=0.05, le=60.0, description="how often a replica looks what the others learned (PostgreSQL)"
    )
    connect_seconds: float = Field(default=5.0, ge=0.1, le=60.0, description="longest wait for PostgreSQL to connect")
    statement_seconds: float = Field(default=5.0, ge=0.1, le=600.0, description="longest a statement may take there")
    connections: int = Field(default=4, ge=2, le=64, description="connections to PostgreSQL of a process")
    snapshot_path: FileName = Field(
        default="",
        description="local file for the last that was learned, for a start while PostgreSQL does not answer; "
        "empty: none",
    )
    export_folder: FileName = Field(
        default="", description="folder that takes the log of a day before it is dropped; empty: it is just dropped"
    )


class SpoolTable(Table):
    """Where to keep feedback while the store does not take it."""

    path: FileName = Field(
        default="", description="file on a durable disk; empty: such feedback is refused, and clients try again"
    )
    max_mb: int = Field(default=1024, ge=1, le=1_000_000, description="size beyond which feedback is refused")
