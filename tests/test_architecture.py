"""The rules of the house plan: who may import whom, how large things grow, what they are called."""

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("routeward", "server", "bandit", "adapters", "simulations")
FOLDERS = (*PACKAGES, "benchmarks", "proto", "tests")
LINES_PER_FILE = 400
LINES_PER_FUNCTION = 60
VAGUE = re.compile(r"(^|_)(utils?|helpers?|managers?|common|misc)(_|$)")

PLANTS = {
    "adapters.planted": ("Data flows one way", "server.ports"),
    "simulations.planted": ("Data flows one way", "server.ports"),
    "bandit.planted": ("The core is pure", "time"),
    "routeward.planted": ("The SDK stands alone", "bandit.sums"),
    "routeward.planted_too": ("The SDK stands alone", "numpy"),
    "server.planted": ("Of the SDK, the service knows only the contract", "routeward.cli"),
    "adapters.planted_too": ("Of the SDK, the service knows only the contract", "routeward.v1"),
    "server.planted_too": ("Only composition roots name concrete adapters", "adapters.sql"),
    "adapters.memory.planted": ("Only adapters.sql knows SQL", "sqlalchemy"),
}
"""Modules, the contract that each breaks, and by importing what."""


def sources() -> list[Path]:
    """Every source file that people write."""
    found = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if ROOT / "routeward/v1" not in path.parents)


@cache
def functions(path: Path) -> tuple[tuple[str, int], ...]:
    """Where each function stands, and how many lines it has."""
    return tuple(
        (f"{path}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def nodes(path: Path) -> Iterator[ast.AST]:
    """Every node of a file's tree."""
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def too_large(paths: list[Path]) -> list[str]:
    """Files and functions beyond the limits."""
    files = [f"{path}: {lines(path)} lines" for path in paths if lines(path) > LINES_PER_FILE]
    sized = (found for path in paths for found in functions(path))
    return files + [f"{place}: {size} lines" for place, size in sized if size > LINES_PER_FUNCTION]


def vaguely_named(paths: list[Path], below: Path = ROOT) -> list[str]:
    """Folders, modules and classes whose name says nothing about what is in them."""
    modules = [str(path) for path in paths if any(map(vague, path.relative_to(below).with_suffix("").parts))]
    classes = ((path, node) for path in paths for node in nodes(path) if isinstance(node, ast.ClassDef))
    return modules + [f"{path}: class {node.name}" for path, node in classes if vague(node.name)]


def vague(name: str) -> bool:
    return VAGUE.search(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()) is not None


def lint_imports(folder: Path) -> str:
    command = [f"{sysconfig.get_path('scripts')}/lint-imports", "--no-cache"]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    # It wraps long lines; the name of a contract must be found whole.
    return " ".join((finished.stdout + finished.stderr).split())


def loaded_after(statement: str) -> set[str]:
    """The top-level modules in memory after a statement ran in a fresh interpreter."""
    code = f"{statement}; import sys; print(*(name.partition('.')[0] for name in sys.modules))"
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(finished.stdout.split())


def test_every_import_contract_is_kept() -> None:
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken\.", report := lint_imports(ROOT)), report


@pytest.fixture(scope="module")
def report_of_plants(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("planted")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for module, (_, imported) in PLANTS.items():
        (folder / f"{module.replace('.', '/')}.py").write_text(f"import {imported}\n", encoding="utf-8")
    return lint_imports(folder)


@pytest.mark.parametrize("module", PLANTS)
def test_a_planted_import_breaks_its_contract(module: str, report_of_plants: str) -> None:
    contract, imported = PLANTS[module]
    assert re.search(rf"{contract}((?!KEPT).)* BROKEN", report_of_plants)
    # A title is underlined with as many dashes.
    assert re.search(rf"{contract}[^-]*---+((?!---).)* {module} -> {imported} \(", report_of_plants)


def imported(path: Path) -> set[str]:
    """Every module, or name in one, that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def of_one_database(folder: Path) -> list[str]:
    """Imports of what one database alone has, in what stores in SQL have in common."""
    shared = [*folder.glob("*.py"), *(folder / "migrations").rglob("*.py")]
    return [
        f"{path.name}: {name}"
        for path in sorted(shared)
        for name in sorted(imported(path))
        if name.startswith(("adapters.sql.postgres", "adapters.sql.sqlite"))
    ]


def test_what_stores_in_sql_have_in_common_knows_none_of_them() -> None:
    assert not of_one_database(ROOT / "adapters/sql")


def test_a_planted_import_of_one_database_is_found(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    planted = "def of():\n    from adapters.sql import sqlite\n"
    for name in ("sums.py", "migrations/v1.py"):
        (tmp_path / name).write_text(f"{planted}import adapters.sql.postgres.days, sqlalchemy\n", encoding="utf-8")
    modules = ("adapters.sql.postgres.days", "adapters.sql.sqlite")
    assert of_one_database(tmp_path) == [f"{name}: {module}" for name in ("v1.py", "sums.py") for module in modules]


def test_importing_the_client_loads_nothing_of_the_service() -> None:
    loaded = loaded_after("import routeward")
    assert not loaded & {*PACKAGES[1:], "numpy", "scipy", "sqlalchemy", "pydantic", "typer", "rich", "structlog"}


def test_the_command_line_loads_the_service_only_when_a_command_needs_it() -> None:
    loaded = loaded_after("import routeward.cli.app")
    assert not loaded & {*PACKAGES[1:], "numpy", "scipy", "sqlalchemy"}


def test_importing_the_core_loads_neither_network_nor_database() -> None:
    modules = [path.stem for path in (ROOT / "bandit").glob("*.py") if path.stem != "__init__"]
    loaded = loaded_after("import " + ", ".join(f"bandit.{module}" for module in modules))
    assert not loaded & {"routeward", "server", "adapters", "grpc", "sqlalchemy", "sqlite3", "pydantic", "structlog"}


def name_patterns(package: Path) -> list[str]:
    """Every regular expression in a package that says what a name may be."""
    texts = (node.value for path in package.rglob("*.py") for node in nodes(path) if isinstance(node, ast.Constant))
    return [text for text in texts if isinstance(text, str) and text.startswith("[A-Za-z0-9][")]


def test_every_package_that_knows_what_a_name_is_says_once_what_the_contract_says() -> None:
    contract = (ROOT / "proto/routeward/v1/routing_service.proto").read_text(encoding="utf-8")
    [pattern] = set(re.findall(r"`(\[A-Za-z0-9\]\[.*?)`", contract))
    written = {package: name_patterns(ROOT / package) for package in PACKAGES}
    assert {package: found for package, found in written.items() if found} == {
        "adapters": [pattern],
        "routeward": [pattern],
        "server": [pattern],
        "simulations": [pattern],
    }


def test_files_and_functions_stay_small() -> None:
    assert not too_large(sources())
    for what, sizes in (
        ("file", [lines(path) for path in sources()]),
        ("function", [size for path in sources() for _, size in functions(path)]),
    ):
        p90 = quantiles(sizes, n=10)[-1]
        sys.stdout.write(f"lines per {what}: median {median(sizes):.0f}, p90 {p90:.0f}, most {max(sizes)}\n")


def test_a_planted_giant_is_found(tmp_path: Path) -> None:
    long_file, long_function, both_at_the_limit = (tmp_path / f"{name}.py" for name in "abc")
    long_file.write_text("\n" * (LINES_PER_FILE + 1), encoding="utf-8")
    long_function.write_text("async def grown():\n" + "    ...\n" * LINES_PER_FUNCTION, encoding="utf-8")
    at_the_limit = "def grown():\n" + "    ...\n" * (LINES_PER_FUNCTION - 1)
    both_at_the_limit.write_text(at_the_limit + "\n" * (LINES_PER_FILE - LINES_PER_FUNCTION), encoding="utf-8")
    assert too_large([long_file, long_function, both_at_the_limit]) == [
        f"{long_file}: {LINES_PER_FILE + 1} lines",
        f"{long_function}:1 grown: {LINES_PER_FUNCTION + 1} lines",
    ]


def test_names_say_what_is_inside() -> None:
    assert not vaguely_named(sources())


def test_planted_vague_names_are_found(tmp_path: Path) -> None:
    (tmp_path / "helpers").mkdir()
    planted = [tmp_path / name for name in ("sql_utils.py", "helpers/sums.py", "outcome.py", "store.py")]
    for path in planted[:-1]:
        path.write_text("", encoding="utf-8")
    planted[-1].write_text("class StoreManager: ...\nclass Commonality: ...\n", encoding="utf-8")
    found = vaguely_named(planted, tmp_path)
    assert found == [str(planted[0]), str(planted[1]), f"{planted[3]}: class StoreManager"]
