"""Work for people: what is to be done, and what they report."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from labwright.core.attachment import Attachment, HandedIn
from labwright.core.belief import Belief
from labwright.core.command import Measurement, Outcome
from labwright.core.form import Field, FieldKind
from labwright.core.moment import moment
from labwright.core.states import CampaignState, TaskState


@dataclass(frozen=True, kw_only=True)
class Addressees:
    """For whom a task is: people by their names, or all who are on record with a skill; neither: anybody."""

    people: tuple[str, ...] = ()
    skill: str | None = None

    def admits(self, person: str, skills: Collection[str]) -> bool:
        """Whether somebody with these skills is meant."""
        if self.skill is not None and self.skill not in skills:
            return False
        return not self.people or person in self.people

    @property
    def anybody(self) -> bool:
        """Whether it is for nobody in particular."""
        return not self.people and self.skill is None

    def __str__(self) -> str:
        skilled = f"whoever has the skill {self.skill}" if self.skill else ""
        return f"{skilled}{' among ' if skilled and self.people else ''}{', '.join(self.people)}" or "anybody"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One piece of work for a person.

    `given`: what is set; `fields`: what is to be reported; `due_s`: how soon it is wanted. `signed`: it is taken only
    from somebody who shows who they are, and only from those whom it is for.
    """

    title: str
    instructions: str
    given: Mapping[str, Measurement]
    fields: tuple[Field, ...]
    due_s: float | None = None
    to: Addressees = Addressees()
    signed: bool = False

    @property
    def beliefs(self) -> tuple[str, ...]:
        """The parameters of which it asks where the best lies."""
        return tuple(f.name for f in self.fields if f.kind is FieldKind.BELIEF)


@dataclass(frozen=True, kw_only=True)
class PostedTask:
    """A task on record. Times are in UTC; `trials`, `by`, `note` and `outcome` as they were told.

    `claimed_by`: who said that they are at it, since `claimed_at`; others may report on it all the same. `sealed`: the
    digest of what was reported, where whoever reported it has shown who they are.
    """

    id: int
    command_id: str
    campaign: str
    campaign_state: CampaignState
    trials: tuple[int, ...]
    resource: str
    task: Task
    state: TaskState
    since: str
    due: str | None = None
    ended_at: str | None = None
    by: str | None = None
    note: str | None = None
    outcome: Outcome | None = None
    sealed: str | None = None
    files: tuple[HandedIn, ...] = ()
    claimed_by: str | None = None
    claimed_at: str | None = None

    @property
    def recorded(self) -> str:
        """When it was recorded and, as far as they said, by whom."""
        return f"{moment(self.ended_at or '')}{f' by {self.by}' if self.by else ''}"

    def is_late(self, now: str) -> bool:
        """Whether it was wanted before a moment, in UTC, and is still open."""
        return self.state is TaskState.OPEN and self.due is not None and self.due < now

    def __str__(self) -> str:
        which = "trial" if len(self.trials) == 1 else "trials"
        about = f", {which} {', '.join(map(str, self.trials))}" if self.trials else ""
        return f"task {self.id} ({self.task.title}{about})"

    @property
    def withdrawn(self) -> str:
        """Say that nobody waits for it any more, and what to do if it was done all the same."""
        return (
            f"{self} is waited for by nobody any more: it was called off, or a person has decided what became of it. "
            f"If it was done all the same: labwright correct {self.campaign}/{self.trials[0]} --set ... --why ..."
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a person says of one task: the values, files and beliefs, or why it could not be done."""

    task: int
    values: Mapping[str, Measurement] = field(default_factory=dict)
    files: Mapping[str, Attachment] = field(default_factory=dict)
    beliefs: tuple[Belief, ...] = ()
    failed: str | None = None
    note: str | None = None
