"""From the parts of a campaign file to a campaign."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from labwright.campaigns.file.approval import build_approvals
from labwright.campaigns.file.choosing import build_beliefs, build_stop
from labwright.campaigns.file.problems import Problems
from labwright.campaigns.file.samples import check_lots, check_samples
from labwright.campaigns.file.schema import (
    CampaignPart,
    CategoricalPart,
    ConstraintPart,
    ContinuousPart,
    DiscretePart,
    LimitPart,
    ObjectivePart,
    OrdinalPart,
    ParameterPart,
    Quantity,
    ResourcePart,
)
from labwright.campaigns.file.steps import check_references, read_steps
from labwright.core.campaign import Campaign, Limit, PlugIn
from labwright.core.errors import InvalidInput, InvalidUnit
from labwright.core.problem import Desirability, Goal, Objective, OutcomeConstraint, Problem
from labwright.core.procedure import Step
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Parameter, Space
from labwright.core.units import convert, parse_unit

T = TypeVar("T")


def build(part: CampaignPart, text: str, problems: Problems) -> Campaign | None:
    """Return the campaign; what does not fit together goes to `problems`, and None may be returned."""
    attempt = problems.attempt
    wanted = part.objectives
    parameters = [attempt(("space", n), _parameter, n, p) for n, p in part.space.items()]
    objectives = [attempt(("objectives", n), _objective, n, p) for n, p in wanted.items()]
    constraints = [attempt(("constraints", n), _constraint, n, p, wanted.get(n)) for n, p in part.constraints.items()]
    words = {name for name, p in part.space.items() if isinstance(p, OrdinalPart | CategoricalPart)}
    steps = read_steps(part.procedure, words, problems)
    _check_batches(part, problems)
    limits = _limits(part.safety.limits, problems)
    if problems.found:
        return None
    problem = attempt(("objectives",), _problem, parameters, objectives, constraints)
    if problem is None:
        return None
    problem = replace(problem, beliefs=build_beliefs(part.planner.beliefs, problem.space, problems))
    _check_names(part, problem, steps, problems)
    return Campaign(
        name=part.name,
        question=part.question,
        problem=problem,
        procedure=steps,
        resources={n: _resource(r) for n, r in part.resources.items()},
        planner=PlugIn(kind=part.planner.kind, options=part.planner.model_extra or {}),
        seed=part.planner.seed,
        trials=part.budget.trials,
        limits=limits,
        text=text,
        parallel=part.budget.parallel,
        priority=part.priority,
        approvals=build_approvals(part.safety.approval, words, problem.space, problems),
        stop=build_stop(part.stop, problem.objectives, problems),
    )


def _resource(part: ResourcePart) -> PlugIn:
    return PlugIn(kind=part.kind, options=part.model_extra or {}, capacity=part.capacity)


def _problem(
    parameters: Sequence[Parameter | None],
    objectives: Sequence[Objective | None],
    constraints: Sequence[OutcomeConstraint | None],
) -> Problem:
    return Problem(
        space=Space(parameters=_whole(parameters)), objectives=_whole(objectives), constraints=_whole(constraints)
    )


def _whole(found: Sequence[T | None]) -> tuple[T, ...]:
    return tuple(one for one in found if one is not None)


def _parameter(name: str, part: ParameterPart) -> Parameter:
    if isinstance(part, ContinuousPart):
        unit = _common_unit(part.unit, [part.low, part.high])
        low, high = (_in_unit(q, unit, key) for key, q in (("low", part.low), ("high", part.high)))
        return Continuous(name=name, low=low, high=high, unit=unit, log=part.log)
    if isinstance(part, DiscretePart):
        unit = _common_unit(part.unit, part.values)
        return Discrete(name=name, values=tuple(_in_unit(q, unit, "values") for q in part.values), unit=unit)
    kind = Ordinal if isinstance(part, OrdinalPart) else Categorical
    return kind(name=name, levels=tuple(part.levels))


def _objective(name: str, part: ObjectivePart) -> Objective:
    wish = part.desirability
    unit = _common_unit(part.unit, [part.target, part.worst, *([wish.worst, wish.best] if wish else [])])
    return Objective(
        name=name,
        goal=Goal(part.goal),
        unit=unit,
        target=_optional(part.target, unit, "target"),
        worst=_optional(part.worst, unit, "worst"),
        desirability=None
        if wish is None
        else Desirability(
            worst=_in_unit(wish.worst, unit, "worst"),
            best=_optional(wish.best, unit, "best"),
            weight=wish.weight,
            shape=wish.shape,
        ),
    )


def _constraint(name: str, part: ConstraintPart, objective: ObjectivePart | None) -> OutcomeConstraint:
    unit = _common_unit(part.unit, [part.at_least, part.at_most])
    if objective is not None and objective.unit != unit:
        raise InvalidUnit(f"the unit here is {unit!r}, but the objective of that name has {objective.unit!r}.")
    bounds = {}
    for bound, quantity in (("low", part.at_least), ("high", part.at_most)):
        if quantity is not None:
            bounds[bound] = _in_unit(quantity, unit, "at_least" if bound == "low" else "at_most")
    return OutcomeConstraint(name=name, unit=unit, **bounds)


def _limits(part: str | Mapping[str, LimitPart], problems: Problems) -> dict[str, Limit]:
    found: dict[str, Limit] = {}
    for name, limit in part.items() if isinstance(part, Mapping) else ():
        made = problems.attempt(("safety", "limits", name), _limit, limit)
        if made is not None:
            found[name] = made
    return found


def _limit(part: LimitPart) -> Limit:
    unit = _common_unit(part.unit, [part.low, part.high])
    low, high = _in_unit(part.low, unit, "low"), _in_unit(part.high, unit, "high")
    if low > high:
        raise InvalidInput(f"low {low} is above high {high}.")
    return Limit(low=low, high=high, unit=unit)


def _common_unit(declared: str | None, quantities: Sequence[Quantity | None]) -> str | None:
    """Return the declared unit, or else the first that a number was written with."""
    unit = declared or next((q.unit for q in quantities if q is not None and q.unit), None)
    if unit is not None:
        parse_unit(unit)
    return unit


def _in_unit(quantity: Quantity, unit: str | None, place: str) -> float:
    """Return a number in the unit declared beside it; one written without a unit is taken to be in that unit."""
    return quantity.value if quantity.unit is None else convert(quantity.value, quantity.unit, unit, place)


def _optional(quantity: Quantity | None, unit: str | None, place: str) -> float | None:
    return None if quantity is None else _in_unit(quantity, unit, place)


def _check_names(part: CampaignPart, problem: Problem, steps: Sequence[Step], problems: Problems) -> None:
    check_references(problem.space, part.procedure, steps, problems)
    check_samples(steps, problems)
    check_lots(problem.space, steps, problems)
    for i, step in enumerate(steps):
        if step.resource not in part.resources:
            listed = ", ".join(part.resources)
            problems.add(("procedure", i, "use"), f"no resource is named {step.resource!r}; resources: {listed}.")
    used = {name for step in steps for name in step.references}
    for name in problem.space.names:
        if name not in used:
            problems.add(("space", name), "no step uses this parameter; bind it under `with`, or take it out.")
    given = {name for step in steps for name in step.gives}
    for kind, outcomes in (("objectives", problem.objectives), ("constraints", problem.constraints)):
        for outcome in outcomes:
            if outcome.name not in given:
                listed = ", ".join(sorted(given))
                problems.add((kind, outcome.name), f"no step gives this outcome; given: {listed or 'nothing'}.")


def _check_batches(part: CampaignPart, problems: Problems) -> None:
    for i, step in enumerate(part.procedure):
        if step.batch is not None and step.batch > part.budget.parallel:
            message = (
                f"a batch of {step.batch} is never full: budget.parallel lets at most {part.budget.parallel} "
                f"{'trial' if part.budget.parallel == 1 else 'trials'} be in flight. Set budget.parallel to "
                f"{step.batch} or more, or take a smaller batch."
            )
            problems.add(("procedure", i, "batch"), message)
