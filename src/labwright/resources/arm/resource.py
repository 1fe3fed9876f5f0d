"""An arm: where its things are is believed only when the fingers have confirmed it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from labwright.core.capability import Capability
from labwright.core.command import Answer, Command, Failure, Outcome
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.resources.arm.arm import Arm, Work
from labwright.resources.arm.options import ArmOptions
from labwright.resources.arm.places import GRIPPER, Places
from labwright.resources.arm.skill import Skill
from labwright.resources.memory import Deed, Memory, Standing, Statement
from labwright.resources.once import NotDone, Once, digest_of
from labwright.resources.resource import Seen
from labwright.resources.stranger import text


class ArmResource:
    """Brings things from one named place to another.

    Where each thing is, is in a file: as pending before each step, and as committed when the fingers have confirmed it.
    A command is begun once, over restarts too; while it is not known what became of one, or where a thing is, nothing
    moves before a person has looked.
    """

    Options = ArmOptions

    def __init__(self, name: str, arm: Arm, memory: Memory, skills: Mapping[str, Skill]) -> None:
        self.name, self._arm, self._memory, self._skills = name, arm, memory, skills
        self._once = Once(name, memory, arm.halt)

    @classmethod
    def identity(cls, options: ArmOptions, folder: Path) -> str:
        """Return the file that stands for the places: whoever names the same one has the same places."""
        return str((folder / options.state).resolve())

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: ArmOptions, folder: Path) -> AsyncIterator["ArmResource"]:
        """Hold the file against the backend's places; nothing is connected, and nothing moves."""
        places, memory = _read(options, folder)
        skills = {n: Skill.read(name, n, part, places) for n, part in options.capabilities.items()}
        memory.read()
        async with Arm.open(name, options, folder, memory) as arm:
            resource = cls(name, arm, memory, skills)
            try:
                yield resource
            finally:
                await resource._once.close()

    @classmethod
    def standing(cls, name: str, options: ArmOptions, folder: Path) -> Standing:
        """Say where things are believed to be, and what is in doubt."""
        places, memory = _read(options, folder)
        memory.read()
        return _standing(places, memory)

    @classmethod
    def settle(cls, name: str, options: ArmOptions, folder: Path, seen: Seen) -> Standing:
        """Take a person's word for where things are; raises ResourceUnavailable while a process uses it."""
        places, memory = _read(options, folder)
        memory.hold()
        try:
            happened = memory.pending.then if memory.pending is not None and seen.happened else {}
            believed = places.beliefs("--say", seen.said, {**memory.believed, **happened})
            memory.settle(Statement(by=seen.by, why=seen.why, happened=seen.happened, believed=believed))
            return _standing(places, memory)
        finally:
            memory.release()

    def capabilities(self) -> Sequence[Capability]:
        """Offer what the file names, between its places."""
        return tuple(skill.capability for skill in self._skills.values())

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Do the steps that it needs, one after the other, unless that was begun before."""
        skill = self._skills.get(command.capability)
        if skill is None:
            raise InvalidInput(f"{self.name} has no capability {text(command.capability)[:60]}.")
        try:
            skill.check(command)
        except NotDone as error:
            return Failure(reason=str(error))
        return await self._once.run(command, lambda: self._carry_out(skill, command, recorder))

    async def ask(self, command: Command) -> Answer:
        """Say what the file knows of a command; one that is not in it never began, and will not."""
        return self._once.ask(command)

    async def stop(self) -> None:
        """Halt all motion, also in other processes, and begin no further step; what is held stays held."""
        await self._once.stop()

    async def _carry_out(self, skill: Skill, command: Command, recorder: Recorder) -> Outcome:
        if lost := skill.places.lost(self._memory.believed):
            raise ResourceUnavailable(
                f"{self.name}: nobody knows where {' and '.join(lost)} is. Look for it, and say where it is:"
                f" labwright settle FILE {self.name} --say {lost[0]}=PLACE"
            )
        plan = skill.plan(command, self._memory.believed)
        await self._arm.ready()
        deed = Deed(digest=digest_of(command), result=plan.result)
        once, command_id = self._once, command.command_id
        await self._arm.carry_out(Work(once=once, command_id=command_id, deed=deed, plan=plan, recorder=recorder))
        return plan.result


def _read(options: ArmOptions, folder: Path) -> tuple[Places, Memory]:
    places = Places.of(options)
    path = (folder / options.state).absolute()
    return places, Memory(path, declared=places.declared(), fleeting=[GRIPPER])


def _standing(places: Places, memory: Memory) -> Standing:
    doubt, lost = memory.doubt, places.lost(memory.believed)
    if doubt is None and lost:
        doubt = f"nobody knows where {' and '.join(lost)} is"
    return Standing(lines=tuple(places.told(memory.believed)), doubt=doubt)
