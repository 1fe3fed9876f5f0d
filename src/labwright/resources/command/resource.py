"""A program as a resource: it takes and gives JSON, and is begun once for each command, whatever dies meanwhile."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from labwright.core.capability import Capability
from labwright.core.command import (
    Answer,
    CannotTell,
    Command,
    Done,
    Failure,
    Gathered,
    Measurement,
    NeverStarted,
    Observation,
    Outcome,
    Running,
)
from labwright.core.errors import InvalidInput, ResourceUnavailable, StaleEpoch
from labwright.core.recorder import Recorder
from labwright.core.units import check_unit
from labwright.core.values import Value
from labwright.resources.command import runner
from labwright.resources.command.journal import Journal, Stage, Ticket
from labwright.resources.command.options import CommandOptions
from labwright.resources.command.reply import Reply, Unusable, read_replies, tail
from labwright.resources.plain import output, unit_of

P = ParamSpec("P")
T = TypeVar("T")
PLACE = Path(".labwright") / "commands"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.005, 0.25
THREADS = 8  # of its own: long calls of others must not hold up its starts
STOP_S = runner.GRACE_S + 5.0


class CommandResource:
    """Offers one capability, `run`: a program that takes one JSON object and prints one.

    It is begun by a small process of its own that outlives this one, and that notes the end on disk. So it can be asked
    what became of a command, and no command is begun twice.
    """

    Options = CommandOptions

    def __init__(self, name: str, options: CommandOptions, folder: Path) -> None:
        self.name = name
        self._options = options
        self._cwd = (folder / options.folder).absolute()
        self._journal = Journal((folder / PLACE).absolute(), name)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=name)
        self._capability = Capability(
            name="run",
            inputs=tuple(declared.declared(n) for n, declared in options.inputs.items()),
            outputs=tuple(output(n, said) for n, said in options.outputs.items()),
            repeatable=options.repeatable,
            queryable=True,
            fenced=True,
            batch=options.batch or 1,
        )

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: CommandOptions, folder: Path) -> AsyncIterator["CommandResource"]:
        """Look whether the program is there; it is not started."""
        resource = cls(name, options, folder)
        resource._check()
        with resource._threads:
            yield resource

    def capabilities(self) -> Sequence[Capability]:
        """Offer the program."""
        return (self._capability,)

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Begin the program, unless that was done before, wait for its end, and keep what it printed."""
        ended = await self._in_thread(self._begin, command, await self._fetched(command, recorder))
        if ended is not None:
            return ended
        recorder.progress(0.0, f"{self._program} runs")
        stage, pause_s = Stage.RUNNING, FIRST_PAUSE_S
        while stage is Stage.RUNNING:
            await asyncio.sleep(pause_s)
            pause_s = min(1.5 * pause_s, LONGEST_PAUSE_S)
            stage = await self._in_thread(self._journal.stage, command.command_id)
        if stage is not Stage.ENDED:
            raise ResourceUnavailable(f"{self.name}: {self._lost(command)}")
        return await self._take(command, recorder)

    async def ask(self, command: Command) -> Answer:
        """Look at what is on disk; a command that has not begun will not begin by any order given before."""
        newest, stage = await self._in_thread(self._rule_out, command)
        if stage is Stage.ABSENT:
            self._check_epoch(command, newest)
            return NeverStarted()
        if stage is Stage.RUNNING:
            return Running()
        if stage is Stage.LOST:
            return CannotTell(reason=self._lost(command))
        outcome, replies = await self._in_thread(self._outcome, command)
        kept = await self._in_thread(self._kept, command)
        if kept is None and any(isinstance(reply.outcome, Observation) for reply in replies):
            return Running()  # its files are still to be kept: run it again
        return Done(outcome=_with_objects(outcome, replies, kept or {}))

    async def stop(self) -> None:
        """End every running program of this resource, and what those have begun."""
        if not self._journal.root.exists():
            return
        running = self._journal.stop()  # in no thread: it waits for nobody's turn
        deadline = asyncio.get_running_loop().time() + STOP_S
        while left := [folder for folder in running if runner.is_held(str(folder))]:
            if asyncio.get_running_loop().time() > deadline:
                names = ", ".join(str(folder) for folder in left)
                raise ResourceUnavailable(f"{self.name}: {self._program} did not end; see {names}. End it by hand.")
            await asyncio.sleep(0.02)

    @property
    def _program(self) -> str:
        return self._options.run[0]

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.wrap_future(self._threads.submit(function, *args, **kwargs))

    def _check(self) -> None:
        for name, unit in self._options.outputs.items():
            check_unit(unit_of(unit), None, f"outputs.{name}")
        if not self._cwd.is_dir():
            raise InvalidInput(f"folder: {self._cwd} is not there. It is taken from the campaign's folder.")
        program, path = self._program, self._options.environment.get("PATH")
        local = self._cwd / program
        if shutil.which(str(local) if "/" in program else program, path=path):
            return
        if not local.exists():
            raise InvalidInput(f"run: there is no program {program!r}, neither in {self._cwd} nor on the PATH.")
        if "/" in program or shutil.which(f"{self._cwd}/{program}") is None:
            raise InvalidInput(f"run: {local} may not be executed. Say what runs it, such as [python, {program}].")
        raise InvalidInput(f"run: {program!r} is not on the PATH, but in {self._cwd}. Write ./{program}.")

    async def _fetched(self, command: Command, recorder: Recorder) -> dict[str, str]:
        """Return where the files lie that a command takes, by their references."""
        names = [i.name for i in self._capability.inputs if i.file]
        found = {str(row[n]) for row in command.batch or (command.inputs,) for n in names if n in row}
        return {reference: str(await recorder.fetch(reference)) for reference in sorted(found)}

    def _begin(self, command: Command, files: Mapping[str, str]) -> Failure | None:
        """Begin the command; return why it will not begin, where it was stopped first."""
        self._journal.make()
        newest, ticket = self._journal.take_up(command.command_id, command.epoch)
        self._check_epoch(command, newest)
        stage = self._journal.stage(command.command_id)
        if not (stage is Stage.ABSENT or (stage is Stage.LOST and self._options.repeatable)):
            return None
        match self._journal.begin(command.command_id, self._order(command, ticket, files)):
            case runner.OVERTAKEN:
                raise StaleEpoch(f"{self.name}: somebody asked about {command.command_id} before it began; it did not.")
            case runner.STOPPED:
                return Failure(reason="stopped before it began")
        return None

    def _rule_out(self, command: Command) -> tuple[int, Stage]:
        self._journal.make()
        return self._journal.rule_out(command.command_id, command.epoch)

    def _check_epoch(self, command: Command, newest: int) -> None:
        if command.epoch < newest:
            raise StaleEpoch(f"{self.name} follows epoch {newest} of {command.command_id}, not {command.epoch}.")

    def _order(self, command: Command, ticket: Ticket, files: Mapping[str, str]) -> dict[str, Any]:
        return {
            "epoch": command.epoch,
            "asked": ticket.asked,
            "stops": ticket.stops,
            "repeatable": self._options.repeatable,
            "argv": self._options.run,
            "cwd": str(self._cwd),
            "environment": self._options.environment,
            "timeout_s": command.timeout_s or self._options.timeout,
            "input": json.dumps(self._input(command, files), indent=1),
        }

    def _input(self, command: Command, files: Mapping[str, str]) -> dict[str, Any]:
        named = {i.name for i in self._capability.inputs if i.file}
        about = {
            "command_id": command.command_id,
            "folder": str(self._journal.folder(command.command_id) / "files"),
            "units": {i.name: i.unit for i in self._capability.inputs},
        }
        if self._options.batch is None:
            return {"inputs": _with_paths(command.inputs, named, files), **about}
        rows = command.batch or (command.inputs,)
        return {"batch": [_with_paths(inputs, named, files) for inputs in rows], **about}

    def _lost(self, command: Command) -> str:
        folder = self._journal.folder(command.command_id)
        return (
            f"{self._program} began, and its end is not known: the power failed, or its runner was killed. See {folder}"
        )

    def _outcome(self, command: Command) -> tuple[Outcome, list[Reply]]:
        """Return what came of a command that has ended, without its files."""
        reason = self._why_failed(command)
        if reason is not None:
            return Failure(reason=reason), []
        count = None if self._options.batch is None else len(command.batch) or 1
        try:
            replies = read_replies(self._journal.folder(command.command_id), self._capability.outputs, count)
        except (Unusable, OSError) as error:
            return Failure(reason=f"{self._program}: {error}"), []
        outcomes = tuple(reply.outcome for reply in replies)
        return (Gathered(outcomes=outcomes) if command.batch else outcomes[0]), replies

    def _why_failed(self, command: Command) -> str | None:
        result, folder = self._journal.result(command.command_id), self._journal.folder(command.command_id)
        if result["ending"] == "stopped":
            return "stopped"
        if result["ending"] == "timeout":
            limit_s = runner.read(str(folder / "order.json"))["timeout_s"]
            return f"{self._program} was stopped: it had not ended within {limit_s:g} s"
        if result["code"] == 0:
            return None
        code = result["code"]
        how = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
        return f"{self._program} {how}: {tail(folder / 'stderr') or 'it said nothing on its standard error'}"

    async def _take(self, command: Command, recorder: Recorder) -> Outcome:
        """Return what came of a command, with what it printed and the files that it lists kept."""
        outcome, replies = await self._in_thread(self._outcome, command)
        if not any(isinstance(reply.outcome, Observation) for reply in replies):
            return outcome
        folder, kept = self._journal.folder(command.command_id), dict[str, str]()
        for name in ("stdout", "stderr"):
            if data := await self._in_thread((folder / name).read_bytes):
                kept[name] = await recorder.keep(name, data)
        for name in dict.fromkeys(name for reply in replies for name in reply.files):
            listed = await self._in_thread(_read_file, folder / "files", name)
            if listed is not None:
                kept[f"files/{name}"] = await recorder.keep(name, listed)
        await self._in_thread(runner.write, str(folder / "kept.json"), kept)
        return _with_objects(outcome, replies, kept)

    def _kept(self, command: Command) -> dict[str, str] | None:
        path = self._journal.folder(command.command_id) / "kept.json"
        return runner.read(str(path)) if path.exists() else None


def _read_file(folder: Path, name: str) -> bytes | None:
    """Return a file that a program lists; None where it is not there, or not in the command's own folder."""
    path = (folder / name).resolve()
    return path.read_bytes() if path.is_relative_to(folder.resolve()) and path.is_file() else None


def _with_paths(inputs: Mapping[str, Value], named: Collection[str], files: Mapping[str, str]) -> dict[str, Value]:
    return {name: files[str(value)] if name in named else value for name, value in inputs.items()}


def _with_objects(outcome: Outcome, replies: Sequence[Reply], kept: Mapping[str, str]) -> Outcome:
    outcomes = tuple(_kept_outcome(reply, kept) for reply in replies)
    if isinstance(outcome, Gathered):
        return Gathered(outcomes=outcomes)
    return outcomes[0] if outcomes else outcome


def _kept_outcome(reply: Reply, kept: Mapping[str, str]) -> Observation | Failure:
    if isinstance(reply.outcome, Failure):
        return reply.outcome
    missing = [name for name in reply.files if f"files/{name}" not in kept]
    if missing:
        return Failure(reason=f"it lists {', '.join(missing)}, but its folder has no such file")
    names = ("stdout", "stderr", *(f"files/{name}" for name in reply.files))
    references = {name: Measurement(value=kept[f"files/{file}"]) for name, file in reply.given.items()}
    values = {**reply.outcome.values, **references}
    return Observation(values=values, objects=tuple(kept[name] for name in names if name in kept))
