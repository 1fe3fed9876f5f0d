"""One attempt of one step on one resource, and what it means for its trials."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from labwright.core.capability import Capability
from labwright.core.command import Command, Failure, Gathered, Measurement, Observation, Outcome
from labwright.core.material import Materials, Taking
from labwright.core.states import RunState, TrialState
from labwright.core.values import Value

BAR = "|"


def thing_of(key: str) -> str:
    """Return what names the physical thing in a key; behind the bar stands how a campaign has set it up."""
    return key.partition(BAR)[0]


@dataclass(frozen=True, kw_only=True)
class Member:
    """A trial that a run serves, and what is set for it, in the capability's units."""

    trial: int
    inputs: Mapping[str, Value]

    def sent(self, capability: Capability | None) -> dict[str, Measurement]:
        """Return what is set, each with the unit that the capability declares for it, if it is known."""
        declared = {} if capability is None else {i.name: i.unit for i in capability.inputs}
        return {name: Measurement(value=value, unit=declared.get(name)) for name, value in self.inputs.items()}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One attempt of one step; what a resource sees.

    `step` counts from 0 and `attempt` from 1. `key` names the thing that `resource` stands for, and how the campaign
    has set it up. `room`: how many trials it may gather; 1 is an ordinary run. `worker`: who holds it, or held it last.
    `material`: whether it touches samples or takes from lots.
    """

    id: int
    campaign: str
    step: int
    attempt: int
    resource: str
    key: str
    capability: str
    command_id: str
    members: tuple[Member, ...]
    room: int
    state: RunState
    epoch: int
    timeout_s: float | None = None
    worker: str | None = None
    outcome: Outcome | None = None
    material: bool = False

    @property
    def trials(self) -> tuple[int, ...]:
        """The numbers of the trials that it serves."""
        return tuple(m.trial for m in self.members)

    @property
    def inputs(self) -> Mapping[str, Value]:
        """What is set, for the first trial that it serves."""
        return self.members[0].inputs

    @property
    def use(self) -> str:
        """The capability's full name: resource.capability."""
        return f"{self.resource}.{self.capability}"

    @property
    def command(self) -> Command:
        """What is sent to the resource."""
        return Command(
            command_id=self.command_id,
            epoch=self.epoch,
            capability=self.capability,
            inputs=self.inputs,
            batch=tuple(m.inputs for m in self.members) if self.room > 1 else (),
            timeout_s=self.timeout_s,
        )

    def outcome_of(self, trial: int) -> Observation | Failure | None:
        """Return what came back for one of its trials."""
        if not isinstance(self.outcome, Gathered):
            return self.outcome
        found, place = self.outcome.outcomes, self.trials.index(trial)
        if len(found) != len(self.members):
            count = f"{len(found)} results for {len(self.members)} trials"
            return Failure(reason=f"{self.use} returned {count}: nobody can say whose they are.")
        return found[place]

    def __str__(self) -> str:
        which = "trial" if len(self.members) == 1 else "trials"
        return f"{self.use} of {which} {', '.join(f'{self.campaign}/{n}' for n in self.trials)}"


def undecided(run: Run) -> str:
    """Say why campaigns halt while a run is unknown, and what to do."""
    return (
        f"Nobody can say what became of {run} (run {run.id}): it was begun, and no result came back. "
        f"Look, then say what you saw: labwright decide {run.id} --as NAME --done VALUES.json | --never-ran | "
        '--failed, each with --why "...". Then run the same command again.'
    )


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A run that is about to be queued for one trial; with `room` it waits up to `wait_s` for others to join it.

    `material`: whether it touches samples or takes from lots; `takes`: how much of each. `capacity`: how many runs its
    resource takes at once, as the campaign says.
    """

    step: int
    resource: str
    key: str
    capability: str
    command_id: str
    inputs: Mapping[str, Value]
    attempt: int = 1
    room: int = 1
    wait_s: float = 0.0
    shared: str = ""
    timeout_s: float | None = None
    material: bool = False
    takes: tuple[Taking, ...] = ()
    capacity: int | None = None


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """How a trial ends, recorded with the result of its last run. Outcomes are in the campaign's units."""

    state: TrialState
    outcomes: Mapping[str, float] = field(default_factory=dict)
    why: str | None = None


@dataclass(frozen=True, kw_only=True)
class Next:
    """What comes next in a trial: runs to queue, runs that are only recorded as skipped (each with why), or its end.

    `cancel`: ids of its queued runs that are not wanted any more. Nothing at all: others of its runs are still open.
    `materials`: as it begins, all that it takes from lots and does with samples.
    """

    runs: tuple[NewRun, ...] = ()
    skipped: tuple[tuple[NewRun, str], ...] = ()
    cancel: tuple[int, ...] = ()
    conclusion: Conclusion | None = None
    materials: Materials | None = None
