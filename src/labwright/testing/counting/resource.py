"""The adapter of the counting instrument, and its kind: `counting`."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, PositiveFloat

from labwright.core.capability import Capability, Input, Output
from labwright.core.command import (
    Answer,
    CannotTell,
    Command,
    Done,
    Failure,
    Measurement,
    NeverStarted,
    Observation,
    Outcome,
    Running,
)
from labwright.core.errors import ResourceUnavailable, StaleEpoch
from labwright.core.recorder import Recorder
from labwright.testing.counting.server import ADDRESS

PAUSE_S = 0.05


class CountingOptions(BaseModel):
    """`folder`: where the instrument has its journal; `wait_s`: how long one that has gone is waited for."""

    model_config = ConfigDict(extra="forbid")

    folder: Path
    wait_s: PositiveFloat = 5.0


class CountingInstrument:
    """One capability, `act`: from `x`, 0 to 1, to `y`, its square, and `serial`, the number of the physical start."""

    Options = CountingOptions

    def __init__(self, name: str, options: CountingOptions, folder: Path, about: Mapping[str, Any]) -> None:
        self.name = name
        self._options = options
        self._address = folder / options.folder / ADDRESS
        self._capability = Capability(
            name="act",
            inputs=(Input(name="x", low=0.0, high=1.0),),
            outputs=(Output(name="y"), Output(name="serial")),
            queryable=bool(about["queryable"]),
            fenced=bool(about["fenced"]),
        )

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: CountingOptions, folder: Path) -> AsyncIterator["CountingInstrument"]:
        """Ask what kind of device it is."""
        about = await _call(name, folder / options.folder / ADDRESS, {"do": "about"}, options.wait_s)
        yield cls(name, options, folder, about)

    @classmethod
    def identity(cls, options: CountingOptions, folder: Path) -> str:
        """Return what names the physical thing."""
        return str((folder / options.folder).resolve())

    def capabilities(self) -> Sequence[Capability]:
        """Offer `act`."""
        return (self._capability,)

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Order it and wait for its end."""
        reply = await self._order("run", command)
        if "values" not in reply and "failure" not in reply:
            raise ResourceUnavailable(f"{self.name} did not begin {command.command_id}.")
        return _outcome(reply)

    async def ask(self, command: Command) -> Answer:
        """Ask the instrument."""
        reply = await self._order("ask", command)
        match reply["answer"]:
            case "done":
                return Done(outcome=_outcome(reply))
            case "running":
                return Running()
            case "never started":
                return NeverStarted()
        return CannotTell(reason="it is blind")

    async def stop(self) -> None:
        """Tell it to stop."""
        await _call(self.name, self._address, {"do": "stop"}, self._options.wait_s)

    async def _order(self, what: str, command: Command) -> Mapping[str, Any]:
        asked = {"do": what, "command_id": command.command_id, "epoch": command.epoch, "inputs": dict(command.inputs)}
        reply = await _call(self.name, self._address, asked, self._options.wait_s)
        if "stale" in reply:
            newest = reply["stale"]
            raise StaleEpoch(f"{self.name} follows epoch {newest} of {command.command_id}, not {command.epoch}.")
        return reply


def _outcome(reply: Mapping[str, Any]) -> Outcome:
    if "failure" in reply:
        return Failure(reason=reply["failure"])
    return Observation(values={name: Measurement(value=value) for name, value in reply["values"].items()})


async def _call(name: str, address: Path, asked: Mapping[str, Any], wait_s: float) -> Mapping[str, Any]:
    """Send one line and read one; a device that cannot be reached is waited for, an order is sent once."""
    reader, writer = await _connected(name, address, wait_s)
    try:
        writer.write(json.dumps(asked).encode() + b"\n")
        line = await reader.readline()
    except OSError as error:
        raise ResourceUnavailable(f"{name} broke off: {error}.") from error
    finally:
        writer.close()
    if not line.endswith(b"\n"):
        raise ResourceUnavailable(f"{name} broke off before it answered.")
    found: dict[str, Any] = json.loads(line)
    return found


async def _connected(name: str, address: Path, wait_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    deadline = asyncio.get_running_loop().time() + wait_s
    while True:
        try:
            port = json.loads(address.read_text())["port"]
            return await asyncio.open_connection("127.0.0.1", port)
        except (OSError, ValueError) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise ResourceUnavailable(f"{name} cannot be reached: {error}.") from error
        await asyncio.sleep(PAUSE_S)
