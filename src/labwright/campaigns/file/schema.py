"""What a campaign file may say: the shape of every part, and what each key means."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

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


def _gain(found: Any) -> Any:
    number, _, unit = found.strip().partition(" ") if isinstance(found, str) else ("", "", "")
    return {"value": number, "unit": NOISE} if unit.strip() == NOISE else _quantity(found)


def _not_true_or_false(found: Any) -> Any:
    if isinstance(found, bool):
        raise ValueError("it is read as true or false; write a word in quotes, or a number")
    return found


def _word(found: Any) -> Any:
    found = _not_true_or_false(found)
    return str(found) if is_number(found) else found


def _one_or_more(found: Any) -> Any:
    return [found] if isinstance(found, str) else found


NOISE = "noise"  # stands where a unit does: so many times the noise
NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"

# What a reader of the file takes in, besides what it is read as.
_Written = Annotated[str, Field(pattern=r"^\s*[-+]?\.?\d")]
_Quantity = Annotated[float | _Written, Field(title="Quantity", description="A number, or one with its unit: 25 degC.")]

Number = Annotated[Quantity, BeforeValidator(_quantity, json_schema_input_type=_Quantity)]
Gain = Annotated[Quantity, BeforeValidator(_gain, json_schema_input_type=_Quantity)]
Word = Annotated[str, BeforeValidator(_word, json_schema_input_type=str | float), Field(min_length=1)]
Name = Annotated[str, Field(pattern=NAME, max_length=60)]
CampaignName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
Whole = BeforeValidator(_not_true_or_false)
OneOrMore = Annotated[list[str], BeforeValidator(_one_or_more, json_schema_input_type=str | list[str])]


class Part(BaseModel):
    """A part of the file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ContinuousPart(Part):
    """Any number from low to high."""

    kind: Literal["continuous"] = Field(description="Says that it is continuous.")
    low: Number = Field(description="The lowest value.")
    high: Number = Field(description="The highest value.")
    unit: str | None = Field(default=None, description="The unit of the values.")
    log: bool = Field(default=False, description="Whether steps are even in the logarithm; then low is above 0.")


class DiscretePart(Part):
    """One of a few numbers."""

    kind: Literal["discrete"] = Field(description="Says that it is discrete.")
    values: list[Number] = Field(min_length=1, description="The possible values, rising.")
    unit: str | None = Field(default=None, description="The unit of the values.")


class OrdinalPart(Part):
    """One of a few words that have an order, the lowest first."""

    kind: Literal["ordinal"] = Field(description="Says that it is ordinal.")
    levels: list[Word] = Field(min_length=1, description="The words, in order.")


class CategoricalPart(Part):
    """One of a few words without an order."""

    kind: Literal["categorical"] = Field(description="Says that it is categorical.")
    levels: list[Word] | dict[str, dict[Name, float]] = Field(
        min_length=1,
        description="The words; or each word with numbers that tell what it is like: `water: {polarity: 80}`.",
    )


class PartLimits(Part):
    """The least and the most of one part."""

    low: Number | None = Field(default=None, description="The least of it; without it 0: it may be absent.")
    high: Number | None = Field(default=None, description="The most of it; without it the total.")


class CompositionPart(Part):
    """Parts that sum to a total. Each part is a parameter of its own."""

    kind: Literal["composition"] = Field(description="Says that it is a composition.")
    parts: Annotated[list[Name], Field(min_length=2)] | Annotated[dict[Name, PartLimits], Field(min_length=2)] = Field(
        description="The names of the parts; or each with its limits: `Ni: {low: 0.1, high: 0.5}`."
    )
    total: Number = Field(default=Quantity(value=1.0), description="What the parts sum to, as `100 %`.")
    unit: str | None = Field(default=None, description="The unit of the total and of the parts.")
    at_least_parts: Annotated[int, Field(ge=1), Whole] = Field(
        default=1, description="How many of the parts must be above 0."
    )
    at_most_parts: Annotated[int, Field(ge=1), Whole] | None = Field(
        default=None, description="How many of the parts may be above 0; without it all."
    )


ParameterPart = Annotated[
    ContinuousPart | DiscretePart | OrdinalPart | CategoricalPart | CompositionPart, Field(discriminator="kind")
]


class DesirabilityPart(Part):
    """How desirable a value is, from 0 to 1. The campaign then looks for the most desirable trial, all objectives taken
    together: the weighted geometric mean of their desirabilities. Give every objective one, or none."""

    worst: Number = Field(
        description="The value at which it is 0, and beyond which a trial is of no use. Of a target: how far off is "
        "too far, on either side."
    )
    best: Number | None = Field(
        default=None,
        description="The value at which it is 1; better counts no more. Not given where the goal is `match`.",
    )
    weight: Annotated[PositiveFloat, Whole] = Field(default=1.0, description="Its part in the whole.")
    shape: Annotated[PositiveFloat, Whole] = Field(
        default=1.0,
        description="The power by which it rises: above 1 only values near the best count for much, below 1 it is "
        "enough not to be the worst.",
    )


class ObjectivePart(Part):
    """What is wanted of one outcome."""

    goal: Literal["minimize", "maximize", "match"] = Field(
        description="As little, as much, or as near to the target as possible."
    )
    unit: str | None = Field(default=None, description="The unit in which it is recorded.")
    target: Number | None = Field(default=None, description="Given when, and only when, the goal is `match`.")
    worst: Number | None = Field(
        default=None,
        description="Among several objectives: the value from which on a trial is of no use. The front is improved on "
        "this side of it; without it, of what was found.",
    )
    desirability: DesirabilityPart | None = Field(
        default=None, description="How desirable its values are, to weigh several objectives against each other."
    )


class ConstraintPart(Part):
    """What must hold of one outcome."""

    at_least: Number | None = Field(default=None, description="The lowest value that is good enough.")
    at_most: Number | None = Field(default=None, description="The highest value that is still allowed.")
    unit: str | None = Field(
        default=None,
        description="The unit in which it is recorded; that of the objective, where one has the same name.",
    )


class ContextPart(Part):
    """What is measured beside the outcomes because it may matter, and cannot be chosen."""

    unit: str | None = Field(default=None, description="The unit in which it is recorded.")


class StepPart(Part):
    """One step: which capability, what its inputs are bound to, what it gives, and when it is done."""

    name: Annotated[Name, Whole] | None = Field(
        default=None,
        description="What the step is called, for `after` and in reports. Without it: its `use`, "
        "from the second time on with a number, as `oven.heat 2`.",
    )
    use: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*\.[A-Za-z_]\w*$")] = Field(
        description="Which capability of which resource: `resource.capability`."
    )
    inputs: dict[Name, Annotated[float | str, Whole]] = Field(
        alias="with",
        default={},
        description="Each input of it: `$name` of a parameter or of an earlier step's result, or a constant.",
    )
    gives: dict[Name, str] = Field(default={}, description="The name here of each output: `name: $output`.")
    after: OneOrMore | None = Field(
        default=None,
        description="The steps that come before it, by their names: one, or a list. Without it: the step above. "
        "`[]`: it begins at once.",
    )
    when: OneOrMore = Field(
        default=[],
        description="What must hold, or the step is skipped: `$mass > 0.5 g`, or a list of which all must hold.",
    )
    retries: Annotated[int, Field(ge=0, le=100), Whole] = Field(
        default=0, description="How often a failed attempt is made again, where the capability is repeatable."
    )
    timeout: Number | None = Field(
        default=None, description="How long one attempt may take, as `30 min`; after that it has failed."
    )
    always: bool = Field(
        default=False, description="Whether it cleans up: it is done also when the trial has failed before it."
    )
    batch: Annotated[int, Field(ge=2), Whole] | None = Field(
        default=None, description="How many trials it gathers in one run at most, as on a plate or in a furnace."
    )
    wait: Number | None = Field(
        default=None,
        description="How long a batch that is not full waits for more trials, as `10 min`. Without it: not at all.",
    )

    makes: OneOrMore = Field(default=[], description="The samples that it makes, by names of your own: one, or a list.")
    measures: OneOrMore = Field(
        default=[], description="The samples of the trial that it measures and leaves as they are."
    )
    uses_up: OneOrMore = Field(default=[], description="The samples of the trial that are no more after it.")
    moves: dict[Name, Annotated[str, Field(min_length=1)]] = Field(
        default={}, description="The samples that it brings somewhere: `sample: place`."
    )
    takes: dict[Name, Annotated[float | str, Whole]] = Field(
        default={},
        description="What it takes from lots: `lot: 5 mL`, or `lot: $name` of a parameter or of an earlier result.",
    )


class LimitPart(Part):
    """The lowest and the highest value that may be set."""

    low: Number = Field(description="The lowest value that may be set.")
    high: Number = Field(description="The highest value that may be set.")
    unit: str | None = Field(default=None, description="The unit of the two.")


class SafetyPart(Part):
    """`from_resources`: the limits that the resources declare; or narrower ones by resource.capability.input."""

    limits: Literal["from_resources"] | dict[str, LimitPart] = Field(
        default="from_resources",
        description="`from_resources`, or narrower limits: a limit by each `resource.capability.input`.",
    )
    approval: list[ApprovalPart] = Field(default=[], description="When people must approve a trial before it begins.")


class BudgetPart(Part):
    """How much may be spent."""

    trials: Annotated[PositiveInt, Whole] = Field(
        description="How many trials. Refused proposals do not count, failed ones do."
    )
    parallel: Annotated[PositiveInt, Whole] = Field(default=1, description="How many trials may be in flight at once.")


class BeliefPart(Part):
    """Where the best is expected, of one parameter: `near` and `within` of a number, `likely` of a word."""

    parameter: Annotated[Name, Whole] = Field(description="The parameter that it is about.")
    near: Number | None = Field(default=None, description="The value that is expected to be the best.")
    within: Number | None = Field(
        default=None, description="How far from it the best may be, with two chances in three; as `5 K`."
    )
    likely: dict[Word, Annotated[float, Whole]] = Field(
        default={}, description="How likely each word is the best: chances up to 1. Words not named share the rest."
    )
    weight: Annotated[float, Whole] = Field(default=1.0, description="How much it counts; 2 is twice as much.")


class SourcePart(Part):
    """Where else answers to the question are to be had: one of `campaign`, `table` and `function`."""

    campaign: Annotated[CampaignName, Whole] | None = Field(
        default=None, description="An earlier campaign in the same database; its results are compared by name."
    )
    table: str | None = Field(
        default=None, description="A spreadsheet or CSV file, its columns named like the parameters and outcomes."
    )
    function: str | None = Field(
        default=None,
        description="A function as `twin.py:predict` that takes the point as a dict and returns the outcomes as one.",
    )
    cost: Annotated[float, Field(gt=0, lt=1), Whole] | None = Field(
        default=None, description="What it costs to ask the function once, as a fraction of a trial."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        kinds = [kind for kind in ("campaign", "table", "function") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none of them"
            raise ValueError(f"one of campaign, table and function is expected, not {found}")
        if (self.function is None) != (self.cost is None):
            raise ValueError("a cost is given with a function, and only with it, such as 0.01")
        return self


class PlannerPart(BaseModel):
    """Which planner; its other keys are the planner's own options."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(default="gp", description="`gp`, `sampling`, or a plug-in's; the other keys are that kind's own.")
    seed: Annotated[int, Field(ge=0), Whole] = Field(
        default=0, description="The same seed and the same history give the same proposals."
    )
    beliefs: list[BeliefPart] = Field(
        default=[], description="Where you expect the best to lie; measurements overrule it in time. For `gp`."
    )


class StopPart(Part):
    """When the campaign ends before its budget is spent. Without it only the budget ends it."""

    when_gain_below: Gain = Field(
        description="The next trial is expected to gain less than this: `0.5 noise` is half the noise of a "
        "measurement; or an amount in the unit of the objective."
    )
    not_before: Annotated[int, Field(ge=0), Whole] = Field(
        default=0, description="How many trials are made in any case; the first design and a few more always are."
    )


class GuardPart(Part):
    """A monitor before the resource: it refuses whatever its signed limits file does not allow, at the device."""

    limits: Annotated[str, Field(min_length=1)] = Field(
        description="The limits file, beside this one; its signature stands in a file of the same name with `.sig`."
    )
    mode: Annotated[Name, Whole] = Field(
        description="The mode of the limits file in which this campaign uses the resource."
    )
    channels: dict[str, Annotated[Name, Whole]] = Field(
        default={},
        description="Which channel of the limits an input sets, by `input` or `capability.input`, where it has "
        "another name.",
    )
    instrument: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="What the limits file calls the instrument; without it: the resource's name."
    )
    simulated: bool = Field(default=False, description="Whether it is a simulator and not the instrument itself.")


class AvailabilityPart(Part):
    """When the resource is to be had; at other times nothing is begun on it."""

    timezone: str = Field(default="UTC", description="In which zone the hours are meant, as `Europe/Berlin`.")
    hours: dict[str, str] = Field(
        default={}, description="When it is open, by days: `mon-fri: 08:00-18:00`. Without it: always."
    )
    calendars: OneOrMore = Field(
        default=[],
        description="iCalendar files beside this one: nothing is begun during their events, such as bookings and "
        "maintenance. With the extra `calendar`.",
    )
    needs: OneOrMore = Field(
        default=[],
        description="What must hold of channels as read back, its own or another resource's: `door = closed`, "
        "`chiller.water <= 15 degC`.",
    )


class AboutPart(Part):
    """What people want to know of the instrument; `labwright resources` shows it."""

    owner: str | None = Field(default=None, description="Who owns it, or is to be asked about it.")
    serial: Word | None = Field(default=None, description="Its serial number.")
    calibrated: date | None = Field(default=None, description="When it was last calibrated, as `2026-05-02`.")
    valid_for: Number | None = Field(default=None, description="How long a calibration is good, as `365 days`.")


class ResourcePart(BaseModel):
    """Which kind of resource; its other keys are the resource's own options."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(
        description="`arm`, `command`, `function`, `opcua`, `person`, `pylabrobot`, `sila`, `table`, a plug-in's, "
        "or `FILE.py:Class`; the other keys are that kind's own."
    )
    capacity: Annotated[PositiveInt, Whole] = Field(
        default=1, description="How many runs it takes at once; a batch is one run."
    )
    guard: GuardPart | None = Field(default=None, description="What stands before it, if anything does.")
    availability: AvailabilityPart | None = Field(default=None, description="When it is to be had; otherwise always.")
    about: AboutPart = Field(default=AboutPart(), description="What people want to know of it.")


class CampaignPart(Part):
    """The whole file."""

    name: CampaignName = Field(description="The campaign's name in the database: letters, digits, `.`, `_` and `-`.")
    question: str = Field(default="", description="What you want to know, in your words.")
    space: dict[Name, ParameterPart] = Field(min_length=1, description="What may be chosen: a parameter by each name.")
    objectives: dict[Name, ObjectivePart] = Field(
        min_length=1, description="What is wanted. Of several: their Pareto front, or the most desirable trial."
    )
    constraints: dict[Name, ConstraintPart] = Field(default={}, description="What must hold of a result.")
    rules: list[str] = Field(
        default=[],
        description="What must hold between the parameters of a point: a sum as `2*temp + 3*time <= 500`, in their "
        "units, or a function as `rules.py:allowed` that takes the point as a dict and returns True or False.",
    )
    context: dict[Name, ContextPart] = Field(
        default={}, description="What a step measures that cannot be chosen but may matter, such as the humidity."
    )
    procedure: list[StepPart] = Field(
        min_length=1, description="How one point is tried: steps in order, or as a graph."
    )
    resources: dict[Name, ResourcePart] = Field(min_length=1, description="Who carries out the steps.")
    budget: BudgetPart = Field(description="How much may be spent.")
    planner: PlannerPart = Field(default=PlannerPart(), description="Who chooses.")
    sources: dict[Name, SourcePart] = Field(
        default={},
        description="Who else has answers to the question, right or wrong: they are heeded as far as the trials bear "
        "them out. For `gp`.",
    )
    stop: StopPart | None = Field(default=None, description="When it ends before its budget is spent.")
    safety: SafetyPart = Field(default=SafetyPart(), description="The limits that hold besides those of the resources.")
    priority: Annotated[int, Whole] = Field(
        default=0, description="Among campaigns on the same resources, those with a higher number go first."
    )
