"""Results as documents of JSON."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simulations.errors import OptionsError


def write_document(document: Mapping[str, Any], path: Path) -> None:
    """Write a result. Raises OptionsError where that cannot be done."""
    text = json.dumps(document, indent=2, allow_nan=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OptionsError(f"{path} cannot be written: {error.strerror}") from error


def json_values(value: Any) -> Any:
    """Return what JSON can hold of values, arrays of any shape among them: null for what is no finite number."""
    if isinstance(value, Mapping):
        return {key: json_values(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(one) for one in value]
    if isinstance(value, np.ndarray | np.generic):
        return json_values(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
