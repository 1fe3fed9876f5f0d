"""The simulated arm, which writes each call to a file and has faults where it is told."""

import os
from pathlib import Path

from labwright.resources.arm.physics import Physics

PLACES = ("bench", "oven", "scale", "shelf")


class Counting:
    """Each move is a line of `file`. `faults`: what happens at the n-th, counted from 1 over the whole file.

    gone: before it, somebody takes the vial away; slippery: it becomes so; wide: it becomes so; lost: it is done, and
    the answer does not come; broken: it fails in the middle.
    """

    def __init__(self, file, faults=None, **options):
        self.physics = Physics.read("arm", options, Path(), PLACES)
        self.file, self.faults = Path(file), {int(number): what for number, what in (faults or {}).items()}

    def __getattr__(self, name):
        return getattr(self.physics, name)

    async def go_above(self, place):
        await self._act(f"go above {place}", self.physics.go_above(place))

    async def go_to(self, place):
        await self._act(f"go to {place}", self.physics.go_to(place))

    async def open_fingers(self):
        await self._act("open", self.physics.open_fingers())

    async def close_fingers(self):
        await self._act("close", self.physics.close_fingers())

    async def _act(self, what, doing):
        file = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, f"{what}\n".encode())
        os.fsync(file)
        os.close(file)
        fault = self.faults.get(len(self.file.read_text().splitlines()))
        match fault:
            case "gone":
                at = self.model.joint(self.model.body("vial").jntadr[0]).qposadr[0]
                self.data.qpos[at : at + 3] = [0.5, -0.5, 0.025]
            case "slippery":
                self.model.geom_friction[:] = 1e-5
            case "wide":
                self.model.geom("vial").size[0] = 0.03
        if fault == "broken":
            doing.close()
            raise RuntimeError("the motor is too hot")
        await doing
        if fault == "lost":
            raise ConnectionResetError("the line is dead")
