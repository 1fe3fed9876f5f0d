"""A simulated arm: MuJoCo's physics decides whether a grip holds."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import Field, PositiveFloat, ValidationError

from labwright.core.errors import InvalidInput, MissingExtra
from labwright.resources.arm.driver import Start
from labwright.resources.arm.options import Length, Part
from labwright.resources.arm.reach import Reach

T = TypeVar("T")
CHUNK_S = 0.01  # of the world's time, between two looks at whether it was stopped
SETTLE_S = 2.0  # what the joints may take to be where they were sent
BRAKE_S = 0.08
NEAR, STILL = 1e-3, 5e-3  # m or rad, and m/s or rad/s
FEEL_S, FEEL_N = 0.1, 0.05  # the time over which the fingers feel, and the least that counts
TURN_RAD_S = math.pi / 2
AWAY_M = 10.0


class Stopped(Exception):
    """It was stopped while it moved."""


class PhysicsPart(Part):
    """What `mujoco` is made with; without anything it is the cell that comes with Labwright.

    `joints` and `gripper` are position actuators of the model, `fingers` bodies, and `hand` a site between them; a
    place is a site that the hand's is brought to, and a thing a body with a free joint. `clearance` is how high above a
    place the hand goes. `pace` is how many seconds of the world pass in one of ours.
    """

    model: Path = Path(__file__).with_name("cell.xml")
    joints: tuple[str, ...] = Field(default=("x", "y", "z"), min_length=1)
    gripper: str = "fingers"
    opened: float = 0.02
    closed: float = 0.0
    fingers: tuple[str, str] = ("left", "right")
    hand: str = "tcp"
    clearance: Length = 0.1
    pace: PositiveFloat = 1.0


class Physics:
    """The world stands still between two calls; during one it passes in a thread."""

    def __init__(self, name: str, part: PhysicsPart, model: Any) -> None:
        import mujoco

        self._name, self._part = name, part
        self.model, self.data = model, mujoco.MjData(model)
        self._reach = Reach(name, model, part.joints, part.hand)
        self._grip = self._reach.id("actuator", part.gripper)
        self._fingers = {self._reach.id("body", finger): number for number, finger in enumerate(part.fingers)}
        sites = [model.site(i).name for i in range(model.nsite)]
        self.places = tuple(site for site in sites if site and site != part.hand)
        self._turn, self._stopped = threading.Lock(), threading.Event()
        self._speed_m_s = 0.1

    @classmethod
    def read(cls, name: str, options: Mapping[str, Any], folder: Path, places: Sequence[str]) -> "Physics":
        """Load the model; what is wrong with it raises InvalidInput, and a missing package MissingExtra.

        So does a place that the hand does not reach.
        """
        if find_spec("mujoco") is None:
            raise MissingExtra("robots", f"The simulated arm {name!r}")
        import mujoco

        try:
            part = PhysicsPart.model_validate(dict(options))
            made = cls(name, part, mujoco.MjModel.from_xml_path(str(folder / part.model)))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise InvalidInput(f"{name}.backend_options.{where}: {first['msg']}.") from error
        except ValueError as error:
            raise InvalidInput(f"{name}.backend_options.model: {folder / part.model}: {error}.") from error
        for place in set(places) & set(made.places):
            for above in (0.0, part.clearance):
                made._reach.joints(place, above)
        return made

    async def start(self, start: Start) -> None:
        """Put each thing where it is believed to be, and those of which nothing is believed out of the way."""
        await asyncio.to_thread(self._start, start)

    async def go_above(self, place: str) -> None:
        """Rise where the hand is, and go over a place."""
        await self._in_thread(self._follow, self._above(place))

    async def go_to(self, place: str) -> None:
        """Go down."""
        await self._in_thread(self._follow, iter([self._reach.joints(place, 0.0)]))

    async def open_fingers(self) -> None:
        """Open the fingers as wide as they go."""
        await self._in_thread(self._set_fingers, self._part.opened)

    async def close_fingers(self) -> None:
        """Close the fingers with no more than their force."""
        await self._in_thread(self._set_fingers, self._part.closed)

    async def is_holding(self) -> bool:
        """Whether both fingers press on one thing, all of a short time."""
        return await asyncio.to_thread(self._feel)

    async def stop(self) -> None:
        """Halt the joints where they are; the fingers keep their force."""
        self._stopped.set()

    async def end(self) -> None:
        """Let what is under way end."""
        self._stopped.set()
        await asyncio.to_thread(self._turn.acquire)
        self._turn.release()

    def _start(self, start: Start) -> None:
        import mujoco

        model, data = self.model, self.data
        self._speed_m_s = start.speed_m_s
        for i, body in enumerate(self._reach.free_bodies()):
            place = start.things.get(model.body(body).name)
            joint = model.body(body).jntadr[0]
            at = model.jnt_qposadr[joint]
            data.qpos[at : at + 3] = [AWAY_M + i, AWAY_M, 0.1]
            if place in self.places:
                data.qpos[at : at + 3] = model.site(place).pos
        if unknown := [t for t in start.things if t not in self._reach.free_names()]:
            raise ValueError(f"the model has no body {unknown[0]!r} with a free joint")
        model.actuator_forcelimited[self._grip] = 1
        model.actuator_forcerange[self._grip] = (-start.force_n, start.force_n)
        data.ctrl[self._reach.actuators] = data.qpos[self._reach.addresses]
        mujoco.mj_forward(model, data)
        self._set_fingers(self._part.opened)

    def _above(self, place: str) -> Iterator[np.ndarray]:
        """Return the joints over where the hand is, and over the place; it rises first."""
        yield self._reach.raised(self.data, self._reach.height(place) + self._part.clearance)
        yield self._reach.joints(place, self._part.clearance)

    async def _in_thread(self, call: Callable[[T], None], given: T) -> None:
        self._stopped.clear()
        await asyncio.to_thread(self._in_turn, call, given)

    def _in_turn(self, call: Callable[[T], None], given: T) -> None:
        with self._turn:
            call(given)

    def _follow(self, goals: Iterator[np.ndarray]) -> None:
        """Send the joints along straight ways between goals, slowly at both ends."""
        for goal in goals:
            begin = self.data.qpos[self._reach.addresses].copy()
            seconds = max(
                self._reach.length(begin, goal) / self._speed_m_s, self._reach.angle(begin, goal) / TURN_RAD_S
            )
            seconds *= math.pi / 2  # so that the fastest is the speed, and not the mean
            for now in self._passing(seconds):
                share = (1 - math.cos(math.pi * min(now / seconds, 1.0))) / 2 if seconds else 1.0
                self.data.ctrl[self._reach.actuators] = begin + share * (goal - begin)
            self._arrive(goal)

    def _arrive(self, goal: np.ndarray) -> None:
        self.data.ctrl[self._reach.actuators] = goal
        for _ in self._passing(SETTLE_S):
            found, moving = self.data.qpos[self._reach.addresses], self.data.qvel[self._reach.dofs]
            if np.abs(found - goal).max() < NEAR and np.abs(moving).max() < STILL:
                return
        raise RuntimeError("the joints do not come to where they were sent: something is in the way")

    def _set_fingers(self, width: float) -> None:
        self.data.ctrl[self._grip] = width
        for _ in self._passing(0.5):
            pass

    def _passing(self, seconds: float) -> Iterator[float]:
        """Let the world pass, at its pace; whoever stops it finds the joints at rest."""
        began, passed = time.monotonic(), 0.0
        while passed < seconds:
            if self._stopped.is_set():
                self._rest()
                raise Stopped("it was stopped")
            yield passed
            self._step(CHUNK_S)
            passed += CHUNK_S
            time.sleep(max(0.0, began + passed / self._part.pace - time.monotonic()))
        yield seconds

    def _rest(self) -> None:
        """Brake: let the actuators only damp until the joints are at rest, and hold them there."""
        for _ in range(round(BRAKE_S / self.model.opt.timestep)):
            self.data.ctrl[self._reach.actuators] = self.data.qpos[self._reach.addresses]
            self._step(self.model.opt.timestep)

    def _step(self, seconds: float) -> None:
        import mujoco

        mujoco.mj_step(self.model, self.data, max(1, round(seconds / self.model.opt.timestep)))

    def _feel(self) -> bool:
        """Let a moment pass and look at what presses on the fingers, each time."""
        with self._turn:
            held = None
            for _ in range(5):
                self._step(FEEL_S / 5)
                found = self._between()
                held = found if held is None else held & found
            return bool(held)

    def _between(self) -> set[int]:
        """Return the things on which both fingers press."""
        import mujoco

        things, pressed = self._reach.free_bodies(), (set[int](), set[int]())
        force = np.zeros(6)
        for i in range(self.data.ncon):
            contact = self.data.contact[i]
            bodies = [int(self.model.geom_bodyid[geom]) for geom in contact.geom]
            mujoco.mj_contactForce(self.model, self.data, i, force)
            for one, other in (bodies, bodies[::-1]):
                if one in self._fingers and other in things and force[0] > FEEL_N:
                    pressed[self._fingers[one]].add(other)
        return pressed[0] & pressed[1]
