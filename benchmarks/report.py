"""How large the page of a report is, and how long it takes to write: invented results of few and of many models."""

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

from simulations.page.example import example
from simulations.page.write import write_report

COMMAND: Final = "python -m benchmarks.report"
MODELS: Final = (4, 12)
RUNS: Final = 5


def figures(models: int, folder: Path) -> list[dict[str, Any]]:
    """Return the size of the page and what writing it, its JSON and its CSV costs the processor."""
    document, out, spent = example(models), folder / f"{models}.html", []
    for _ in range(RUNS):
        started = time.process_time()
        write_report([document], out)
        spent.append(time.process_time() - started)
    size = out.stat().st_size / 1e6
    found = (("size of the page", size, "MB"), ("time to write page, JSON and CSV", median(spent), "s"))
    return [
        {"name": f"report: {name}, {models} models", "value": round(value, 3), "unit": unit, "command": COMMAND}
        for name, value, unit in found
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Measure the page of a report.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for models in MODELS for row in figures(models, Path(folder))]
    print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
