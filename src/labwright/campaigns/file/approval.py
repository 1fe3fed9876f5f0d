"""The part of a campaign file that says when people must approve, and who."""

from collections.abc import Sequence, Set
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt

from labwright.campaigns.file.comparison import check_comparable, read_comparison
from labwright.campaigns.file.problems import Problems
from labwright.core.approval import DAY_S, ApprovalRule, Demand
from labwright.core.command import Measurement
from labwright.core.errors import InvalidInput
from labwright.core.procedure import Condition
from labwright.core.space import Space
from labwright.core.units import convert, parse_quantity

Person = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]*$", max_length=60)]


def _listed(found: Any) -> Any:
    return [found] if isinstance(found, str) else found


def _counted(found: Any) -> Any:
    if isinstance(found, bool):
        raise ValueError("a whole number was expected")
    return found


Conditions = Annotated[list[str], BeforeValidator(_listed, json_schema_input_type=str | list[str])]
People = Annotated[list[Person], BeforeValidator(_listed, json_schema_input_type=Person | list[Person])]


class ApprovalPart(BaseModel):
    """Where all of `when` holds of the point, that many different people must approve the trial before it begins."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    when: Conditions = Field(default=[], description="What must hold, as `$current > 2 A`; left out: always.")
    by: People = Field(default=[], description="Who may approve; left out: any person on record.")
    people: Annotated[PositiveInt, BeforeValidator(_counted)] = Field(
        default=1, description="How many different people must approve."
    )
    expires: str = Field(default="24 h", description="How long they have, as `8 h`; after that the trial is withdrawn.")


def build_approvals(
    parts: Sequence[ApprovalPart], words: Set[str], space: Space, problems: Problems
) -> tuple[ApprovalRule, ...]:
    """Return the rules; what does not fit the space or itself goes to `problems`. `words`: see `read_comparison`."""
    found = []
    for i, part in enumerate(parts):
        place = ("safety", "approval", i)
        when = [problems.attempt((*place, "when"), _condition, text, words, space) for text in part.when]
        demand = problems.attempt((*place, "by"), _demand, part)
        expires_s = problems.attempt((*place, "expires"), _expires_s, part.expires)
        if demand is not None and expires_s is not None:
            held = tuple(condition for condition in when if condition is not None)
            found.append(ApprovalRule(when=held, demand=demand, expires_s=expires_s))
    return tuple(found)


def _condition(text: str, words: Set[str], space: Space) -> Condition:
    condition = read_comparison(text, words)
    if condition.name not in space.names:
        known = ", ".join(f"${name}" for name in space.names)
        raise InvalidInput(
            f"${condition.name} is not a parameter of the space, so it is not known before. Known: {known}."
        )
    check_comparable(space, condition, text)
    if condition.name not in words:
        # A unit that does not fit is seen now.
        condition.holds(Measurement(value=1.0, unit=space[condition.name].unit))
    return condition


def _demand(part: ApprovalPart) -> Demand:
    lowered = [name.lower() for name in part.by]
    if len(set(lowered)) != len(lowered):
        raise InvalidInput(f"a person stands here twice: {', '.join(part.by)}.")
    if part.by and part.people > len(part.by):
        raise InvalidInput(f"{part.people} people must approve, but only {', '.join(part.by)} may.")
    return Demand(by=tuple(part.by), people=part.people)


def _expires_s(text: str) -> float:
    number, unit = parse_quantity(text, "expires")
    if unit is None:
        raise InvalidInput(f"{text!r} has no unit of time. Expected a time such as '8 h'.")
    found = convert(number, unit, "s", "expires")
    if not 1 <= found <= 3660 * DAY_S:
        raise InvalidInput(f"{text!r} is out of range: from 1 s to ten years.")
    return found
