"""What `import routeward` gives, and what it does not bring along."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import routeward

ROOT = Path(__file__).parents[3]
LOADED = """
import json, sys
before = set(sys.modules)
{statement}
print(json.dumps(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}} - sys.stdlib_module_names)))
"""


def loaded_by(statement: str) -> set[str]:
    """Top-level modules beyond the standard library that a fresh interpreter loads for a statement."""
    program = LOADED.format(statement=statement)
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return {name for name in json.loads(run.stdout) if not name.startswith("_")}


@pytest.mark.parametrize("statement", ["from routeward import *", "from routeward.testing import FakeRouter"])
def test_the_client_loads_grpc_and_protobuf_and_nothing_else(statement):
    assert loaded_by(statement) - loaded_by("import grpc") == {"google", "routeward"}


def test_without_a_client_not_even_grpc_is_loaded():
    assert loaded_by("import routeward; routeward.thumbs_up()") == {"routeward"}


@pytest.mark.parametrize("name", routeward.__all__)
def test_every_public_name_is_there(name):
    assert getattr(routeward, name) is not None


def test_public_names_are_sorted_and_complete():
    assert routeward.__all__ == sorted(routeward.__all__, key=lambda name: (not name.isupper(), name))
    values = {name for name in vars(routeward) if not name.startswith("_")}
    submodules = {name for name in values if f"routeward.{name}" in sys.modules}
    assert values - submodules - {"TYPE_CHECKING", "import_module"} <= set(routeward.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Clinet"):
        _ = routeward.Clinet  # type: ignore[attr-defined]


def test_the_package_says_that_it_is_typed():
    assert (Path(routeward.__file__).parent / "py.typed").exists()
