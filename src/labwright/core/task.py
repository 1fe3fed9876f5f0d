"""Work for people: what is to be done, and what they report."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from labwright.core.capability import Input
from labwright.core.command import Measurement, Observation, Outcome
from labwright.core.errors import InvalidInput, InvalidUnit
from labwright.core.moment import moment
from labwright.core.reason import legible
from labwright.core.states import CampaignState, TaskState
from labwright.core.units import convert, convert_spread
from labwright.core.values import Value, is_number, show


@dataclass(frozen=True, kw_only=True)
class Task:
    """One piece of work for a person.

    `given`: what is set; `fields`: what is to be reported, with units and limits; `due_s`: how soon it is wanted.
    """

    title: str
    instructions: str
    given: Mapping[str, Measurement]
    fields: tuple[Input, ...]
    due_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class PostedTask:
    """A task on record. Times are in UTC; `trials`, `by`, `note` and `outcome` as they were told."""

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

    @property
    def recorded(self) -> str:
        """When it was recorded and, as far as they said, by whom."""
        return f"{moment(self.ended_at or '')}{f' by {self.by}' if self.by else ''}"

    def __str__(self) -> str:
        which = "trial" if len(self.trials) == 1 else "trials"
        return f"task {self.id} ({self.task.title}, {which} {', '.join(map(str, self.trials))})"

    @property
    def withdrawn(self) -> str:
        """Say that nobody waits for it any more, and what to do if it was done all the same."""
        return (
            f"{self} is waited for by nobody any more: it was called off, or a person has decided what became of it. "
            f"If it was done all the same: labwright correct {self.campaign}/{self.trials[0]} --set ... --why ..."
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a person says of one task: the values, or why it could not be done."""

    task: int
    values: Mapping[str, Measurement]
    failed: str | None = None
    note: str | None = None


def observe(task: Task, values: Mapping[str, Measurement]) -> Observation:
    """Return what was reported, each value in the unit of its field.

    A value without a unit is in that of its field. What is missing, unknown, outside its limits or no number where one
    is wanted raises InvalidInput, with every problem found.
    """
    names = [f.name for f in task.fields]
    problems = [
        f"{n}: nothing of that name is asked for; asked for: {', '.join(names)}" for n in values if n not in names
    ]
    found: dict[str, Measurement] = {}
    for field in task.fields:
        try:
            if field.name in values:
                found[field.name] = _measured(field, values[field.name])
            elif field.required:
                raise InvalidInput(f"{field.name} is missing; expected {expected(field)}")
        except InvalidInput as error:
            problems.append(str(error).rstrip("."))
    if problems:
        raise InvalidInput(f"{'; '.join(problems)}.")
    return Observation(values=found)


def expected(field: Input) -> str:
    """Say what may be reported for a field."""
    if field.levels is not None:
        return f"one of {', '.join(map(show, field.levels))}"
    unit = f" {field.unit}" if field.unit and field.unit != "1" else ""
    match field.low, field.high:
        case None, None:
            return f"a number in {field.unit}" if unit else "a number or a word"
        case low, None:
            return f"at least {show(low)}{unit}"
        case None, high:
            return f"at most {show(high)}{unit}"
        case low, high:
            return f"{show(low)} to {show(high)}{unit}"


def is_numeric(field: Input) -> bool:
    """Say whether a field takes numbers only."""
    if field.levels is not None:
        return all(is_number(level) for level in field.levels)
    return field.unit is not None or field.low is not None or field.high is not None


def _measured(field: Input, reported: Measurement) -> Measurement:
    value: Value = reported.value
    if field.levels is not None and value not in field.levels:
        raise InvalidInput(f"{field.name} is {show(value)!r}; expected {expected(field)}")
    if not is_number(value):
        if is_numeric(field) or isinstance(value, bool):
            raise InvalidInput(f"{field.name} is {value!r}; expected {expected(field)}")
        return Measurement(value=legible(str(value), field.name))
    sd = reported.sd
    if not all(math.isfinite(n) for n in (float(value), sd or 0.0)):
        raise InvalidInput(f"{field.name} is {show(value)}; a finite number was expected")
    if reported.unit is not None and reported.unit != field.unit:
        value, sd = _converted(field, float(value), reported)
    if (field.low is not None and float(value) < field.low) or (field.high is not None and float(value) > field.high):
        raise InvalidInput(f"{field.name} is {show(value)}; expected {expected(field)}")
    return Measurement(value=value, unit=field.unit, sd=sd)


def _converted(field: Input, value: float, reported: Measurement) -> tuple[float, float | None]:
    if field.unit is None:
        raise InvalidUnit(f"{field.name}: it has no unit, but was reported in {reported.unit!r}")
    converted = convert(value, reported.unit, field.unit, field.name)
    spread = reported.sd and convert_spread(reported.sd, value, reported.unit, field.unit, field.name)
    return converted, spread
