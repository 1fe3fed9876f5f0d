"""Starts, kills and reads a counting instrument, and makes its kind known to the processes of a test."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labwright.core.errors import ResourceUnavailable
from labwright.testing.counting import server

KIND = "labwright.testing.counting.resource:CountingInstrument"


class CountingDevice:
    """An instrument in a process of its own; `folder` holds its journal. Its end by `kill` is a loss of power."""

    def __init__(
        self, folder: Path, *, fenced: bool = False, blind: bool = False, takes_s: float = 0.1, idle_exit_s: float = 120
    ) -> None:
        self.folder = folder
        self.blind = blind
        self._words = [sys.executable, server.__file__, str(folder), "--takes-s", str(takes_s)]
        self._words += ["--idle-exit-s", str(idle_exit_s), *["--fenced"] * fenced, *["--blind"] * blind]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        address = self.folder / server.ADDRESS
        address.unlink(missing_ok=True)
        self.process = subprocess.Popen(self._words, stdin=subprocess.DEVNULL)  # noqa: S603  (our own file)
        deadline = time.monotonic() + 60
        while not address.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ResourceUnavailable(f"The counting instrument in {self.folder} did not start.")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def journal(self, *events: str) -> list[Mapping[str, Any]]:
        """Return what happened, or only such events."""
        path = self.folder / server.JOURNAL
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        found: Sequence[Mapping[str, Any]] = [json.loads(line) for line in lines if line.endswith(b"\n")]
        return [entry for entry in found if not events or entry["event"] in events]


def write_plug_in(folder: Path, target: str = KIND) -> Path:
    """Write a package that makes the kind `counting` known; return what must be on the PYTHONPATH of a process.

    It is found as every plug-in of a laboratory is: by its entry point. No other process knows the kind.
    """
    about = folder / "labwright_counting-1.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: labwright-counting\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[labwright.resources]\ncounting = {target}\n")
    return folder
