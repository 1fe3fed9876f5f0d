"""A PostgreSQL server of one's own, for tests: in a folder of its own, seen by nobody else, gone at the end."""

# ruff: noqa: S603  (its own programs, with its own words)

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from labwright.core.errors import NotFound, ResourceUnavailable

ROLE = "labwright"
UNPRIVILEGED = ("postgres", "nobody")  # PostgreSQL refuses to run as root
STOPS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
NEEDED = ("initdb", "postgres", "psql")

# Ends the server and its folder when this process is gone, even by kill -9: its end of the pipe is closed then.
GUARD = 'cat > /dev/null; kill -QUIT "$1"; while kill -0 "$1" 2> /dev/null; do sleep 0.1; done; rm -rf "$2"'


class PrivateServer:
    """A server that listens on a socket in a temporary folder; use it in a `with` block, which ends it.

    `fsync` costs time, and is needed only where a test takes the power away.
    """

    def __init__(self, *, fsync: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self._programs = find_programs()
        self._settings = {"fsync": "on" if fsync else "off", "shared_buffers": "32MB", "max_connections": "60"}
        self._settings |= {"listen_addresses": "", **(settings or {})}
        self._as_user = _unprivileged()
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="labwright-postgres-"))
        self.data = self.folder / "data"
        self.socket = self.folder / ".s.PGSQL.5432"

    def __enter__(self) -> Self:
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The URL of the database that is there from the beginning."""
        return self.url_of("postgres")

    def url_of(self, name: str) -> str:
        """Return the URL of a database of that name."""
        return f"postgresql://{ROLE}@/{name}?host={self.folder}"

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        self.execute(f'CREATE DATABASE "{name}"')
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Delete a database; who uses it loses the connection."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Carry out one statement as the server's owner and return what it gives, as text."""
        words = ["-h", str(self.folder), "-U", ROLE, "-d", database, "-AXqt", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return self._call("psql", words)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        words = [f"-c{name}={value}" for name, value in self._settings.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.data, "-k", self.folder, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for the tests
                **self._as_user,
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", str(self._process.pid), str(self.folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._wait_until_ready(self._process, timeout_s=60)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `smart` waits for its clients, `fast` sends them off, `immediate` is like a crash."""
        if self._guard is not None:
            self._guard.kill()  # first, while the number of the server's process is certainly its own
            self._guard.communicate()
            self._guard = None
        if self._process is not None:
            self._process.send_signal(STOPS[mode])
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End the server and delete its folder."""
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self) -> None:
        if user := self._as_user.get("user"):
            shutil.chown(self.folder, user)
        words = ["-D", str(self.data), "-U", ROLE, "-E", "UTF8", "--locale=C", "--auth=trust", "--no-sync"]
        self._call("initdb", words, **self._as_user)

    def _call(self, program: str, words: Sequence[str], **options: Any) -> str:
        done = subprocess.run(
            [self._programs / program, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={k: v for k, v in os.environ.items() if not k.startswith("PG")} | {"PGOPTIONS": "-c lock_timeout=5s"},
            **options,
        )
        if done.returncode:
            raise ResourceUnavailable(f"PostgreSQL's {program} failed: {done.stderr.strip()}")
        return str(done.stdout).strip()

    def _wait_until_ready(self, process: subprocess.Popen[bytes], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(ResourceUnavailable):
                self.execute("SELECT 1")
                return
            time.sleep(0.02)
        log = (self.folder / "log").read_text(errors="replace")[-2000:]
        raise ResourceUnavailable(f"A PostgreSQL server in {self.folder} did not start. Its log ends with:\n{log}")


def find_programs() -> Path:
    """Return the folder of PostgreSQL's programs; where there is none, raise NotFound."""
    folders = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    if config := shutil.which("pg_config"):
        told = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        folders.append(Path(told))
    versions = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if p.parent.name.isdigit()]
    folders += sorted(versions, key=lambda p: int(p.parent.name), reverse=True)
    for folder in folders:
        if all((folder / name).exists() for name in NEEDED):
            return folder
    raise NotFound(
        f"No PostgreSQL server is installed: {', '.join(NEEDED)} are neither on PATH nor in /usr/lib/postgresql. "
        "On Debian or Ubuntu: sudo apt install postgresql"
    )


def _unprivileged() -> dict[str, Any]:
    """Return how a process is begun that may not do everything: as oneself, or for root as another user."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in UNPRIVILEGED:
        if name in known:
            return {"user": name, "group": known[name].pw_gid, "extra_groups": []}
    raise NotFound(f"PostgreSQL refuses to run as root, and there is no user {' or '.join(UNPRIVILEGED)}.")
