"""What `pip install routeward` puts on a machine, and what the lock files pin."""

import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SERVICE_PACKAGES = ("server", "bandit", "adapters", "simulations")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
IMPORTED_BY_THE_CLIENT = ("google", "grpc", "typing_extensions.py")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built offline."""
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def bare(wheel: Path, tmp_path: Path) -> Path:
    """The site-packages of a new environment with the wheel and nothing that it depends on."""
    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    python = tmp_path / "venv/bin/python"
    run(
        *(sys.executable, "-m", "pip", "--python", str(python)),
        *("install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", str(wheel)),
    )
    return Path(run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())


@pytest.fixture
def light(bare: Path) -> Path:
    """The same with what the client depends on, as after `pip install routeward`."""
    for name in IMPORTED_BY_THE_CLIENT:
        (bare / name).symlink_to(Path(sysconfig.get_path("purelib")) / name)
    return bare


@pytest.fixture
def crowded(bare: Path) -> Path:
    """The same with all of our libraries, and a stranger's package for each of our common names."""
    (bare / "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    for name in SERVICE_PACKAGES:
        (bare / name).mkdir()
        (bare / name / "__init__.py").write_text("STRANGER = True\n", encoding="utf-8")
    return bare


def build(kind: str, source: Path, folder: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder), cwd=source)
    [built] = folder.iterdir()
    return built


def run(*command: str, cwd: Path | None = None) -> str:
    finished = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def python_of(site_packages: Path) -> str:
    return str(site_packages.parents[2] / "bin/python")


def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files_below(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in found}


def test_the_wheel_installs_one_name(wheel: Path) -> None:
    version = PROJECT["project"]["version"]
    top_level = {name.partition("/")[0] for name in contents(wheel)}
    assert top_level == {"routeward", f"routeward-{version}.dist-info"}


@pytest.mark.parametrize("package", SERVICE_PACKAGES)
def test_the_wheel_carries_every_file_of_the_service(wheel: Path, package: str) -> None:
    prefix = f"routeward/_app/{package}/"
    carried = {name.removeprefix(prefix) for name in contents(wheel) if name.startswith(prefix)}
    assert carried == files_below(ROOT / package)


def test_the_wheel_carries_every_file_of_the_client(wheel: Path) -> None:
    carried = {name.removeprefix("routeward/") for name in contents(wheel) if name.startswith("routeward/")}
    carried = {name for name in carried if not name.startswith("_app/")}
    assert carried == files_below(ROOT / "routeward")
    assert {"py.typed", "v1/routing_service_pb2.py", "v1/routing_service_pb2.pyi"} <= carried


def test_a_wheel_built_from_the_source_distribution_is_the_same(wheel: Path, tmp_path: Path) -> None:
    sdist = build("sdist", ROOT, tmp_path / "sdist")
    run(sys.executable, "-m", "tarfile", "--extract", str(sdist), str(tmp_path / "source"))
    [source] = (tmp_path / "source").iterdir()
    assert contents(build("wheel", source, tmp_path / "wheel")) == contents(wheel)


def test_the_service_is_ours_beside_strangers_of_the_same_names(crowded: Path) -> None:
    found = run(
        *(python_of(crowded), "-I", "-c"),
        "from routeward._service import make_importable\n"
        "make_importable()\n"
        "import bandit.sums, adapters.ledger, server.ports, simulations\n"
        "print(bandit.__file__, adapters.__file__, server.__file__, simulations.__file__)",
    )
    app = crowded / "routeward/_app"
    assert found.split() == [
        str(app / name / "__init__.py") for name in ("bandit", "adapters", "server", "simulations")
    ]


def test_strangers_stay_untouched_until_the_service_is_asked_for(crowded: Path) -> None:
    code = "import routeward, bandit, server; print(bandit.STRANGER and server.STRANGER)"
    assert run(python_of(crowded), "-I", "-c", code) == "True\n"


def test_the_command_runs_beside_strangers(crowded: Path) -> None:
    for command in ([str(crowded.parents[2] / "bin/routeward")], [python_of(crowded), "-I", "-m", "routeward"]):
        assert "Usage: " in run(*command, "--help")


def test_the_client_alone_imports_and_its_command_says_what_is_missing(light: Path) -> None:
    run(python_of(light), "-I", "-W", "error", "-c", "import routeward, routeward.v1.routing_service_pb2_grpc")
    command = [str(light.parents[2] / "bin/routeward"), "--help"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert "pip install 'routeward[server]'" in finished.stderr


def test_no_installed_distribution_claims_our_common_names() -> None:
    assert not set(packages_distributions()) & set(SERVICE_PACKAGES)


def pins(lock: str) -> dict[str, list[str]]:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    blocks = re.findall(r"^([a-z0-9-]+)==(.*(?:\n .*)*)", text, re.MULTILINE)
    return {name: re.findall(r"--hash=(sha256:[0-9a-f]{64})\b", block) for name, block in blocks}


def names(requirements: list[object]) -> set[str]:
    found = (re.match(r"[A-Za-z0-9-]+", each) for each in requirements if isinstance(each, str))
    return {match[0] for match in found if match} - {"routeward"}


@pytest.mark.parametrize("lock", ["client", "build", "service", "dev", "peers", "slow", "litellm"])
def test_a_lock_holds_pins_and_hashes_and_nothing_of_a_machine(lock: str) -> None:
    for line in (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8").splitlines():
        assert re.match(r"#|    #|    --hash=sha256:|[a-z0-9-]+==\S+ (; .* )?\\$", line), line
        assert not re.search(r"://|--find-links|--index|(^|\s)/", line), line
    assert all(pins(lock).values())


@pytest.mark.parametrize("lock", ["client", "build", "service"])
def test_the_locks_agree_with_each_other(lock: str) -> None:
    assert pins(lock).items() <= pins("dev").items()


@pytest.mark.parametrize("lock", ["peers", "slow"])
def test_installing_more_changes_nothing_of_the_development_environment(lock: str) -> None:
    dev, more = pins("dev"), pins(lock)
    assert {name: more[name] for name in more.keys() & dev.keys()}.items() <= dev.items()


APART = ("peers", "slow", "litellm")
"""Groups that are not part of the development environment."""


def test_the_locks_cover_what_the_project_asks_for() -> None:
    groups, extras = PROJECT["dependency-groups"], PROJECT["project"]["optional-dependencies"]
    asked = {
        "client": names(PROJECT["project"]["dependencies"]),
        "build": names(groups["build"]),
        "service": names([each for name, extra in extras.items() if name not in ("ray", "all") for each in extra]),
        "dev": names([each for name, group in groups.items() if name not in APART for each in group]),
        "peers": names(groups["peers"]),
        "litellm": names(groups["litellm"]),
        "slow": names([*groups["slow"], *extras["ray"]]),
    }
    assert not {name for lock, wanted in asked.items() for name in wanted - pins(lock).keys()}


def test_the_light_installation_stays_light() -> None:
    assert pins("client").keys() == {"googleapis-common-protos", "grpcio", "protobuf", "typing-extensions"}
    assert "duckdb" not in names(PROJECT["project"]["optional-dependencies"]["server"])
