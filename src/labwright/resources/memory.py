"""What a resource believes of the things that it handles: pending before it acts, committed when that is confirmed."""

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from labwright.core.command import Failure, Measurement, Observation
from labwright.core.crash import crash_point
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.values import Json, canonical, show

Belief: TypeAlias = float | str | None
Ended: TypeAlias = Observation | Failure


@dataclass(frozen=True, kw_only=True)
class Action:
    """One action of a command, the `number`-th `of` so many: what it does, and what is to be believed after it."""

    command_id: str
    what: str
    number: int
    of: int
    then: Mapping[str, Belief]

    def __str__(self) -> str:
        return f"{self.what} (action {self.number} of {self.of} of command {self.command_id})"


@dataclass(frozen=True, kw_only=True)
class Deed:
    """A command that was begun: what it was, what it gives if all of it is done, and what came of it, once known."""

    digest: str
    result: Observation
    outcome: Ended | None = None


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What a person saw. `happened`: whether what was pending did; `believed`: what else they say is so."""

    by: str
    why: str
    happened: bool | None = None
    believed: Mapping[str, Belief] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is believed, in words, and why nothing more may be done; None where all is well."""

    lines: tuple[str, ...]
    doubt: str | None = None


class Memory:
    """A file of lines that is only added to; each is on disk before the next thing is done.

    `believed` is what was confirmed, by name; a name that is not there is not known. `pending` is an action that was
    begun and not confirmed. `doubt` says why nothing more may be done before a person has looked; None where all is
    well. `declared` is believed of names that nothing was ever known of. What is named in `fleeting` is doubtful after
    a restart as well, unless it is None, and a person must bring it to that.
    """

    def __init__(self, path: Path, *, declared: Mapping[str, Belief], fleeting: Iterable[str] = ()) -> None:
        self.path = path
        self._wanted = dict(declared)
        self._fleeting = tuple(fleeting)
        self._file: int | None = None
        self.believed: dict[str, Belief] = {}
        self.pending: Action | None = None
        self._forget()

    @property
    def is_held(self) -> bool:
        """Whether this process holds the file, and nobody else can act by it."""
        return self._file is not None

    @property
    def doubt(self) -> str | None:
        """Why nothing more may be done before a person has looked."""
        if self.pending is not None:
            return f"{self.pending} was begun, and nobody knows whether it happened"
        return self._doubt

    def deed(self, command_id: str) -> Deed | None:
        """Return what is known of a command; None where it never began."""
        return self._deeds.get(command_id)

    def read(self) -> None:
        """Read what is on disk, without holding it; raises InvalidInput where the file began with other beliefs."""
        self._forget()
        self._read()
        if changed := [n for n, said in self._wanted.items() if self._declared.get(n, said) != said]:
            name = changed[0]
            raise InvalidInput(
                f"{self.path} was begun with {name} = {told(self._declared[name])}, and the campaign says"
                f" {told(self._wanted[name])}. Put the campaign back; what is true now is said with `labwright settle`."
            )
        self.believed = {n: b for n, b in self._wanted.items() if n not in self._declared} | self.believed

    def _read(self) -> None:
        try:
            self._take(self.path.read_bytes())
        except FileNotFoundError:
            return
        except OSError as error:
            raise ResourceUnavailable(f"{self.path} cannot be read: {error.strerror}.") from error

    def hold(self) -> None:
        """Keep others from acting by this file until it is let go, and read it; raises ResourceUnavailable."""
        if self._file is not None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ResourceUnavailable(f"{self.path} cannot be written: {error.strerror}.") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.read()
            os.ftruncate(file, self._size)  # what was being written when the power failed was never acted on
            _sync_folder(self.path.parent)
        except BaseException as error:
            os.close(file)
            if isinstance(error, OSError):
                why = "another process uses it" if isinstance(error, BlockingIOError) else error.strerror
                raise ResourceUnavailable(f"{self.path} cannot be held: {why}.") from error
            raise
        self._file = file
        if new := {name: said for name, said in self._wanted.items() if name not in self._declared}:
            self._write({"kind": "declared", "believed": new})

    def release(self) -> None:
        """Let others act."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def intend(self, action: Action, deed: Deed) -> None:
        """Put on disk that an action is about to begin; raises ResourceUnavailable where that cannot be."""
        crash_point("before pending")
        line: dict[str, Json] = {"kind": "pending", "command": action.command_id, "what": action.what}
        line |= {"number": action.number, "of": action.of, "then": dict(action.then)}
        if action.number == 1:
            line |= {"digest": deed.digest, "result": _encoded(deed.result)}
        self._write(line)
        crash_point("after pending")

    def confirm(self) -> None:
        """Put on disk that the pending action has happened; with the last one, its command is done."""
        crash_point("before confirmed")
        self._write({"kind": "confirmed"})
        crash_point("after confirmed")

    def end(self, command_id: str, failure: Failure) -> None:
        """Put on disk that a command that was begun has failed. What is pending stays so."""
        self._write({"kind": "ended", "command": command_id, "reason": failure.reason})

    def settle(self, statement: Statement) -> None:
        """Put on disk what a person saw; what was pending has happened, or has not, and all doubt is over."""
        if self.pending is not None and statement.happened is None:
            raise InvalidInput(f"Say whether it happened, with --happened or --never-happened: {self.pending}.")
        if self.pending is None and statement.happened is not None:
            raise InvalidInput("Nothing is pending, so there is nothing that happened or did not.")
        then = self.pending.then if self.pending is not None and statement.happened else {}
        after = {**self.believed, **then, **statement.believed}
        if held := [name for name in self._fleeting if after.get(name)]:
            raise InvalidInput(
                f"{held[0]} would be {told(after[held[0]])}, and what the device does as it starts may change that."
                f" Take it off, and say so: --say {held[0]}=none."
            )
        said: dict[str, Json] = {"by": statement.by, "why": statement.why, "happened": statement.happened}
        self._write({"kind": "said", **said, "believed": dict(statement.believed)})

    def _forget(self) -> None:
        self.believed, self.pending = {}, None
        self._declared: dict[str, Belief] = {}
        self._deeds: dict[str, Deed] = {}
        self._doing: str | None = None
        self._last: Action | None = None
        self._doubt: str | None = None
        self._size = 0

    def _take(self, data: bytes) -> None:
        whole, _, _ = data.rpartition(b"\n")
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                self._apply(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ResourceUnavailable(
                    f"{self.path}, line {number}, is not as Labwright wrote it: {error!r}. Put it back from a copy."
                ) from error
        self._size = len(whole) + 1 if whole else 0
        doubtful = [f"{name} was {told(self.believed[name])}" for name in self._fleeting if self.believed.get(name)]
        if self._doing is not None:
            self._doubt = f"the process ended in the middle of command {self._doing}, after {self._last}"
        elif doubtful:
            self._doubt = f"when the last process ended, {' and '.join(doubtful)}; that may have changed since"

    def _write(self, line: Mapping[str, Json]) -> None:
        assert self._file is not None, "hold it first"
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        data = canonical({**line, "at": at}).encode() + b"\n"
        try:
            written = os.write(self._file, data)
            os.fsync(self._file)
            if written != len(data):
                raise OSError("the disk is full")
        except OSError as error:
            os.ftruncate(self._file, self._size)
            raise ResourceUnavailable(f"{self.path} cannot be written: {error.strerror or error}.") from error
        self._size += len(data)
        self._apply(json.loads(data))

    def _apply(self, line: Mapping[str, Any]) -> None:
        match line["kind"]:
            case "declared":
                self._declared.update(line["believed"])
                self.believed = line["believed"] | self.believed
            case "pending":
                self._begin(line)
            case "confirmed":
                self._happened()
            case "ended":
                self._end(line["command"], Failure(reason=line["reason"]))
            case "said":
                self._settled(line)
            case kind:
                raise ValueError(f"{kind!r} is no kind of line")

    def _begin(self, line: Mapping[str, Any]) -> None:
        command, number = line["command"], line["number"]
        of = {"number": number, "of": line["of"], "then": line["then"]}
        self.pending = self._last = Action(command_id=command, what=line["what"], **of)
        self._doing = command
        if number == 1:
            self._deeds[command] = Deed(digest=line["digest"], result=_decoded(line["result"]))

    def _happened(self) -> None:
        action = self.pending
        assert action is not None
        self.believed |= action.then
        self.pending = None
        if action.number == action.of and self._doing == action.command_id:
            self._end(action.command_id, self._deeds[action.command_id].result)

    def _end(self, command_id: str, outcome: Ended) -> None:
        self._deeds[command_id] = replace(self._deeds[command_id], outcome=outcome)
        self._doing = None

    def _settled(self, line: Mapping[str, Any]) -> None:
        pending, said = self.pending, f"{line['by']} has looked at it: {line['why']}"
        if line["happened"]:
            self._happened()
        elif pending is not None and pending.number == 1 and self._doing is not None:
            del self._deeds[pending.command_id]  # it never began
            self._doing = None
        if self._doing is not None:
            self._end(self._doing, Failure(reason=f"it was not finished; {said}"))
        self.pending, self._doubt = None, None
        self.believed |= line["believed"]


def told(belief: Belief) -> str:
    """Write a belief for people."""
    return "none" if belief is None else show(belief)


def _encoded(observation: Observation) -> Json:
    return {name: [m.value, m.unit] for name, m in observation.values.items()}


def _decoded(found: Mapping[str, Any]) -> Observation:
    return Observation(values={name: Measurement(value=v, unit=unit) for name, (v, unit) in found.items()})


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
