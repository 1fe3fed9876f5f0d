"""The adapter: an instrument that takes lines over TCP, as a resource. Put the verbs of your own in place of these."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

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
from labwright.core.errors import ResourceUnavailable
from labwright.core.recorder import Recorder

LOOK_S = 0.05  # between two looks at how far it is


class Line:
    """One connection, and one line with its reply at a time; a lost connection is made again by the next line."""

    def __init__(self, name: str, address: str, timeout_s: float) -> None:
        self._name, self._address, self._timeout_s = name, address, timeout_s
        self._turn = asyncio.Lock()
        self._number = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def say(self, *words: str) -> list[str]:
        """Send a line and return the words of its reply; ResourceUnavailable: nobody knows whether it was heard."""
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self._exchange(words)
            except (OSError, ValueError) as error:
                self.close()
                why = str(error) or f"no reply within {self._timeout_s:g} s"
                raise ResourceUnavailable(
                    f"{self._name}: {words[0]} at {self._address}: {why}. Is it on, and its cable in?"
                ) from error

    async def insist(self, *words: str) -> list[str]:
        """Say it, and where no reply came once more, over a new connection: for what it does no harm to say twice."""
        with contextlib.suppress(ResourceUnavailable):
            return await self.say(*words)
        return await self.say(*words)

    async def _exchange(self, words: Sequence[str]) -> list[str]:
        if self._streams is None:
            host, _, port = self._address.rpartition(":")
            self._streams = await asyncio.open_connection(host, int(port))
        reader, writer = self._streams
        self._number += 1
        writer.write(f"{self._number} {' '.join(words)}\n".encode())
        while line := await reader.readline():
            number, *reply = line.decode().split()
            if number == str(self._number):  # another is the reply to an earlier line: it came late, or twice
                return reply
        raise ConnectionResetError("the connection was closed")

    def close(self) -> None:
        """Let the connection go."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Reactor:
    """Offers one capability, `measure`: it goes to a temperature, holds it, and gives a signal."""

    class Options(BaseModel):
        """`address`: host:port; `highest`: the highest temperature in this laboratory, in degC; `timeout_s`: for one
        reply."""

        model_config = ConfigDict(extra="forbid")

        address: str = Field(pattern=r"^[\w.-]+:\d+$")
        highest: float = Field(default=150.0, ge=20.0, le=150.0)
        timeout_s: PositiveFloat = 5.0

    def __init__(self, name: str, options: Options, line: Line, *, keeps: bool) -> None:
        self.name, self._line = name, line
        self._capability = Capability(
            name="measure",
            inputs=(
                Input(name="temperature", unit="degC", low=20.0, high=options.highest),
                Input(name="hold", unit="s", low=1.0, high=3600.0),
            ),
            outputs=(Output(name="signal", unit="mV"),),
            queryable=keeps,
        )

    @classmethod
    def identity(cls, options: Options, folder: Path) -> str:
        """Return what names the physical thing: two campaigns with this address take turns at it."""
        return options.address

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: Options, folder: Path) -> AsyncIterator["Reactor"]:
        """Connect, and ask what it is; one that cannot be reached raises ResourceUnavailable."""
        line = Line(name, options.address, options.timeout_s)
        try:
            about = await line.insist("IDN")
            if about[:1] != ["reactor"]:
                found = " ".join(about)
                raise ResourceUnavailable(f"{name}: at {options.address} is {found!r}; 'reactor' was expected.")
            yield cls(name, options, line, keeps="KEEPS" in about)
        finally:
            line.close()

    def capabilities(self) -> Sequence[Capability]:
        """Say what it can do."""
        return (self._capability,)

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Begin, unless this command was begun before, and wait for the end."""
        try:
            async with asyncio.timeout(command.timeout_s):
                refused = await self._begin(command)
                return refused or await self._wait(command, recorder)
        except TimeoutError as error:
            within = f"{command.timeout_s:g} s"
            raise ResourceUnavailable(f"{self.name} has not ended within {within}; it may still go on.") from error

    async def ask(self, command: Command) -> Answer:
        """Ask the instrument; one that keeps no log cannot tell, and a person looks."""
        if not self._capability.queryable:
            return CannotTell(reason=f"{self.name} keeps no log of its runs")
        state, *words = await self._line.insist("STATE", _id(command))
        match state:
            case "RUNNING":
                return Running()
            case "NEVER":
                return NeverStarted()
            case "UNKNOWN":
                return CannotTell(reason=f"{self.name} does not know the run")
        return Done(outcome=self._outcome(state, words))

    async def stop(self) -> None:
        """Switch the heater off, now; over a new connection where the old one is dead."""
        await self._line.insist("STOP")

    async def _begin(self, command: Command) -> Failure | None:
        """Give the order; return why there is nothing to wait for, where the instrument refuses it."""
        wanted = [float(command.inputs[name]) for name in ("temperature", "hold")]
        order = ["RUN", _id(command), *map(str, wanted)]
        # One that keeps a log knows the id, and does not begin it twice; another might.
        give = self._line.insist if self._capability.queryable else self._line.say
        said, *words = await give(*order)
        if said == "BUSY":
            raise ResourceUnavailable(f"{self.name} is busy with {' '.join(words)}; nothing was begun.")
        if said != "OK":
            return Failure(reason=f"{self.name} refused: {' '.join(words) or said}")
        if [float(word) for word in words] != wanted:  # read back what it has taken
            await self.stop()
            return Failure(reason=f"{self.name} was given {wanted} and took {words}; it was stopped")
        return None

    async def _wait(self, command: Command, recorder: Recorder) -> Outcome:
        while True:
            state, *words = await self._line.insist("STATE", _id(command))
            if state in ("NEVER", "UNKNOWN"):
                raise ResourceUnavailable(f"{self.name} took the run, and does not know it any more.")
            if state != "RUNNING":
                return self._outcome(state, words)
            recorder.progress(float(words[0]))
            await asyncio.sleep(LOOK_S)

    def _outcome(self, state: str, words: Sequence[str]) -> Observation | Failure:
        match state:
            case "DONE":
                return Observation(values={"signal": Measurement(value=float(words[0]), unit="mV")})
            case "STOPPED":
                return Failure(reason="it was stopped")
            case "CUT":
                return Failure(reason="it lost its power in the middle of the run")
        raise ResourceUnavailable(f"{self.name} says {state!r}, which this adapter does not know.")


def _id(command: Command) -> str:
    return quote(command.command_id, safe="")  # no space would fit into a line
