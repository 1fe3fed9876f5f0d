"""What a campaign file may say: the shape of every part."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt

from labwright.campaigns.file.approval import ApprovalPart
from labwright.core.errors import InvalidUnit
from labwright.core.units import parse_quantity
from labwright.core.values import is_number


class Quantity(BaseModel):
    """A number, alone or written with its unit as `25 degC`."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    value: float
    unit: str | None = None


def _quantity(found: Any) -> Any:
    if isinstance(found, str):
        try:
            value, unit = parse_quantity(found, "here")
        except InvalidUnit as error:
            raise ValueError(str(error)) from error
        return {"value": value, "unit": unit}
    if not is_number(found):
        raise ValueError("expected a number, or a number with a unit such as '25 degC'")
    return {"value": found}


def _not_true_or_false(found: Any) -> Any:
    if isinstance(found, bool):
        raise ValueError("it is read as true or false; write a word in quotes, or a number")
    return found


def _word(found: Any) -> Any:
    found = _not_true_or_false(found)
    return str(found) if is_number(found) else found


Number = Annotated[Quantity, BeforeValidator(_quantity)]
Word = Annotated[str, BeforeValidator(_word), Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=60)]
CampaignName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]


class Part(BaseModel):
    """A part of the file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ContinuousPart(Part):
    """Any number from low to high."""

    kind: Literal["continuous"]
    low: Number
    high: Number
    unit: str | None = None
    log: bool = False


class DiscretePart(Part):
    """One of a few numbers."""

    kind: Literal["discrete"]
    values: list[Number] = Field(min_length=1)
    unit: str | None = None


class OrdinalPart(Part):
    """One of a few words that have an order, the lowest first."""

    kind: Literal["ordinal"]
    levels: list[Word] = Field(min_length=1)


class CategoricalPart(Part):
    """One of a few words without an order."""

    kind: Literal["categorical"]
    levels: list[Word] = Field(min_length=1)


ParameterPart = Annotated[ContinuousPart | DiscretePart | OrdinalPart | CategoricalPart, Field(discriminator="kind")]


class ObjectivePart(Part):
    """What is wanted of one outcome."""

    goal: Literal["minimize", "maximize", "match"]
    unit: str | None = None
    target: Number | None = None


class ConstraintPart(Part):
    """What must hold of one outcome."""

    at_least: Number | None = None
    at_most: Number | None = None
    unit: str | None = None


class StepPart(Part):
    """One step: which capability, what its inputs are bound to, what it gives."""

    use: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*\.[A-Za-z_]\w*$")]
    inputs: dict[Name, Annotated[float | str, BeforeValidator(_not_true_or_false)]] = Field(alias="with", default={})
    gives: dict[Name, str] = Field(min_length=1)


class LimitPart(Part):
    """The lowest and the highest value that may be set."""

    low: Number
    high: Number
    unit: str | None = None


class SafetyPart(Part):
    """`from_resources`: the limits that the resources declare; or narrower ones by resource.capability.input."""

    limits: Literal["from_resources"] | dict[str, LimitPart] = "from_resources"
    approval: list[ApprovalPart] = Field(default=[], description="When people must approve a trial before it begins.")


class BudgetPart(Part):
    """How much may be spent."""

    trials: Annotated[PositiveInt, BeforeValidator(_not_true_or_false)]


class PlannerPart(BaseModel):
    """Which planner; its other keys are the planner's own options."""

    model_config = ConfigDict(extra="allow")

    kind: str = "gp"
    seed: Annotated[int, Field(ge=0), BeforeValidator(_not_true_or_false)] = 0


class ResourcePart(BaseModel):
    """Which kind of resource; its other keys are the resource's own options."""

    model_config = ConfigDict(extra="allow")

    kind: str


class CampaignPart(Part):
    """The whole file."""

    name: CampaignName
    question: str = ""
    space: dict[Name, ParameterPart] = Field(min_length=1)
    objectives: dict[Name, ObjectivePart] = Field(min_length=1)
    constraints: dict[Name, ConstraintPart] = {}
    procedure: list[StepPart] = Field(min_length=1)
    resources: dict[Name, ResourcePart] = Field(min_length=1)
    budget: BudgetPart
    planner: PlannerPart = PlannerPart()
    safety: SafetyPart = SafetyPart()
