"""A backend of PyLabRobot's that keeps count of what it physically does, in a file, and has faults where it is told."""

import asyncio
import os
from pathlib import Path

from pylabrobot.liquid_handling.backends import LiquidHandlerChatterboxBackend


class Counting(LiquidHandlerChatterboxBackend):
    """Each action is a line of `file`. `faults`: what happens at the n-th action, counted from 1 over the whole file.

    lost: it is done, and the answer does not come; broken: it fails in the middle; slow: it takes a minute, unless it
    is halted.
    """

    def __init__(self, file: str, faults: dict[int, str] | None = None) -> None:
        super().__init__(1)
        self.file, self.faults = Path(file), {int(number): what for number, what in (faults or {}).items()}
        self.halted = asyncio.Event()

    async def setup(self) -> None:
        if self.faults.get(0) == "refuses":
            raise RuntimeError("the door is open")

    async def stop(self) -> None:
        pass

    async def halt(self) -> None:
        self.halted.set()

    async def pick_up_tips(self, ops, use_channels) -> None:
        await self._act(f"pick up {ops[0].resource.name}")

    async def drop_tips(self, ops, use_channels) -> None:
        await self._act(f"drop {ops[0].resource.name}")

    async def aspirate(self, ops, use_channels) -> None:
        await self._act(f"aspirate {ops[0].volume:g} {ops[0].resource.name}")

    async def dispense(self, ops, use_channels) -> None:
        await self._act(f"dispense {ops[0].volume:g} {ops[0].resource.name}")

    async def request_tip_presence(self) -> list[bool | None]:
        await self._act("look for a tip")
        return [None]

    async def _act(self, what: str) -> None:
        file = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, f"{what}\n".encode())
        os.fsync(file)
        os.close(file)
        match self.faults.get(len(self.file.read_text().splitlines())):
            case "lost":
                raise ConnectionResetError("the line is dead")
            case "broken":
                raise RuntimeError("the plunger is stuck")
            case "slow":
                async with asyncio.timeout(60):
                    await self.halted.wait()
                raise RuntimeError("it was halted")
            case "lengthy":
                await asyncio.sleep(0.5)
