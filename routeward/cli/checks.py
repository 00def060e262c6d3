"""What `routeward doctor` says of a thing it looked at; and what it looks at first, the machine."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Verdict(StrEnum):
    """What a check found."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `advice` says what to do unless it is fine."""

    name: str
    verdict: Verdict
    detail: str
    advice: str = ""


def ok(name: str, detail: str) -> Check:
    """Return a check that found nothing."""
    return Check(name, Verdict.OK, detail)


def machine(now_s: float) -> Iterator[Check]:
    """Look at the SQLite library and at the clock, which says `now_s`."""
    from adapters.sql.library import FIXED_IN, has_wal_reset_bug, version

    used = ".".join(map(str, version()))
    if has_wal_reset_bug(version()):
        detail = f"{used} can damage a database that two programs write to (WAL reset)"
        advice = f"use SQLite {FIXED_IN}, or let nothing but the server open the file"
        yield Check("sqlite", Verdict.WARNING, detail, advice)
    else:
        yield ok("sqlite", used)
    installed_s = Path(__file__).stat().st_mtime
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now_s))
    if now_s < installed_s:
        detail = f"{shown} is before routeward was installed"
        yield Check("clock", Verdict.FAILED, detail, "set the clock, for example by NTP")
    else:
        yield ok("clock", shown)
