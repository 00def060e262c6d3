"""What a refresh costs: beliefs of 1,000 cells with 20 buckets and 6 signals, and the memory of their sums.

Times are those of the processor, medians of several; what mechanisms add is the ratio to cells that learn alone.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from bandit.evidence import Signal
from bandit.grid import boundaries
from bandit.posterior import infer
from bandit.priors import CELLS_ALONE, InferenceSettings
from bandit.signals import SCALE, THUMB
from bandit.sums import SignalSource, Sums

COMMAND: Final = "python -m benchmarks.refresh"
CATEGORIES, MODELS, NOW = 50, 20, 450
"""450 fine buckets are 20 after coarsening."""
BUCKET_US: Final = 10_000_000
RUNS: Final = 25
_SIGNALS: Final[tuple[Signal, ...]] = ("error", "first_token", "input_ratio", "latency", "output_tokens")
SOURCES: Final[tuple[SignalSource, ...]] = (*((signal, "") for signal in _SIGNALS), ("quality", THUMB))


def invented_sums(rng: np.random.Generator) -> Sums:
    """Return sums in which every cell of every bucket holds something."""
    starts = boundaries(0, NOW)
    shape = CATEGORIES, MODELS, len(SOURCES), len(starts)
    count = rng.integers(1, 50, shape)
    mean = rng.normal(0.6, 0.05, shape)
    mean[:, :, 0] = 0.0
    moments = np.stack([count, np.round(count * mean * SCALE), np.round(count * (mean**2 + 0.05 * (mean > 0)) * SCALE)])
    names = tuple(f"category-{c:02d}" for c in range(CATEGORIES)), tuple(f"model-{m:02d}" for m in range(MODELS))
    return Sums(BUCKET_US, 0, NOW, *names, SOURCES, moments.astype(np.int64))


def cost_ms(sums: Sums, settings: InferenceSettings) -> float:
    """Return the median of the processor's time for one `infer`, in milliseconds."""
    now_us = NOW * BUCKET_US + BUCKET_US // 2
    found = []
    for _ in range(RUNS):
        started = time.thread_time()
        infer(sums, now_us, settings)
        found.append((time.thread_time() - started) * 1e3)
    return median(found)


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Measure what a refresh costs.")
    parser.add_argument("--data", type=Path, help="not used")
    parser.parse_args()
    sums = invented_sums(np.random.default_rng(7))
    default, alone = cost_ms(sums, InferenceSettings()), cost_ms(sums, CELLS_ALONE)
    buckets = sums.moments.shape[-1]
    figures = [
        (f"refresh of {CATEGORIES * MODELS} cells, {buckets} buckets, {len(SOURCES)} signals", default, "ms"),
        ("the same, cells alone", alone, "ms"),
        ("refresh by default, ratio to cells alone", default / alone, ""),
        ("memory of the sums", sums.moments.nbytes / 1e6, "MB"),
    ]
    rows = [{"name": n, "value": round(v, 2), "unit": unit, "command": COMMAND} for n, v, unit in figures]
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
