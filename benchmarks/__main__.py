"""Run the benchmarks of this folder and write what they measured as one JSON document.

Each other module here is a benchmark: `python -m benchmarks.NAME [--data FOLDER]` prints a JSON list of
figures, each with name, value, unit and command, and `ratio_to` where the value is a ratio.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

REQUIRED = {"name", "value", "unit", "command"}
OPTIONAL = {"ratio_to"}

Figure = dict[str, Any]


class BenchmarkError(Exception):
    """A benchmark failed, or printed something that is no list of figures."""


def names() -> list[str]:
    """Every benchmark in this folder, sorted."""
    return sorted(module.name for module in iter_modules([str(Path(__file__).parent)]) if module.name[0] != "_")


def run(name: str, data: Path | None) -> list[Figure]:
    """Run one benchmark in a process of its own; its stderr is shown. Raises BenchmarkError."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *(["--data", str(data)] if data else [])]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode:
        raise BenchmarkError(f"it ended with status {finished.returncode}")
    found = figures(finished.stdout)
    for figure in found:
        say(f"    {figure['name']}: {figure['value']} {figure['unit']}")
    return [{"benchmark": name, **figure} for figure in found]


def figures(printed: str) -> list[Figure]:
    """Read what a benchmark printed. Raises BenchmarkError with the first thing that is wrong."""
    try:
        found = json.loads(printed)
    except ValueError as error:
        raise BenchmarkError(f"it printed no JSON: {error}") from error
    if not isinstance(found, list) or not found:
        raise BenchmarkError("it printed no list of figures")
    for figure in found:
        if not isinstance(figure, dict) or not REQUIRED <= figure.keys() <= REQUIRED | OPTIONAL:
            raise BenchmarkError(f"a figure has {sorted(REQUIRED)} and may have {sorted(OPTIONAL)}: {figure}")
        if isinstance(figure["value"], bool) or not isinstance(figure["value"], int | float):
            raise BenchmarkError(f"the value of {figure['name']!r} is no number: {figure['value']!r}")
    return found


def kept(path: Path, measured_anew: Sequence[str]) -> list[Figure]:
    """Return what a document holds of other benchmarks. Raises BenchmarkError where it is of another machine."""
    if not path.exists():
        return []
    document = json.loads(path.read_text(encoding="utf-8"))
    if document["machine"] != machine():
        raise BenchmarkError(f"{path} was measured on another machine ({document['machine']}); leave --keep out")
    return [figure for figure in document["figures"] if figure["benchmark"] not in measured_anew]


def written(found: Sequence[Figure]) -> str:
    """Return the document, one figure per line."""
    lines = ",\n".join(json.dumps(figure) for figure in found)
    return f'{{"machine": {json.dumps(machine())},\n"figures": [\n{lines}\n]}}\n'


def machine() -> dict[str, object]:
    """What the figures depend on."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
    }


def say(line: str) -> None:
    """Show progress, apart from what is measured."""
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return 1 if a benchmark failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the benchmarks.")
    parser.add_argument("--data", type=Path, help="folder with outcome tables, for the benchmarks that use them")
    parser.add_argument("--only", nargs="+", choices=names(), default=names(), metavar="NAME", help="of %(choices)s")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks.json"), help="default: %(default)s")
    parser.add_argument("--keep", action="store_true", help="what the file holds of other benchmarks, of this machine")
    options = parser.parse_args(arguments)
    try:
        found = kept(options.out, options.only) if options.keep else []
    except BenchmarkError as error:
        parser.error(str(error))
    failed: list[str] = []
    for number, name in enumerate(options.only, start=1):
        say(f"[{number}/{len(options.only)}] {name} ...")
        try:
            found += run(name, options.data)
        except BenchmarkError as error:
            failed.append(name)
            say(f"    failed: {error}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    found.sort(key=lambda figure: figure["benchmark"])
    options.out.write_text(written(found), encoding="utf-8")
    say(f"wrote {options.out}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
