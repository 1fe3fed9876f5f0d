"""What the cell has done, on disk: every charge is written down before it begins and after it ends."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

POWER_LOSS = "the cell lost power during the charge"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One charge that was ordered: running, done or failed."""

    command_id: str
    inputs: Mapping[str, float]
    state: str = "running"
    reason: str = ""
    outputs: Mapping[str, float] = field(default_factory=dict)


class Journal:
    """An append-only file of JSON lines, each on the disk before the next thing happens."""

    def __init__(self, path: Path) -> None:
        self._jobs: dict[str, Job] = {}
        self._file = _without_torn_end(path)
        for line in path.read_bytes().splitlines():
            self._take(json.loads(line))
        for job in [job for job in self._jobs.values() if job.state == "running"]:
            self.end(replace(job, state="failed", reason=POWER_LOSS))

    def __len__(self) -> int:
        """Count the charges that were ever begun."""
        return len(self._jobs)

    def find(self, command_id: str) -> Job | None:
        """Return the charge of that id as it stands, or None."""
        return self._jobs.get(command_id)

    def last(self) -> Job | None:
        """Return the charge that was begun last, or None."""
        return next(reversed(self._jobs.values()), None)

    def start(self, job: Job) -> None:
        """Write down that a charge is about to begin."""
        self._write({"event": "started", "command_id": job.command_id, "inputs": dict(job.inputs)})

    def end(self, job: Job) -> None:
        """Write down how a charge ended."""
        ended = {"state": job.state, "reason": job.reason, "outputs": dict(job.outputs)}
        self._write({"event": "ended", "command_id": job.command_id, **ended})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, entry: dict[str, object]) -> None:
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._take(entry)

    def _take(self, entry: dict[str, object]) -> None:
        entry = dict(entry)
        event, command_id = entry.pop("event"), str(entry["command_id"])
        self._jobs[command_id] = Job(**entry) if event == "started" else _ended(self._jobs[command_id], entry)


def _ended(job: Job, entry: dict[str, object]) -> Job:
    return replace(job, state=entry["state"], reason=entry["reason"], outputs=entry["outputs"])


def _without_torn_end(path: Path) -> BinaryIO:
    """Open the file for appending, without the piece of a line that a loss of power left at its end."""
    path.touch()
    written = path.read_bytes()
    whole = written.rfind(b"\n") + 1
    if whole < len(written):
        os.truncate(path, whole)
    return path.open("ab")
