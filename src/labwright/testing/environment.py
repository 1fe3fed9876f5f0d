"""Virtual environments for what has pins of its own: servers to test with, and peers to measure against."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from labwright.core.errors import NotFound, ResourceUnavailable

PIP = ("-I", "-m", "pip", "--disable-pip-version-check")  # whatever PYTHONPATH says
IN_VENV = sys.prefix != sys.base_prefix  # there, nothing is left behind when that is removed
CACHE = Path(sys.prefix) / "environments" if IN_VENV else Path.home() / ".cache" / "labwright" / "environments"


def cached_environment(pins: Path) -> Path:
    """Return the Python of the environment that such a file of pins asks for, made on first use and then shared.

    It is named for the folder of the file; what cannot be installed raises NotFound.
    """
    wanted = sha256(f"{sys.version_info[:2]}{pins.read_text()}".encode()).hexdigest()
    return environment(pins, CACHE / f"{pins.parent.name}-{wanted[:12]}")


def environment(pins: Path, folder: Path) -> Path:
    """Return the Python of the environment in a folder, which is made anew where it does not hold these pins.

    The pins are whole: nothing is installed that they do not name. One process makes it, and others wait; what cannot
    be installed raises NotFound.
    """
    python, marker = folder / "bin" / "python", folder / "pins"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_text() != pins.read_text():
            venv.create(folder, with_pip=True, clear=True)
            install = [python, *PIP, "install", "--quiet", "--no-compile", "--no-deps", "--requirement", pins]
            made = subprocess.run([str(word) for word in install], capture_output=True, text=True)  # noqa: S603
            if made.returncode:
                said = made.stderr.strip().rpartition("\n")[2]
                raise NotFound(f"{pins} cannot be installed: {said}. Is there a network?")
            marker.write_text(pins.read_text())  # last, so that what is half made is made anew
    return python


class ServerProcess:
    """A server in a process and an environment of its own: `script FOLDER PORT ...`, which prints `ready` when it is.

    It is to write what it physically begins to the file `begun` of its folder, and to end when its input does.
    """

    def __init__(self, script: Path, folder: Path, *how: str) -> None:
        self.folder, self._how, self._script = folder, how, script
        self._python = cached_environment(script.with_name("requirements.txt"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin, or begin again after a kill, and return when it is ready."""
        call = [str(self._python), str(self._script), str(self.folder), str(self.port), *self._how]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        errors = (self.folder / "errors").open("ab")
        with errors:
            self.process = subprocess.Popen(  # noqa: S603
                call,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=self.folder,
                env=environment,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        if self.process.stdout.readline() != b"ready\n":
            self.close()
            said = (self.folder / "errors").read_text(errors="replace")
            raise ResourceUnavailable(f"{self._script} did not begin: {said[-2000:]}")

    def kill(self) -> None:
        """End it, and what it has begun, as a power failure would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """End its input, and wait until it has ended."""
        with self.process:
            pass

    def begun(self) -> list[str]:
        """Return what it has physically begun."""
        file = self.folder / "begun"
        return file.read_text().splitlines() if file.exists() else []
