"""What PostgreSQL reads from the text of an array is what was put into it."""

import math
from typing import Any

import asyncpg
import numpy as np
import pytest
from sqlalchemy.dialects import postgresql

from adapters.sql.arrays import array_of, text
from adapters.sql.postgres.flush import _insert_and_add
from adapters.sql.schema import revisions
from adapters.sql.statements import given_columns, insert_or_add

STRINGS = [
    "",
    " ",
    "NULL",
    "null",
    None,
    "a,b",
    "{}",
    '"',
    "\\",
    '\\"',
    "\\\\x00",
    "'",
    "line\nbreak",
    "\x01\t",
    "ünïcode ☃",
]
LISTS: list[tuple[str, list[Any]]] = [
    ("text", [*STRINGS, "plain"]),
    ("bytea", [b"", b"\x00\xff", bytes(range(256)), bytearray(b"nonce")]),
    ("int8", [0, -1, None, 2**63 - 1, -(2**63)]),
    ("int2", [0, None, 32767]),
    ("bool", [True, False, None]),
    ("float8", [0.1, 1e-300, -0.0, None, math.inf, 5e-324, np.float64(1 / 3)]),
    ("int8", []),
]


@pytest.fixture
async def connection(postgres):
    connection = await asyncpg.connect(postgres.url())
    yield connection
    await connection.close()


async def test_arrays_arrive_as_they_were(connection):
    for kind, values in LISTS:
        found = await connection.fetchval(f"SELECT $1::text::{kind}[]", array_of(kind, values))
        assert found == values
        assert [repr(one) for one in found if kind == "float8"] == [
            repr(None if one is None else float(one)) for one in values if kind == "float8"
        ]


async def test_a_column_that_is_null_throughout_is_filled_up(connection):
    query = "SELECT * FROM unnest($1::text::int8[], $2::text::text[]) AS given (a, b)"
    rows = await connection.fetch(query, array_of("int8", [1, 2]), array_of("text", [None, None]))
    assert [tuple(row) for row in rows] == [(1, None), (2, None)]


async def test_text_with_a_zero_byte_is_refused_rather_than_cut(connection):
    with pytest.raises(asyncpg.PostgresError):
        await connection.fetchval("SELECT $1::text::text[]", array_of("text", ["a\x00b"]))


def test_rows_are_locked_in_one_order_whichever_statement_writes_them_and_whatever_the_language_of_the_database():
    order = 'ORDER BY given.namespace COLLATE "C", given.shard ON CONFLICT'
    written = text(revisions, insert_or_add, given_columns(revisions), postgresql.dialect())
    assert order in written
    assert order in _insert_and_add()
