"""Documents hold what JSON can hold: unknown is null."""

import json

import numpy as np

from simulations.documents import json_values


def test_what_is_unknown_is_null_however_deep_it_is() -> None:
    values = {"a": (1, float("nan")), "b": [{"c": np.float64("inf"), "d": np.int64(3)}], "e": "text", "f": None}
    found = json_values(values)
    assert found == {"a": [1, None], "b": [{"c": None, "d": 3}], "e": "text", "f": None}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_arrays_of_any_shape_become_lists_with_null_for_unknown() -> None:
    assert json_values(np.array([[1.0, np.nan], [np.inf, 2.0]])) == [[1.0, None], [None, 2.0]]
    assert json_values(np.array(np.nan)) is None
    assert json_values(np.array([True])) == [True]
