"""Results as files of JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulations.errors import OptionsError


def write_document(document: Mapping[str, Any], path: Path) -> None:
    """Write a result. Raises OptionsError where that cannot be done."""
    text = json.dumps(document, indent=2, allow_nan=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OptionsError(f"{path} cannot be written: {error.strerror}") from error
