"""Everything that a store has of a namespace, as JSON lines."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from adapters.ledger import StoreError
from adapters.sql.namespaces import rows_of, tables


def dump_namespace(connection: Connection, namespace: str, folder: Path) -> Mapping[str, int]:
    """Write the rows of a namespace to a folder, a file per table; return how many of each.

    Columns have the names of the tables, bytes are hexadecimal, and what is unknown is left out. All of it is of one
    moment. Raises StoreError where it cannot be written.
    """
    counts = {}
    for table in tables():
        path = folder / f"{table.name}.jsonl"
        try:
            with path.open("x", encoding="utf-8") as file:
                counts[table.name] = sum(1 for row in rows_of(connection, table, namespace) if file.write(_line(row)))
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}") from error
    return counts


def _line(row: Mapping[str, Any]) -> str:
    known = {name: cell for name, cell in row.items() if cell is not None}
    return json.dumps(known, ensure_ascii=False, allow_nan=False, default=_text) + "\n"


def _text(cell: Any) -> str:
    return bytes(cell).hex()
