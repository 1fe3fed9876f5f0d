"""Plans of bluesky as capabilities: each is run by a RunEngine in this process, and its documents are kept."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labwright.core.capability import Capability, Output
from labwright.core.command import Answer, CannotTell, Command, Failure, Outcome, Running
from labwright.core.errors import InvalidInput, MissingExtra, PlatformError, ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.core.values import Value
from labwright.resources.bluesky.arguments import Made, made, unfit
from labwright.resources.bluesky.devices import connect, devices_of, engine_of, load_module, pv_devices
from labwright.resources.bluesky.documents import DOCUMENTS, Documents
from labwright.resources.bluesky.engine import Engine, cause, quiet
from labwright.resources.bluesky.options import BlueskyOptions, PlanPart
from labwright.resources.function import load_function
from labwright.resources.stranger import is_cancelled, words

Load = Callable[[str, str], Callable[..., Iterable[Any]]]
STOPPED = "it was stopped"


@dataclass(frozen=True, kw_only=True, eq=False)
class Skill:
    """A plan with what it is called with."""

    capability: Capability
    part: PlanPart
    plan: Callable[..., Iterable[Any]]
    args: Made
    kwargs: Mapping[str, Made]

    def call(self, values: Mapping[str, Value]) -> Iterable[Any]:
        """Begin the plan; nothing moves before its first message is taken."""
        return self.plan(*self.args(values), **{name: make(values) for name, make in self.kwargs.items()})


class BlueskyResource:
    """Offers the plans that a campaign file names."""

    Options = BlueskyOptions

    def __init__(
        self,
        name: str,
        options: BlueskyOptions,
        engine: Engine,
        devices: Mapping[str, Any],
        skills: Sequence[Skill],
        safe: Callable[[], Iterable[Any]] | None,
    ) -> None:
        self.name, self._options, self._engine, self._devices, self._safe = name, options, engine, devices, safe
        self._skills = {skill.capability.name: skill for skill in skills}
        self._turn = asyncio.Lock()
        self._tasks: dict[str, asyncio.Task[Outcome]] = {}
        self._under_way: str | None = None
        self._stopping = 0
        self._ended: dict[str, str] = {}  # commands that were ended, and why

    @classmethod
    def identity(cls, options: BlueskyOptions, folder: Path) -> str:
        """Return which devices they are: the module's, wherever it is named from, or else every PV."""
        module = options.devices or ""
        own = str((folder / module).resolve()) if module.endswith(".py") else module
        return " ".join([own, *sorted(part.pv for part in options.pvs.values())]).strip()

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: BlueskyOptions, folder: Path) -> AsyncIterator["BlueskyResource"]:
        """Import the devices and plans, and connect the devices."""
        if find_spec("bluesky") is None or find_spec("ophyd_async") is None:
            raise MissingExtra("bluesky", f"The bluesky resource {name!r}")
        engine = Engine()  # before the module is imported: its devices may connect there
        module = None
        if where := options.devices:
            module = await engine.call_there(lambda: load_module(f"{name}.devices", where, folder))
        if own := engine_of(module):
            engine = Engine(own)
        devices = (devices_of(module) if module else {}) | await engine.call_there(lambda: pv_devices(options))
        await connect(name, engine, devices, options.connect_s)

        def load(call: str, option: str) -> Callable[..., Any]:
            """Find a plan; one beside the devices is that module's, or it would use others of the same name."""
            beside, _, plan = call.rpartition(":")
            found = getattr(module, plan, None) if module and beside == where else None
            return found if callable(found) else load_function(call, folder, option)

        skills = [_skill(name, n, part, devices, load) for n, part in options.capabilities.items()]
        safe = load(options.stop, "stop") if options.stop else None
        resource = cls(name, options, engine, devices, skills, safe)
        with quiet():
            try:
                yield resource
            finally:
                await resource._close()

    def capabilities(self) -> Sequence[Capability]:
        """Offer each plan with the inputs that the file declares."""
        return tuple(skill.capability for skill in self._skills.values())

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Run the plan, unless this process has, and wait for its end; at its time limit it is aborted."""
        skill = self._skill(command)
        task = self._tasks.get(command.command_id)
        if task is None or task.cancelled():
            task = self._tasks[command.command_id] = asyncio.create_task(self._carry_out(skill, command, recorder))
        try:
            async with asyncio.timeout(command.timeout_s):
                return await asyncio.shield(task)
        except TimeoutError:
            return await self._too_long(command, task)

    async def ask(self, command: Command) -> Answer:
        """Say that it goes on, where this process runs it; a RunEngine keeps no record of its plans."""
        task = self._tasks.get(command.command_id)
        if task is not None and not task.done():
            return Running()
        return CannotTell(reason="a RunEngine keeps no record of the plans that it has run")

    async def stop(self) -> None:
        """Stop every device, abort the plan, and run the plan of the safe state; meanwhile none is begun."""
        self._ended |= {name: STOPPED for name, task in self._tasks.items() if not task.done()}
        self._stopping += 1
        try:
            await self._engine.stop_devices(self._devices.values())
            if not await self._abort(STOPPED):
                raise ResourceUnavailable(
                    f"{self.name}: the plan does not end. Its devices were told to stop: look at them."
                )
            if self._safe is not None:
                await self._engine.run(self._safe, {}, lambda name, document: None)
        except PlatformError:
            raise
        except Exception as error:  # a stranger's code
            raise ResourceUnavailable(
                f"{self.name}: {self._options.stop} raised {words(cause(error))}. Stop it at the device."
            ) from error
        finally:
            self._stopping -= 1

    async def _too_long(self, command: Command, task: asyncio.Task[Outcome]) -> Outcome:
        said = f"has not ended within {command.timeout_s:g} s"
        if self._under_way != command.command_id and not task.done():
            task.cancel()
            raise ResourceUnavailable(f"{self.name}: {command.capability} {said}; it is not begun.")
        self._ended[command.command_id] = f"it {said}, and was aborted"
        if not task.done() and not await self._abort(said):
            raise ResourceUnavailable(f"{self.name}: {command.capability} {said}, nor when aborted; it may go on.")
        return await task

    async def _close(self) -> None:
        """End the plan under way, and what waits for its turn."""
        open_tasks = {name: task for name, task in self._tasks.items() if not task.done()}
        self._ended |= dict.fromkeys(open_tasks, "Labwright ended")
        await self._abort("Labwright ended")
        for task in open_tasks.values():
            task.cancel()
        await asyncio.gather(*open_tasks.values(), return_exceptions=True)

    async def _abort(self, why: str) -> bool:
        """End the plan under way; say whether it has ended."""
        if not await self._engine.abort(why, self._options.abort_s):
            return False
        task = self._tasks.get(self._under_way or "")
        if task is not None:
            await asyncio.wait([task])
        return True

    async def _carry_out(self, skill: Skill, command: Command, recorder: Recorder) -> Outcome:
        name = command.command_id
        if wrong := unfit(skill.capability.inputs, command.inputs):
            return Failure(reason=wrong)
        async with self._turn:
            if name in self._ended or self._stopping:
                return Failure(reason=f"{self._ended.get(name, STOPPED)} before it began")
            self._under_way = name
            try:
                return await self._run(skill, command, recorder)
            finally:
                self._under_way = None

    async def _run(self, skill: Skill, command: Command, recorder: Recorder) -> Outcome:
        loop = asyncio.get_running_loop()
        documents = Documents(lambda done, said: _soon(loop, recorder, done, said))
        why: str | None = None
        returned: Any = None
        metadata = {"command_id": command.command_id, "inputs": dict(command.inputs)}
        try:
            returned = await self._engine.run(lambda: skill.call(command.inputs), metadata, documents.take)
        except BaseException as error:  # a stranger's code may raise anything; it has ended
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            why = f"{skill.part.plan} raised {words(cause(error))}"
        kept = await recorder.keep(f"{DOCUMENTS}.jsonl", documents.lines)
        why = self._ended.get(command.command_id) or why or documents.failure
        if why is not None:
            return Failure(reason=f"{why}; its documents are kept as {kept}")
        return documents.outcome(skill.capability.outputs, skill.part.outputs, returned, kept)

    def _skill(self, command: Command) -> Skill:
        skill = self._skills.get(command.capability)
        if skill is None:
            raise InvalidInput(f"{self.name} has no capability {command.capability!r}.")
        return skill


def _soon(loop: asyncio.AbstractEventLoop, recorder: Recorder, done: float, said: str) -> None:
    loop.call_soon_threadsafe(recorder.progress, done, said)


def _skill(resource: str, name: str, part: PlanPart, devices: Mapping[str, Any], load: Load) -> Skill:
    place = f"{resource}.{name}"
    if files := [n for n, i in part.inputs.items() if i.file]:
        raise InvalidInput(f"{place}.{files[0]}: a plan takes no files.")
    if DOCUMENTS in part.outputs:
        raise InvalidInput(f"{place}: the output {DOCUMENTS!r} is the file of its documents. Name yours differently.")
    return Skill(
        capability=Capability(
            name=name,
            inputs=tuple(i.declared(n) for n, i in part.inputs.items()),
            outputs=(
                *(Output(name=n, unit=o.unit) for n, o in part.outputs.items()),
                Output(name=DOCUMENTS, file=True),
            ),
            repeatable=part.repeatable,
        ),
        part=part,
        plan=load(part.plan, "plan"),
        args=made(f"{place}.args", part.args, part.inputs, devices),
        kwargs={n: made(f"{place}.kwargs.{n}", found, part.inputs, devices) for n, found in part.kwargs.items()},
    )
