"""A liquid handler that PyLabRobot drives: what is in its wells is believed only when that was confirmed."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from labwright.core.capability import Capability
from labwright.core.command import Answer, Command, Failure, Outcome
from labwright.core.errors import InvalidInput
from labwright.core.recorder import Recorder
from labwright.resources.memory import Deed, Memory, Standing, Statement
from labwright.resources.once import NotDone, Once, digest_of
from labwright.resources.pylabrobot.handler import Handler, Work
from labwright.resources.pylabrobot.layout import HEAD, Layout
from labwright.resources.pylabrobot.options import HandlerOptions
from labwright.resources.pylabrobot.skill import Skill
from labwright.resources.resource import Seen
from labwright.resources.stranger import text


class LiquidHandlerResource:
    """Moves liquid between the places of a deck.

    What is believed to be in wells and tips is in a file: as pending before each action, and as committed when the
    backend has confirmed it. A command is begun once, over restarts too; while it is not known what became of one,
    nothing more is done before a person has looked.
    """

    Options = HandlerOptions

    def __init__(self, name: str, handler: Handler, memory: Memory, skills: Mapping[str, Skill]) -> None:
        self.name, self._handler, self._memory, self._skills = name, handler, memory, skills
        self._once = Once(name, memory, handler.halt)

    @classmethod
    def identity(cls, options: HandlerOptions, folder: Path) -> str:
        """Return the file that stands for the deck: whoever names the same one has the same deck."""
        return str((folder / options.state).resolve())

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: HandlerOptions, folder: Path) -> AsyncIterator["LiquidHandlerResource"]:
        """Build the deck, and hold what the file says against it; nothing is connected, and nothing moves."""
        layout, memory = _read(name, options, folder)
        skills = {n: Skill.read(layout, n, part) for n, part in options.capabilities.items()}
        memory.read()
        async with Handler.open(name, options, layout, folder, memory) as handler:
            resource = cls(name, handler, memory, skills)
            try:
                yield resource
            finally:
                await resource._once.close()

    @classmethod
    def standing(cls, name: str, options: HandlerOptions, folder: Path) -> Standing:
        """Say what is believed of the deck, and what is in doubt."""
        layout, memory = _read(name, options, folder)
        memory.read()
        return Standing(lines=tuple(layout.told(memory.believed)), doubt=memory.doubt)

    @classmethod
    def settle(cls, name: str, options: HandlerOptions, folder: Path, seen: Seen) -> Standing:
        """Take a person's word for what is on the deck; raises ResourceUnavailable while a process uses it."""
        layout, memory = _read(name, options, folder)
        believed = layout.beliefs("--say", seen.said)
        memory.hold()
        try:
            memory.settle(Statement(by=seen.by, why=seen.why, happened=seen.happened, believed=believed))
            return Standing(lines=tuple(layout.told(memory.believed)), doubt=memory.doubt)
        finally:
            memory.release()

    def capabilities(self) -> Sequence[Capability]:
        """Offer what the file names, with the narrower of its limits and what tips and wells take."""
        return tuple(skill.capability for skill in self._skills.values())

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Do the actions that it needs, one after the other, unless that was begun before."""
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
        """Begin no further action, also in other processes; call `halt`, or wait for the end of the one under way."""
        await self._once.stop()

    async def _carry_out(self, skill: Skill, command: Command, recorder: Recorder) -> Outcome:
        plan = skill.plan(command, self._memory.believed)
        await self._handler.ready()
        deed = Deed(digest=digest_of(command), result=plan.result)
        once, command_id = self._once, command.command_id
        await self._handler.carry_out(Work(once=once, command_id=command_id, deed=deed, plan=plan, recorder=recorder))
        return plan.result


def _read(name: str, options: HandlerOptions, folder: Path) -> tuple[Layout, Memory]:
    layout = Layout.read(name, options, folder)
    memory = Memory((folder / options.state).absolute(), declared=layout.declared(options), fleeting=[HEAD])
    return layout, memory
