"""An instrument in memory that counts what it physically does."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from labwright.core.capability import Capability, Input, Output
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
from labwright.core.errors import ResourceUnavailable, StaleEpoch
from labwright.core.recorder import Recorder
from labwright.core.values import Value

Measure = Callable[[Mapping[str, Value]], Mapping[str, float] | Observation | Failure]


def _square(inputs: Mapping[str, Value]) -> Mapping[str, float]:
    return {"y": float(inputs["x"]) ** 2}


@dataclass(kw_only=True)
class FakeInstrument:
    """One capability, `measure`, from `x` to `y`; it outlives the process that commands it, as instruments do.

    `started` holds the command id of every physical start. `unplugged` makes it unreachable; `forgetful` makes it
    unable to say what became of a command; `fenced` makes it refuse older epochs. A run takes `duration_s` by the clock
    of the event loop, and goes on when nobody waits for it.
    """

    name: str = "bench"
    measure: Measure = _square
    inputs: tuple[Input, ...] = (Input(name="x", low=-10, high=10),)
    outputs: tuple[Output, ...] = (Output(name="y"),)
    repeatable: bool = False
    unplugged: bool = False
    forgetful: bool = False
    fenced: bool = False
    batch: int = 1
    duration_s: float = 0.0
    started: list[str] = field(default_factory=list)
    stopped: int = 0
    journal: dict[str, Outcome] = field(default_factory=dict)
    ends: dict[str, float] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)

    def capabilities(self) -> Sequence[Capability]:
        """Offer `measure`."""
        capability = Capability(
            name="measure",
            inputs=self.inputs,
            outputs=self.outputs,
            repeatable=self.repeatable,
            queryable=not self.forgetful,
            fenced=self.fenced,
            batch=self.batch,
        )
        return (capability,)

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Start once per command id, and remember the outcome."""
        self._reach()
        self._fence(command)
        if command.command_id not in self.journal:
            self.started.append(command.command_id)
            self.journal[command.command_id] = self._observe(command)
            self.ends[command.command_id] = _now() + self.duration_s
        if self._left_s(command) > 0:
            await asyncio.sleep(self._left_s(command))
            self._reach()
        recorder.progress(1.0)
        return self.journal[command.command_id]

    async def ask(self, command: Command) -> Answer:
        """Say what the journal says."""
        self._reach()
        self._fence(command)
        if self.forgetful:
            return CannotTell(reason="it forgets")
        if command.command_id not in self.journal:
            return NeverStarted()
        return Running() if self._left_s(command) > 0 else Done(outcome=self.journal[command.command_id])

    async def stop(self) -> None:
        """Count the stops."""
        self._reach()
        self.stopped += 1

    def _observe(self, command: Command) -> Outcome:
        if command.batch:
            return Gathered(outcomes=tuple(self._observe_one(inputs) for inputs in command.batch))
        return self._observe_one(command.inputs)

    def _observe_one(self, inputs: Mapping[str, Value]) -> Observation | Failure:
        found = self.measure(inputs)
        if not isinstance(found, Mapping):
            return found
        units = {output.name: output.unit for output in self.outputs}
        return Observation(values={n: Measurement(value=v, unit=units.get(n)) for n, v in found.items()})

    def _left_s(self, command: Command) -> float:
        return self.ends.get(command.command_id, 0.0) - _now()

    def _fence(self, command: Command) -> None:
        newest = self.epochs.get(command.command_id, 0)
        if self.fenced and command.epoch < newest:
            raise StaleEpoch(f"{self.name} follows epoch {newest} of {command.command_id}, not {command.epoch}.")
        self.epochs[command.command_id] = max(newest, command.epoch)

    def _reach(self) -> None:
        if self.unplugged:
            raise ResourceUnavailable(f"{self.name} is unplugged. Plug it in, then run the same command again.")


def _now() -> float:
    return asyncio.get_running_loop().time()
