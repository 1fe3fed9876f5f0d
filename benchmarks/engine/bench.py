"""The instrument and the campaign that every part of the benchmark uses."""

import json
import time
from collections.abc import Callable, Sequence

from labwright.core.capability import Capability, Input, Output
from labwright.core.command import Answer, Command, Done, Measurement, NeverStarted, Observation, Outcome
from labwright.core.recorder import Recorder

CAMPAIGN = """
name: {name}
space: {{x: {{kind: continuous, low: -9, high: 9}}}}
objectives: {{y: {{goal: minimize, unit: J}}}}
procedure: [{{use: bench.measure, with: {{x: $x}}, gives: {{y: $y}}}}]
resources: {{bench: {{kind: function, call: "math:sqrt", outputs: {{y: null}}, capacity: {parallel}}}}}
budget: {{trials: {trials}, parallel: {parallel}}}
planner: {{kind: sampling, seed: 3}}
"""


def campaign(name: str, *, trials: int, parallel: int = 1) -> str:
    """Return the text of a campaign file: one parameter, one step, one objective."""
    return CAMPAIGN.format(name=json.dumps(name), trials=trials, parallel=parallel)


class Instant:
    """An instrument in memory that takes no time, counts what it does, and says what became of a command.

    `commits` says how many there were by now; it is asked as each act begins.
    """

    def __init__(self, *, repeatable: bool, commits: Callable[[], int] = lambda: 0) -> None:
        self._commits = commits
        self.commits: list[int] = []
        self.name = "bench"
        self._repeatable = repeatable
        self._journal: dict[str, Outcome] = {}
        self.begun: list[float] = []
        self.ended: list[float] = []

    def capabilities(self) -> Sequence[Capability]:
        """Offer `measure`, from x to y."""
        inputs, outputs = (Input(name="x", low=-10, high=10),), (Output(name="y"),)
        queryable = not self._repeatable
        return (
            Capability(
                name="measure", inputs=inputs, outputs=outputs, repeatable=self._repeatable, queryable=queryable
            ),
        )

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Measure once for each command."""
        self.begun.append(time.time())
        self.commits.append(self._commits())
        if command.command_id not in self._journal:
            y = float(command.inputs["x"]) ** 2
            self._journal[command.command_id] = Observation(values={"y": Measurement(value=y)})
        self.ended.append(time.time())
        return self._journal[command.command_id]

    async def ask(self, command: Command) -> Answer:
        """Say what the journal says."""
        found = self._journal.get(command.command_id)
        return NeverStarted() if found is None else Done(outcome=found)

    async def stop(self) -> None:
        """There is nothing to stop."""
