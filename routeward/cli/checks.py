"""What `routeward doctor` says of a thing it looked at; and what it looks at first, the machine."""

import time
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
    """One thing that was looked at; `advice` says what to do, or of what is fine when it matters."""

    name: str
    verdict: Verdict
    detail: str
    advice: str = ""


def ok(name: str, detail: str, remark: str = "") -> Check:
    """Return a check that found nothing."""
    return Check(name, Verdict.OK, detail, remark)


def library() -> Check:
    """Look at the SQLite library. Its bug is no warning: it needs what the lock keeps servers from doing."""
    from adapters.sql.sqlite.library import FIXED_IN, has_wal_reset_bug, version

    used = ".".join(map(str, version()))
    if not has_wal_reset_bug(version()):
        return ok("sqlite", used)
    return ok(
        "sqlite",
        f"{used}, which can damage a database that two programs write to (WAL reset)",
        f"matters only if another program writes to the file while the server runs; fixed in {FIXED_IN}",
    )


def clock(now_s: float) -> Check:
    """Look at the clock, which says `now_s`."""
    installed_s = Path(__file__).stat().st_mtime
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now_s))
    if now_s < installed_s:
        detail = f"{shown} is before routeward was installed"
        return Check("clock", Verdict.FAILED, detail, "set the clock, for example by NTP")
    return ok("clock", shown)
