"""A simulated instrument: it stands outside the processes that command it, and outlives them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

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
from labwright.core.values import Value

Reply = Callable[[Outcome | Exception], None]
DOWN_S = 1.0  # how long it takes to start again
NO_REPLY_S = 5.0  # how long a caller listens to a dead line
TROUBLES = ("lost reply", "double reply", "hang", "power cut", "not ready")


class Surroundings(Protocol):
    """What an instrument needs of the world around it: time, and somebody who looks on."""

    dice: Random

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call it after so long."""
        ...

    def time(self) -> float:
        """Return the time."""
        ...

    def started(self, device: "Device", command: Command) -> None:
        """Take note that something moves."""
        ...


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What an instrument is like. `trouble`: how likely something goes wrong with a command."""

    name: str
    queryable: bool = True
    fenced: bool = False
    repeatable: bool = False
    capacity: int = 1
    batch: int = 1
    act_s: tuple[float, float] = (1.0, 4.0)
    message_s: tuple[float, float] = (0.001, 0.05)
    trouble: float = 0.0

    def capabilities(self) -> Sequence[Capability]:
        """Offer `measure`, from x to y."""
        capability = Capability(
            name="measure",
            inputs=(Input(name="x", low=-1e4, high=1e4),),
            outputs=(Output(name="y"),),
            queryable=self.queryable,
            fenced=self.fenced,
            repeatable=self.repeatable,
            batch=self.batch,
        )
        return (capability,)


@dataclass(kw_only=True)
class Job:
    """One physical act: what came of it, and who waits to hear."""

    command: Command
    takes_s: float
    outcome: Outcome | None = None
    hangs: bool = False
    listeners: list[Reply] = field(default_factory=list)


@dataclass(kw_only=True)
class Device:
    """The instrument itself. `starts` are the commands that it physically began, `ended` what came of each."""

    kind: Kind
    world: Surroundings
    starts: list[Job] = field(default_factory=list)
    promised: set[str] = field(default_factory=set)
    _journal: dict[str, Job] = field(default_factory=dict)
    _fences: dict[str, int] = field(default_factory=dict)
    _down_until: float = -1.0

    def receive(self, command: Command, reply: Reply) -> None:
        """Take a command that arrives: begin it, or take up the same work."""
        if self._is_down:
            return self._unreachable(reply)
        if self.is_stale(command):
            return reply(StaleEpoch(f"{self.kind.name} follows a newer epoch of {command.command_id}"))
        self._fences[command.command_id] = max(command.epoch, self._fences.get(command.command_id, 0))
        job = self._journal.get(command.command_id)
        if job is None:
            trouble = self._draw()
            if trouble == "not ready":
                return reply(ResourceUnavailable(f"{self.kind.name} said that it is ready, and is not"))
            job = self._begin(command, trouble)
            reply = self._troubled(reply, trouble)
        if job.outcome is not None:
            return reply(job.outcome)
        job.listeners.append(reply)
        return None

    def is_stale(self, command: Command) -> bool:
        """Whether the command is older than one that was seen."""
        return self.kind.fenced and command.epoch < self._fences.get(command.command_id, 0)

    def asked(self, command: Command) -> Answer:
        """Say what became of a command; raises ResourceUnavailable while the power is off."""
        if self._is_down:
            raise ResourceUnavailable(f"{self.kind.name} is off")
        if not self.kind.queryable:
            return CannotTell(reason="it keeps no journal")
        stale = self.is_stale(command)
        self._fences[command.command_id] = max(command.epoch, self._fences.get(command.command_id, 0))
        job = self._journal.get(command.command_id)
        if job is None:
            if not stale:
                self.promised.add(command.command_id)
            return NeverStarted()
        if job.outcome is not None:
            return Done(outcome=job.outcome)
        if job.hangs:
            job.hangs = False
            self.world.later(0.1, lambda: self._end(job, _observe(job.command)))
        return Running()

    def stop(self) -> None:
        """End everything that moves."""
        if self._is_down:
            raise ResourceUnavailable(f"{self.kind.name} is off")
        for job in self.moving:
            self._end(job, Failure(reason="it was stopped"))

    def halt(self, job: Job) -> None:
        """End what would never end by itself, by hand."""
        if job.hangs:
            self._end(job, Failure(reason="it hung, and was switched off by hand"))

    @property
    def moving(self) -> list[Job]:
        """What has begun and not ended."""
        return [job for job in self.starts if job.outcome is None]

    def seen(self, command_id: str) -> Job | None:
        """Return what a person who looks sees of a command: the last time that it physically began."""
        return next((j for j in reversed(self.starts) if j.command.command_id == command_id), None)

    @property
    def _is_down(self) -> bool:
        return self.world.time() < self._down_until

    def _draw(self) -> str | None:
        return self.world.dice.choice(TROUBLES) if self.world.dice.random() < self.kind.trouble else None

    def _begin(self, command: Command, trouble: str | None) -> Job:
        takes = self.world.dice.uniform(*self.kind.act_s)
        job = Job(command=command, takes_s=takes, hangs=trouble == "hang")
        self.world.started(self, command)
        self.starts.append(job)
        if self.kind.queryable or self.kind.fenced:
            self._journal[command.command_id] = job
        if trouble == "power cut":
            self.world.later(takes / 2, self._cut)
        elif trouble != "hang":
            self.world.later(takes, lambda: self._end(job, _observe(command)))
        return job

    def _end(self, job: Job, outcome: Outcome) -> None:
        if job.outcome is not None:
            return
        job.outcome = outcome
        listeners, job.listeners = job.listeners, []
        for reply in listeners:
            reply(outcome)

    def _cut(self) -> None:
        """The power fails: what moves is interrupted, and whoever listens hears nothing any more."""
        self._down_until = self.world.time() + DOWN_S
        for job in self.moving:
            listeners, job.listeners = job.listeners, []
            job.outcome = Failure(reason="the power failed")
            for reply in listeners:
                self._unreachable(reply)

    def _unreachable(self, reply: Reply) -> None:
        reply(ResourceUnavailable(f"{self.kind.name} is off"))

    def _troubled(self, reply: Reply, trouble: str | None) -> Reply:
        if trouble == "double reply":
            return lambda outcome: _twice(reply, outcome)
        if trouble == "lost reply":
            silence = ResourceUnavailable(f"{self.kind.name} did not answer")
            return lambda outcome: self.world.later(NO_REPLY_S, lambda: reply(silence))
        return reply


def _twice(reply: Reply, outcome: Outcome | Exception) -> None:
    reply(outcome)
    reply(outcome)


def _observe(command: Command) -> Outcome:
    if command.batch:
        return Gathered(outcomes=tuple(_measured(inputs["x"]) for inputs in command.batch))
    return _measured(command.inputs["x"])


def _measured(x: Value) -> Observation:
    return Observation(values={"y": Measurement(value=truth(float(x)))})


def truth(x: float) -> float:
    """Return what the instruments measure at x."""
    return x * x + 1.0
