"""One question under study: everything that its file says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from labwright.core.approval import ApprovalRule
from labwright.core.availability import Availability
from labwright.core.problem import Problem
from labwright.core.procedure import Step
from labwright.core.source import Origin
from labwright.core.states import CampaignState
from labwright.core.values import Json, show


@dataclass(frozen=True, kw_only=True)
class Guard:
    """That a monitor stands before a resource, with the limits of a signed file.

    `mode`: in which its commands are meant. `channels`: which channel of the limits an input sets, by `input` or
    `capability.input`, where it has another name. `instrument`: what the limits call it, if not as the campaign does.
    """

    limits: str
    mode: str
    channels: Mapping[str, str] = field(default_factory=dict)
    instrument: str | None = None
    simulated: bool = False


@dataclass(frozen=True, kw_only=True)
class About:
    """What people want to know of an instrument: whose it is, and when it was calibrated, and must be again."""

    owner: str | None = None
    serial: str | None = None
    calibrated: date | None = None
    due: date | None = None

    def overdue(self, today: date) -> bool:
        """Whether it had to be calibrated again before today."""
        return self.due is not None and self.due < today


@dataclass(frozen=True, kw_only=True)
class PlugIn:
    """A plug-in by its name, with the options of the file.

    `capacity`: how many runs a resource takes at once; `guard`: what stands before it, if anything does;
    `availability`: when it is to be had, if not always; `about`: what people want to know of it.
    """

    kind: str
    options: Mapping[str, Json] = field(default_factory=dict)
    capacity: int = 1
    guard: Guard | None = None
    availability: Availability | None = None
    about: About = About()

    @property
    def is_people(self) -> bool:
        """Whether its commands are tasks for people and no more: the database itself knows what became of them."""
        return self.kind in ("person", "expert")


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The lowest and highest number that may be set, in `unit`."""

    low: float
    high: float
    unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """When a campaign ends before its budget is spent: the next trial is expected to gain less than this.

    `gain` is in the unit of the first objective, or in multiples of the noise where `of_noise`. `not_before`: the
    trials that are made in any case.
    """

    gain: float
    of_noise: bool = False
    unit: str | None = None
    not_before: int = 0

    def least(self, noise: float) -> float:
        """Return the least gain for which it goes on, in the unit of the objective."""
        return self.gain * noise if self.of_noise else self.gain

    def __str__(self) -> str:
        return f"{show(self.gain)} {'noise' if self.of_noise else self.unit or ''}".strip()


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A campaign as its file says. `limits`, named resource.capability.input, narrow the resources' own.

    `parallel`: the most trials in flight; `priority`: campaigns with a higher one go first on shared resources.
    `approvals`: when people must approve a trial before it begins. `stop`: when it ends before its budget is spent.
    `sources`: where else answers to its question are to be had.
    """

    name: str
    question: str
    problem: Problem
    procedure: tuple[Step, ...]
    resources: Mapping[str, PlugIn]
    planner: PlugIn
    seed: int
    trials: int
    limits: Mapping[str, Limit]
    text: str
    parallel: int = 1
    priority: int = 0
    approvals: tuple[ApprovalRule, ...] = ()
    stop: StopRule | None = None
    sources: tuple[Origin, ...] = ()

    @property
    def units(self) -> dict[str, str | None]:
        """The unit that the campaign declares for each outcome, and for the context."""
        units = {v.name: v.unit for v in self.problem.context} | {c.name: c.unit for c in self.problem.constraints}
        return units | {o.name: o.unit for o in self.problem.objectives}


@dataclass(frozen=True, kw_only=True)
class CampaignRecord:
    """What is on record of a campaign. `why`: why it ended or paused; `folder`: where its file stands.

    `budget`: the trials that it may spend, where a person has changed what the file says; `declared`: what its
    resources said that they can do, as JSON.
    """

    name: str
    digest: str
    text: str
    folder: str
    state: CampaignState
    why: str | None
    created_at: str
    budget: int | None = None
    priority: int = 0
    declared: str | None = None
