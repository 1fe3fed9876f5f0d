"""What is on disk of the commands of a campaign's programs, in `.labwright/commands` beside its file."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import quote

from labwright.core.errors import ResourceUnavailable
from labwright.resources.command import runner


class Stage(Enum):
    """How far a command is. LOST: its runner died before the end."""

    ABSENT = "absent"
    RUNNING = "running"
    ENDED = "ended"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """What was true when a start was decided on; it is no start any more once one of these has changed."""

    asked: int
    stops: int


class Journal:
    """The commands of one resource."""

    def __init__(self, root: Path, resource: str) -> None:
        self.root, self._resource = root, quote(resource, safe="")

    def make(self) -> None:
        """Make the folders, where they are not there yet."""
        for name in (".fences", ".stops"):
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def folder(self, command_id: str) -> Path:
        """Return the folder of a command; it is there once the command has begun."""
        return self.root / _name(command_id)

    def stage(self, command_id: str) -> Stage:
        """Say how far a command is."""
        folder = self.folder(command_id)
        if not folder.exists():
            return Stage.ABSENT
        if (folder / "result.json").exists():
            return Stage.ENDED
        if runner.is_held(str(folder)):
            return Stage.RUNNING
        # The lock is given back after the result is written, so look for the result once more.
        return Stage.ENDED if (folder / "result.json").exists() else Stage.LOST

    def take_up(self, command_id: str, epoch: int) -> tuple[int, Ticket]:
        """Note who wants the command now; return the newest epoch known, and what a start of it depends on."""
        with runner.Locked(str(self.root)):
            known = self._note(command_id, epoch)
            return known["epoch"], Ticket(asked=known["asked"], stops=runner.stops(str(self.root), self._resource))

    def rule_out(self, command_id: str, epoch: int) -> tuple[int, Stage]:
        """Return the newest epoch known, and the stage; where that is absent, no start decided on before will begin."""
        with runner.Locked(str(self.root)):
            known, stage = self._note(command_id, epoch), self.stage(command_id)
            if stage is Stage.ABSENT and epoch >= known["epoch"]:
                self._fence(command_id, known | {"asked": known["asked"] + 1})
            return known["epoch"], stage

    def begin(self, command_id: str, order: Mapping[str, Any]) -> int:
        """Start the runner of a command and return its exit code, once the command has begun or will not."""
        words = [sys.executable, "-I", "-S", runner.__file__, str(self.root)]
        full = json.dumps({**order, "id": _name(command_id), "resource": self._resource})
        done = subprocess.run(  # noqa: S603
            words, input=full, capture_output=True, text=True, start_new_session=True, check=False
        )
        if done.returncode not in (runner.BEGUN, runner.KNOWN, runner.OVERTAKEN, runner.STOPPED):
            raise ResourceUnavailable(f"{self.root}: the program's runner failed: {done.stderr.strip()[-500:]}")
        return done.returncode

    def result(self, command_id: str) -> dict[str, Any]:
        """Return how a command ended."""
        return runner.read(str(self.folder(command_id) / "result.json"))

    def stop(self) -> list[Path]:
        """End every program of this resource, and every start that was decided on; return those still running."""
        root = str(self.root)
        with runner.Locked(root):
            count = runner.stops(root, self._resource)
            runner.write(f"{root}/.stops/{self._resource}", {"count": count + 1})
            running = [folder for folder in self._folders() if self._is_mine(folder)]
        for folder in running:
            (folder / "stop").touch()
            pid = runner.read(str(folder / "runner.json")).get("pid")
            if pid and runner.is_held(str(folder)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        return running

    def _folders(self) -> list[Path]:
        return [p for p in self.root.iterdir() if p.is_dir() and not p.name.startswith(".")]

    def _is_mine(self, folder: Path) -> bool:
        if (folder / "result.json").exists() or not runner.is_held(str(folder)):
            return False
        return runner.read(str(folder / "order.json")).get("resource") == self._resource

    def _note(self, command_id: str, epoch: int) -> dict[str, int]:
        known = runner.fence(str(self.root), _name(command_id))
        order = runner.read(str(self.folder(command_id) / "order.json"))
        known["epoch"] = max(known["epoch"], order.get("epoch", 0))
        if epoch > known["epoch"] and order:
            self._fence(command_id, known | {"epoch": epoch})
        return known | {"epoch": max(epoch, known["epoch"])}

    def _fence(self, command_id: str, content: dict[str, int]) -> None:
        runner.write(f"{self.root}/.fences/{_name(command_id)}", content)


def _name(command_id: str) -> str:
    """Return a file name for an id: no folder of another, and not hidden."""
    return quote(command_id, safe="").replace(".", "%2E")
