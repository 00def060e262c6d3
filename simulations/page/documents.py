"""Tells documents by their kind, and reads them from files."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from simulations.page.errors import DocumentError
from simulations.page.evaluate import evaluated
from simulations.page.replay import replayed
from simulations.page.result import Result

READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Result]]] = {"evaluate": evaluated, "replay": replayed}
"""By the `kind` of document."""


def result_of(document: Mapping[str, Any]) -> Result:
    """Return what a document says. Raises DocumentError."""
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in READERS:
        known, kinds = " or ".join(repr(each) for each in READERS), "` or `routeward ".join(READERS)
        raise DocumentError(f"kind is {kind!r}; {known} is expected, as the `--json` of `routeward {kinds}` writes it")
    return READERS[kind](document)


def read_document(path: Path) -> dict[str, Any]:
    """Read a document. Raises DocumentError, which names the file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DocumentError(f"{path} is no JSON: {error}; give a file that `--json FILE` wrote") from error
    if not isinstance(document, dict):
        raise DocumentError(f"{path} holds no object; give a file that `--json FILE` wrote")
    return document


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number")
