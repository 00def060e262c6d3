"""Logs in files, as tests write them and read them back."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from adapters.traffic.calls import Call
from adapters.traffic.formats import FileLog

START_US = 1_772_359_200_000_000  # 2026-03-01T10:00:00Z


def written(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def read(log: FileLog) -> list[Call]:
    return list(log.calls())


def reasons(log: FileLog) -> dict[str, int]:
    return {reason: one.count for reason, one in log.report.rejected.items()}
