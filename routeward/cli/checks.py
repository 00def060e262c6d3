"""What `routeward doctor` looks at: the machine, the files, and the server if one runs."""

import os
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from server.config.schema import Address
    from server.settings import Settings

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
CONNECT_TIMEOUT_S: Final = 2.0
LEEWAY_S: Final = 60.0
SERVICES: Final = ("routeward.v1.RoutingService", "routeward.v1.FeedbackService")


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


def files(settings: "Settings", now_s: float) -> Iterator[Check]:
    """Look at the folder of the database, the database, and the keys that sign decision ids."""
    database = settings.store.path
    if settings.store.in_memory:
        yield Check("database", Verdict.WARNING, "kept in memory", "set path in [store] to keep what is learned")
    else:
        yield _disk(database.parent.resolve(), settings.store.min_free_bytes)
        yield _database(database, now_s)
    if settings.server.token_keys:
        yield ok("signing keys", f"{len(settings.server.token_keys)} in ROUTEWARD_TOKEN_KEYS")
    elif settings.server.token_key_file:
        yield _key_file(settings.server.token_key_file)


def network(settings: "Settings") -> Iterator[Check]:
    """Look at who may call, and whether a server runs or could."""
    from server.config.schema import parse_address

    address = parse_address(settings.server.listen)
    if not address.is_loopback and settings.server.tls is None:
        detail = f"{settings.server.listen} takes API keys without encryption"
        yield Check("tls", Verdict.WARNING, detail, "set tls_certificate and tls_key, unless a proxy encrypts")
    if address.port == 0:
        yield ok("server", "any free port will do")
    elif not _answers(address):
        yield _bindable(address)
    elif settings.server.tls:
        yield ok("server", f"something answers on {settings.server.listen}; its health is not asked through TLS")
    else:
        yield _health(address)


def _answers(address: "Address") -> bool:
    try:
        socket.create_connection(_reachable(address), CONNECT_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _disk(folder: Path, wanted_bytes: int) -> Check:
    free_bytes = shutil.disk_usage(folder).free
    detail = f"{free_bytes / 1024**2:,.0f} MB free in {folder}"
    if free_bytes < wanted_bytes:
        advice = f"free some: below min_free_mb ({wanted_bytes // 1024**2}) decisions are not logged"
        return Check("disk", Verdict.FAILED, detail, advice)
    return ok("disk", detail)


def _database(path: Path, now_s: float) -> Check:
    if not path.exists():
        return _new_file("database", path)
    found = path.stat()
    if not os.access(path, os.R_OK | os.W_OK):
        return Check("database", Verdict.FAILED, f"{path} cannot be read and written", f"chown it to {_user()}")
    if found.st_mode & OTHERS:
        return Check("database", Verdict.WARNING, f"{path} is open to others", f"chmod 600 {path}")
    if found.st_mtime > now_s + LEEWAY_S:
        detail = f"{path} was written in the future: the clock went back"
        return Check("database", Verdict.FAILED, detail, "set the clock, for example by NTP")
    return ok("database", f"{path}, {found.st_size / 1024**2:,.1f} MB")


def _key_file(path: Path) -> Check:
    from server.token_keys import TokenKeyError, read_keys

    try:
        return ok("signing keys", f"{len(read_keys(path))} in {path}")
    except FileNotFoundError:
        return _new_file("signing keys", path)
    except TokenKeyError as error:
        return Check("signing keys", Verdict.FAILED, str(error), "decision ids cannot be signed until this is mended")


def _new_file(name: str, path: Path) -> Check:
    if os.access(path.parent, os.W_OK):
        return ok(name, f"{path} will be made at the first start")
    return Check(name, Verdict.FAILED, f"{path.parent} cannot be written to", f"chown it to {_user()}")


def _user() -> str:
    return f"user {os.getuid()}, who runs this"


def _reachable(address: "Address") -> tuple[str, int]:
    """Return where this machine reaches what listens on `address`."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - this asks for it, it does not listen
    return anywhere.get(address.host, address.host), address.port


def _bindable(address: "Address") -> Check:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    shown = f"{address.host}:{address.port}"
    try:
        with socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address.host, address.port))
    except OSError as error:
        advice = "change listen in [server], or stop what uses it"
        return Check("server", Verdict.FAILED, f"nobody can listen on {shown}: {error.strerror}", advice)
    return ok("server", f"none runs; {shown} is free")


def _health(address: "Address") -> Check:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    host, port = _reachable(address)
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    serving = {}
    try:
        with grpc.insecure_channel(target, [("grpc.enable_http_proxy", 0)]) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            for name in SERVICES:
                request = health_pb2.HealthCheckRequest(service=name)
                answer = stub.Check(request, timeout=CONNECT_TIMEOUT_S)
                serving[name] = answer.status == health_pb2.HealthCheckResponse.SERVING
    except grpc.RpcError:
        advice = "stop it, or change listen in [server]"
        return Check("server", Verdict.FAILED, f"what listens on {target} is no routeward server", advice)
    failing = [name for name, serves in serving.items() if not serves]
    if failing:
        detail = f"runs on {target}, but does not serve {', '.join(failing)}"
        return Check("server", Verdict.FAILED, detail, "read its log: it is starting, stopping, or cannot store")
    return ok("server", f"runs on {target}, and serves")
