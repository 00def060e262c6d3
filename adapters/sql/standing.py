"""Where the tables of a store stand, as seen by this code: what `routeward db status` tells."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from adapters.sql.versions import THIS, Code, Schema, lacking, schema_of


class State(StrEnum):
    """What a store is to this code."""

    EMPTY = "empty"
    """It has no tables; an upgrade makes them."""
    OLDER = "older"
    """An upgrade brings it up to date."""
    CURRENT = "current"
    NEWER = "newer"
    """A newer version changed it, in a way that this code may live with."""
    REFUSED = "refused"
    """A newer version changed it, and this code must leave it alone."""
    DAMAGED = "damaged"
    """Tables or columns are gone that its version has: restore a backup."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The tables of a store; `lacking` names those, or columns as TABLE.COLUMN, that should be there and are not."""

    schema: Schema
    state: State
    lacking: tuple[str, ...] = ()


NO_TABLES: Final = Standing(Schema(), State.EMPTY)


def standing(connection: Connection, code: Code = THIS) -> Standing:
    """Look at the tables of a store, and change nothing."""
    schema = schema_of(connection)
    state = _state(schema, code)
    missing = tuple(lacking(connection)) if state in (State.CURRENT, State.NEWER) else ()
    return Standing(schema, State.DAMAGED if missing else state, missing)


def _state(schema: Schema, code: Code) -> State:
    if schema.version is None:
        return State.EMPTY
    if schema.refuses(code):
        return State.REFUSED
    if schema.newer_than(code):
        return State.NEWER
    return State.OLDER if schema.behind(code) else State.CURRENT
