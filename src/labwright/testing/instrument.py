"""An instrument in memory that counts what it physically does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from labwright.core.capability import Capability, Input, Output
from labwright.core.command import (
    Answer,
    CannotTell,
    Command,
    Done,
    Measurement,
    NeverStarted,
    Observation,
    Outcome,
    Recorder,
)
from labwright.core.errors import ResourceUnavailable
from labwright.core.values import Value

Measure = Callable[[Mapping[str, Value]], Mapping[str, float] | Outcome]


def _square(inputs: Mapping[str, Value]) -> Mapping[str, float]:
    return {"y": float(inputs["x"]) ** 2}


@dataclass(kw_only=True)
class FakeInstrument:
    """One capability, `measure`, from `x` to `y`; it outlives the process that commands it, as instruments do.

    `started` holds the command id of every physical start. `unplugged` makes it unreachable; `forgetful` makes it
    unable to say what became of a command.
    """

    name: str = "bench"
    measure: Measure = _square
    inputs: tuple[Input, ...] = (Input(name="x", low=-10, high=10),)
    outputs: tuple[Output, ...] = (Output(name="y"),)
    repeatable: bool = False
    unplugged: bool = False
    forgetful: bool = False
    started: list[str] = field(default_factory=list)
    stopped: int = 0
    journal: dict[str, Outcome] = field(default_factory=dict)

    def capabilities(self) -> Sequence[Capability]:
        """Offer `measure`."""
        capability = Capability(
            name="measure",
            inputs=self.inputs,
            outputs=self.outputs,
            repeatable=self.repeatable,
            queryable=not self.forgetful,
        )
        return (capability,)

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Start once per command id, and remember the outcome."""
        self._reach()
        if command.command_id not in self.journal:
            self.started.append(command.command_id)
            self.journal[command.command_id] = self._observe(command)
        recorder.progress(1.0)
        return self.journal[command.command_id]

    async def ask(self, command_id: str) -> Answer:
        """Say what the journal says."""
        self._reach()
        if self.forgetful:
            return CannotTell(reason="it forgets")
        return Done(outcome=self.journal[command_id]) if command_id in self.journal else NeverStarted()

    async def stop(self) -> None:
        """Count the stops."""
        self._reach()
        self.stopped += 1

    def _observe(self, command: Command) -> Outcome:
        found = self.measure(command.inputs)
        if not isinstance(found, Mapping):
            return found
        units = {output.name: output.unit for output in self.outputs}
        return Observation(values={n: Measurement(value=v, unit=units.get(n)) for n, v in found.items()})

    def _reach(self) -> None:
        if self.unplugged:
            raise ResourceUnavailable(f"{self.name} is unplugged. Plug it in, then run the same command again.")
