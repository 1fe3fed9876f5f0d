"""An arm that is driven step by step: each is on disk before it begins, and confirmed by what the fingers feel."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.resources.arm.driver import CALLS, Driver, Start
from labwright.resources.arm.options import ArmOptions
from labwright.resources.arm.places import GRIPPER, UNKNOWN
from labwright.resources.arm.skill import HOLDING, Phase, Plan, Step
from labwright.resources.function import load_function
from labwright.resources.memory import Action, Deed, Memory
from labwright.resources.once import Broken, NotDone, Once
from labwright.resources.stranger import guarded, words

T = TypeVar("T")
LOST = (OSError, EOFError, asyncio.TimeoutError)  # nobody answered: that says nothing of what happened


class Dropped(Exception):
    """The fingers hold nothing where they should hold something."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """A command that is carried out: its plan, what it is on record, and the recorder that is told how far it is."""

    once: Once
    command_id: str
    deed: Deed
    plan: Plan
    recorder: Recorder


class Arm:
    """Drives one arm. It is connected with the first command."""

    def __init__(self, name: str, options: ArmOptions, driver: Driver, memory: Memory) -> None:
        self._name, self._options, self._memory = name, options, memory
        self.driver = driver
        self._started, self._halted = False, False

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, name: str, options: ArmOptions, folder: Path, memory: Memory) -> AsyncIterator["Arm"]:
        """Make the backend; it is neither connected nor moved."""
        arm = cls(name, options, _driver(name, options, folder), memory)
        try:
            yield arm
        finally:
            for call in (arm.driver.stop, arm.driver.end) if arm._started else ():
                with contextlib.suppress(Exception):  # it is left, at rest, whatever it says to that
                    await asyncio.wait_for(guarded(call), options.timeout_s)

    async def ready(self) -> None:
        """Connect, once; raises ResourceUnavailable where that fails, and nothing is begun."""
        self._halted = False
        if self._started:
            return
        believed = {
            n: str(p) for n in self._options.things if (p := self._memory.believed.get(n)) not in (None, UNKNOWN)
        }
        start = Start(speed_m_s=self._options.speed, force_n=self._options.force, things=believed)
        try:
            await asyncio.wait_for(guarded(lambda: self.driver.start(start)), self._options.timeout_s)
        except Exception as error:  # a backend may raise anything
            raise ResourceUnavailable(
                f"{self._name}: {self._options.backend} cannot be started: {words(error)}. Nothing was begun."
            ) from error
        self._started = True

    async def carry_out(self, work: Work) -> None:
        """Do the steps of a plan; one at whose end the fingers are empty is its last."""
        steps = work.plan.steps
        for number, step in enumerate(steps, 1):
            work.recorder.progress((number - 1) / len(steps), str(step))
            action = Action(command_id=work.command_id, what=str(step), number=number, of=len(steps), then=step.then)
            try:
                await work.once.act(action, work.deed, partial(self._take, step))
            except Dropped:
                await asyncio.to_thread(self._lose, action, step, work.deed)
                raise NotDone(
                    f"{step} failed: nothing is in the fingers; nobody knows where {step.thing} is before a person has"
                    f" looked, and has said it: labwright settle FILE {self._name}"
                ) from None

    async def halt(self) -> None:
        """Halt all motion; what is held stays held."""
        self._halted = True
        if not self._started:
            return
        try:
            await guarded(self.driver.stop)
        except Exception as error:  # a backend may raise anything
            raise ResourceUnavailable(
                f"{self._name}: its stop failed: {words(error)}. Stop it at the device."
            ) from error

    def _lose(self, action: Action, step: Step, deed: Deed) -> None:
        """Put on disk what is known of a step that lost its thing: the fingers are empty."""
        then = {step.thing: UNKNOWN, GRIPPER: None}
        of = {"number": action.number, "of": action.of}
        self._memory.intend(Action(command_id=action.command_id, what=f"{step} in vain", then=then, **of), deed)
        self._memory.confirm()

    async def _take(self, step: Step) -> None:
        driver = self.driver
        match step.phase:
            case Phase.APPROACH:
                if await self._ask(step, driver.is_holding):
                    raise Broken(f"{step} failed: something is in the fingers that should not be")
                await self._ask(step, driver.open_fingers)
                await self._ask(step, lambda: driver.go_above(step.place))
            case Phase.GRIP:
                await self._ask(step, lambda: driver.go_to(step.place))
                await self._ask(step, driver.close_fingers)
            case Phase.LOWER:
                await self._ask(step, lambda: driver.go_to(step.place))
            case Phase.RELEASE:
                await self._ask(step, driver.open_fingers)
            case _:
                await self._ask(step, lambda: driver.go_above(step.place))
        await self._verify(step)

    async def _verify(self, step: Step) -> None:
        is_holding = await self._ask(step, self.driver.is_holding)
        if step.phase in HOLDING and not is_holding:
            raise Dropped
        if step.phase not in HOLDING and is_holding:
            raise Broken(f"{step} failed: something is in the fingers still; what is where is not known")

    async def _ask(self, step: Step, call: Callable[[], Awaitable[T]]) -> T:
        """Have the driver do one thing, in its time; once it was halted, nothing more."""
        try:
            if self._halted:
                raise Broken(f"it was stopped in the middle of: {step}; what of it happened is not known")
            async with asyncio.timeout(self._options.timeout_s):
                found = await guarded(call)
        except Broken:
            raise
        except LOST as error:
            await self._let_be()
            raise ResourceUnavailable(
                f"{self._name}: nobody knows what became of {step}: {words(error)}. Look at it, and say what you saw:"
                f" labwright settle FILE {self._name}"
            ) from error
        except Exception as error:  # a backend may raise anything
            why = "it was stopped in the middle" if self._halted else words(error)
            raise Broken(
                f"{step} failed: {why}; what of it happened is not known before a person has looked"
            ) from error
        if self._halted:
            raise Broken(f"it was stopped in the middle of: {step}; what of it happened is not known")
        return found

    async def _let_be(self) -> None:
        """Halt what has not answered, if it still hears."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(guarded(self.driver.stop), 1)


def _driver(name: str, options: ArmOptions, folder: Path) -> Driver:
    """Make the backend of a name; what is none raises InvalidInput."""
    place, wanted = f"{name}.backend", options.backend
    if wanted == "mujoco":
        from labwright.resources.arm.physics import Physics

        made: Driver = Physics.read(name, options.backend_options, folder, options.places)
    elif ":" in wanted:
        make = load_function(wanted, folder, option=place)
        try:
            made = make(**options.backend_options)
        except Exception as error:  # a backend may raise anything
            raise InvalidInput(f"{place}: {wanted} cannot be made: {words(error)}.") from error
    else:
        raise InvalidInput(f"{place}: found {wanted!r}, expected mujoco, or file.py:Class, or package.module:Class.")
    if missing := [call for call in CALLS if not callable(getattr(made, call, None))]:
        raise InvalidInput(f"{place}: {wanted} has no {missing[0]}(); it needs {', '.join(CALLS)}, and places.")
    if strange := [p for p in options.places if p not in getattr(made, "places", ())]:
        raise InvalidInput(f"{name}.places: {wanted} knows no {strange[0]!r}; it has {', '.join(made.places)}.")
    return made
