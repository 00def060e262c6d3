"""`routeward verify`: whether what was learned is what the log of signals says."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import typer

from routeward.cli.options import DEFAULT_CONFIG, ConfigFile, Json
from routeward.cli.output import FOUND_PROBLEM, counted, show
from routeward.cli.service import loaded
from routeward.cli.stores import progress_of, run_on

if TYPE_CHECKING:
    from adapters.ledger import Discrepancy

Differing = "Mapping[str, Sequence[Discrepancy]]"

SHOWN: Final = 20
"""Rows that are shown to people."""


def verify(*, config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Rebuild sums and spend from the log, and compare to the bit; also beside the server.

    Exit code 1 if anything differs.
    """
    settings = loaded(config)
    read = 0
    with progress_of("reading the log") as progress:

        def watched(done: int, total: int) -> None:
            nonlocal read
            read = done
            progress(done, total)

        found = run_on(settings, lambda store: store.verify(watched))
    document = {"equal": not found, "signals": read, **differing_rows(found)}
    show(document, lambda: _text(document), as_json=as_json)
    if found:
        raise typer.Exit(FOUND_PROBLEM)


def differing_rows(found: "Mapping[str, Sequence[Discrepancy]]") -> dict[str, Any]:
    """Return rows that differ, for a document."""
    rows = [_row(namespace, one) for namespace, differing in found.items() for one in differing]
    return {"differing": len(rows), "rows": rows}


def row_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return lines that show rows that differ to people."""
    lines = [f"  {_place(row)}: stored {_numbers(row['stored'])}, the log says {_numbers(row['log'])}" for row in rows]
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"  and {more:,} more; --json shows all"] if more > 0 else [])]


def _row(namespace: str, one: "Discrepancy") -> dict[str, Any]:
    from bandit.sums import RowKey

    table = "sums" if isinstance(one.key, RowKey) else "spend"
    key, stored, folded = one.key._asdict(), one.stored._asdict(), one.folded._asdict()
    return {"table": table, "namespace": namespace, **key, "stored": stored, "log": folded}


def _place(row: Mapping[str, Any]) -> str:
    words = [str(cell) for name, cell in row.items() if name not in ("stored", "log") and cell != ""]
    return " ".join(words)


def _numbers(cells: Mapping[str, int]) -> str:
    return " ".join(f"{name}={value}" for name, value in cells.items())


def _text(document: dict[str, Any]) -> str:
    signals = counted(document["signals"], "signal")
    if document["equal"]:
        return f"sums and spend are those of the log, to the bit ({signals})"
    differ = counted(document["differing"], "row differs", "rows differ")
    head = f"{differ} from the log ({signals}); routeward rebuild mends that"
    return "\n".join([head, *row_lines(document["rows"])])
