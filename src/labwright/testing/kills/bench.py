"""A laboratory of real processes: instruments, workers and conductors, each started again when it ends too soon."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from labwright.testing.counting import CountingDevice, write_plug_in
from labwright.testing.counting.device import KIND

PAUSE_S = 0.2  # before a process that ended by itself is started again
MAY_END = (3, 4, 7)  # out of reach, halted, no database: the same command again goes on
FINISHED = (0, 5)

CAMPAIGN = """\
name: {name}
space: {{x: {{kind: continuous, low: 0, high: 1}}}}
objectives: {{y: {{goal: minimize}}}}
procedure:
{steps}
resources: {{{resources}}}
planner: {{kind: sampling}}
budget: {{trials: {trials}, parallel: {parallel}}}
"""
STEP = "  - {{use: {device}.act, with: {{x: {source}}}, gives: {{{result}: $y}}}}"


class Role(StrEnum):
    """What a process is for."""

    CONDUCTOR = "conductor"
    WORKER = "worker"
    INSTRUMENT = "instrument"


@dataclass(frozen=True, kw_only=True)
class Blow:
    """A process was killed: which, when, and whether an act was under way."""

    role: Role
    name: str
    at: float
    in_act: bool


@dataclass(kw_only=True)
class Member:
    """A process that is started again until it is done."""

    role: Role
    words: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    ended_at: float = 0.0
    done: bool = False
    codes: list[int] = field(default_factory=list)


class Bench:
    """Everything that is at work in one folder, on one database.

    `entry` is a script that stands for `python -m labwright`, and `kind` the class behind the kind `counting`: so a
    test can plant a fault. Use it in a `with` block, which ends every process.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        *,
        entry: Path | None = None,
        kind: str = KIND,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.url = folder, url
        self.plug_in = write_plug_in(folder / "plug-in", kind)
        self.members: dict[str, Member] = {}
        self.devices: dict[str, CountingDevice] = {}
        self.blows: list[Blow] = []
        self.crashes: list[str] = []
        self._program = [sys.executable, *([str(entry)] if entry else ["-m", "labwright"])]
        path = os.pathsep.join([str(self.plug_in), str(folder), *filter(None, sys.path)])
        given = {"LABWRIGHT_DATABASE_URL": url, "LABWRIGHT_LEASE_S": "3", "LABWRIGHT_POLL_S": "0.1"}
        self.environment = {**os.environ, "PYTHONPATH": path, **given, **(settings or {})}
        self._not_ours = frozenset(_children())  # of whoever uses the bench; they may end while it is there

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        for name in self.members:
            self.end(name)
        for device in self.devices.values():
            device.kill()

    def instrument(
        self, name: str, *, fenced: bool = False, blind: bool = False, takes_s: float = 0.1
    ) -> CountingDevice:
        """Start an instrument."""
        device = CountingDevice(self.folder / name, fenced=fenced, blind=blind, takes_s=takes_s)
        self.devices[name] = device
        device.start()
        return device

    def campaign(self, name: str, *devices: str, trials: int, parallel: int = 2) -> Path:
        """Write a campaign with one step for each device; each step measures at what the one before gave."""
        names = ["$x", *(f"$y{i}" for i in range(len(devices) - 1))]
        results = [f"y{i}" for i in range(len(devices) - 1)] + ["y"]
        steps = [
            STEP.format(device=d, source=s, result=r) for d, s, r in zip(devices, names, results, strict=True)
        ]  # fmt: skip
        resources = ", ".join(f"{d}: {{kind: counting, folder: {d}, wait_s: 1}}" for d in dict.fromkeys(devices))
        text = CAMPAIGN.format(name=name, steps="\n".join(steps), resources=resources, trials=trials, parallel=parallel)
        path = self.folder / f"{name}.yaml"
        path.write_text(text)
        return path

    def conduct(self, file: Path, *, name: str | None = None, serve: bool = False) -> Member:
        """Start to conduct a campaign; with `serve` in a process that serves its resources as well."""
        return self._add(name or file.stem, Role.CONDUCTOR, ["run" if serve else "conduct", str(file)])

    def worker(self, name: str) -> Member:
        """Start a worker."""
        return self._add(name, Role.WORKER, ["worker", str(self.folder)])

    def _add(self, name: str, role: Role, words: Sequence[str]) -> Member:
        member = self.members[name] = Member(role=role, words=[*self._program, *words])
        self._start(name)
        return member

    def _start(self, name: str) -> None:
        member = self.members[name]
        with self.log(name).open("ab") as log:
            member.process = subprocess.Popen(  # noqa: S603  (our own program)
                member.words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env=self.environment
            )

    def log(self, name: str) -> Path:
        """Return where a process writes what it says."""
        return self.folder / f"{name}.log"

    def said(self, name: str) -> str:
        """Return what a process has said so far, and those of that name before it."""
        return self.log(name).read_text(errors="replace")

    def labwright(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        command = [*self._program, *words]
        return subprocess.run(  # noqa: S603  (our own program)
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def kill(self, name: str) -> None:
        """Kill a process and start it again."""
        device, member = self.devices.get(name), self.members.get(name)
        blow = Blow(
            role=Role.INSTRUMENT if device else self.members[name].role,
            name=name,
            at=time.time(),
            in_act=any(is_acting(d) for n, d in self.devices.items() if device is None or n == name),
        )
        if device is not None:
            device.kill()
            device.start()
        elif member is not None:
            self.end(name)
            member.done = False
            self._start(name)
        self.blows.append(blow)

    def end(self, name: str) -> None:
        """Kill a process for good."""
        member = self.members[name]
        if member.process is not None:
            member.process.kill()
            member.process.wait()
            member.process = None
        member.done = True

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a process."""
        process = self.members[name].process
        assert process is not None
        process.send_signal(number)

    def look(self) -> None:
        """Take note of what has ended, and start again what is not done; what ended by a fault is a crash."""
        for name, member in self.members.items():
            code = member.process.poll() if member.process else None
            if code is not None:
                member.process, member.ended_at = None, time.monotonic()
                member.codes.append(code)
                member.done = code in FINISHED
                if code not in (*FINISHED, *MAY_END):
                    self.crashes.append(f"{name} ended with {code}: {self.said(name)[-2000:]}")
            if member.process is None and not member.done and time.monotonic() > member.ended_at + PAUSE_S:
                self._start(name)

    @property
    def conductors(self) -> list[str]:
        """The campaigns that are not finished yet."""
        return [n for n, m in self.members.items() if m.role is Role.CONDUCTOR and not m.done]

    def until(self, done: Callable[[], bool], *, timeout_s: float = 60.0, what: str = "it") -> None:
        """Look after the processes until something is so; TimeoutError tells what they said."""
        deadline = time.monotonic() + timeout_s
        while not done():
            self.look()
            if time.monotonic() > deadline:
                said = "\n".join(f"--- {name}\n{self.said(name)[-1500:]}" for name in self.members)
                raise TimeoutError(f"{what} was not so within {timeout_s:g} s.\n{said}")
            time.sleep(0.02)

    def left_over(self) -> list[str]:
        """Return the processes of this folder that are still there, and the bench's children nobody waited for."""
        there = [words for words in _processes() if str(self.folder) in words]
        return [*there, *(f"{pid} Z" for pid, ended in _children().items() if ended and pid not in self._not_ours)]

    @contextmanager
    def known_kind(self) -> Iterator[None]:
        """Let this process know the kind `counting` as well, within the block."""
        sys.path.insert(0, str(self.plug_in))
        try:
            yield
        finally:
            sys.path.remove(str(self.plug_in))


def is_acting(device: CountingDevice) -> bool:
    """Whether an act is under way."""
    kinds = [entry["event"] for entry in device.journal("started", "ended", "cut")]
    return bool(kinds) and kinds[-1] == "started"


def _processes() -> Iterator[str]:
    """Yield the command line of each process but this one."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if int(folder.name) != os.getpid():
            yield f"{words}{folder.name}"


def _children() -> dict[int, bool]:
    """Return the children of this process, and whether each has ended and nobody waited for it."""
    children = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == os.getpid():
            children[int(folder.name)] = state == "Z"
    return children
