"""One attempt of one step on one resource, and what it means for its trial."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from labwright.core.command import Command, Outcome
from labwright.core.states import RunState, TrialState
from labwright.core.values import Value


@dataclass(frozen=True, kw_only=True)
class Run:
    """One attempt of one step; what a resource sees. `step` counts from 0, `inputs` are in the capability's units."""

    id: int
    campaign: str
    trial: int
    step: int
    resource: str
    capability: str
    command_id: str
    inputs: Mapping[str, Value]
    state: RunState
    epoch: int
    outcome: Outcome | None = None

    @property
    def command(self) -> Command:
        """What is sent to the resource."""
        return Command(command_id=self.command_id, epoch=self.epoch, capability=self.capability, inputs=self.inputs)

    def __str__(self) -> str:
        return f"{self.resource}.{self.capability} of trial {self.campaign}/{self.trial}"


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A run that is about to be queued."""

    step: int
    resource: str
    capability: str
    command_id: str
    inputs: Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """How a trial ends, recorded with the result of its last run. Outcomes are in the campaign's units."""

    state: TrialState
    outcomes: Mapping[str, float] = field(default_factory=dict)
    why: str | None = None
