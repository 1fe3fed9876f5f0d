"""From the parts of a campaign file to a campaign."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from labwright.campaigns.file.approval import build_approvals
from labwright.campaigns.file.choosing import build_beliefs, build_stop
from labwright.campaigns.file.problems import Problems
from labwright.campaigns.file.quantities import common_unit, in_unit
from labwright.campaigns.file.resources import build_resource
from labwright.campaigns.file.samples import check_lots, check_samples
from labwright.campaigns.file.schema import (
    CampaignPart,
    CategoricalPart,
    ConstraintPart,
    ContextPart,
    LimitPart,
    ObjectivePart,
    OrdinalPart,
    Quantity,
)
from labwright.campaigns.file.space import build_space, places
from labwright.campaigns.file.steps import check_references, read_steps
from labwright.core.campaign import Campaign, Limit, PlugIn
from labwright.core.errors import InvalidInput, InvalidUnit
from labwright.core.problem import ContextVariable, Desirability, Goal, Objective, OutcomeConstraint, Problem
from labwright.core.procedure import Step
from labwright.core.source import Origin
from labwright.core.space import Space

T = TypeVar("T")


def build(part: CampaignPart, text: str, problems: Problems) -> Campaign | None:
    """Return the campaign; what does not fit together goes to `problems`, and None may be returned."""
    attempt = problems.attempt
    wanted = part.objectives
    space = build_space(part, problems)
    objectives = [attempt(("objectives", n), _objective, n, p) for n, p in wanted.items()]
    constraints = [attempt(("constraints", n), _constraint, n, p, wanted.get(n)) for n, p in part.constraints.items()]
    words = {name for name, p in part.space.items() if isinstance(p, OrdinalPart | CategoricalPart)}
    steps = read_steps(part.procedure, words, problems)
    _check_batches(part, problems)
    limits = _limits(part.safety.limits, problems)
    context = [attempt(("context", n), _context, n, p) for n, p in part.context.items()]
    if problems.found or space is None:
        return None
    problem = attempt(("objectives",), _problem, space, objectives, constraints, context)
    if problem is None:
        return None
    problem = replace(problem, beliefs=build_beliefs(part.planner.beliefs, problem.space, problems))
    _check_names(part, problem, steps, problems)
    return Campaign(
        name=part.name,
        question=part.question,
        problem=problem,
        procedure=steps,
        resources={n: build_resource(n, r, part.resources, problems) for n, r in part.resources.items()},
        planner=PlugIn(kind=part.planner.kind, options=part.planner.model_extra or {}),
        seed=part.planner.seed,
        trials=part.budget.trials,
        limits=limits,
        text=text,
        parallel=part.budget.parallel,
        priority=part.priority,
        approvals=build_approvals(part.safety.approval, words, problem.space, problems),
        stop=build_stop(part.stop, problem.objectives, problems),
        sources=tuple(Origin(name=name, **source.model_dump()) for name, source in part.sources.items()),
    )


def _problem(
    space: Space,
    objectives: Sequence[Objective | None],
    constraints: Sequence[OutcomeConstraint | None],
    context: Sequence[ContextVariable | None],
) -> Problem:
    return Problem(space=space, objectives=_whole(objectives), constraints=_whole(constraints), context=_whole(context))


def _whole(found: Sequence[T | None]) -> tuple[T, ...]:
    return tuple(one for one in found if one is not None)


def _context(name: str, part: ContextPart) -> ContextVariable:
    return ContextVariable(name=name, unit=common_unit(part.unit, []))


def _objective(name: str, part: ObjectivePart) -> Objective:
    wish = part.desirability
    unit = common_unit(part.unit, [part.target, part.worst, *([wish.worst, wish.best] if wish else [])])
    return Objective(
        name=name,
        goal=Goal(part.goal),
        unit=unit,
        target=_optional(part.target, unit, "target"),
        worst=_optional(part.worst, unit, "worst"),
        desirability=None
        if wish is None
        else Desirability(
            worst=in_unit(wish.worst, unit, "worst"),
            best=_optional(wish.best, unit, "best"),
            weight=wish.weight,
            shape=wish.shape,
        ),
    )


def _constraint(name: str, part: ConstraintPart, objective: ObjectivePart | None) -> OutcomeConstraint:
    unit = common_unit(part.unit, [part.at_least, part.at_most])
    if objective is not None and objective.unit != unit:
        raise InvalidUnit(f"the unit here is {unit!r}, but the objective of that name has {objective.unit!r}.")
    bounds = {}
    for bound, quantity in (("low", part.at_least), ("high", part.at_most)):
        if quantity is not None:
            bounds[bound] = in_unit(quantity, unit, "at_least" if bound == "low" else "at_most")
    return OutcomeConstraint(name=name, unit=unit, **bounds)


def _limits(part: str | Mapping[str, LimitPart], problems: Problems) -> dict[str, Limit]:
    found: dict[str, Limit] = {}
    for name, limit in part.items() if isinstance(part, Mapping) else ():
        made = problems.attempt(("safety", "limits", name), _limit, limit)
        if made is not None:
            found[name] = made
    return found


def _limit(part: LimitPart) -> Limit:
    unit = common_unit(part.unit, [part.low, part.high])
    low, high = in_unit(part.low, unit, "low"), in_unit(part.high, unit, "high")
    if low > high:
        raise InvalidInput(f"low {low} is above high {high}.")
    return Limit(low=low, high=high, unit=unit)


def _optional(quantity: Quantity | None, unit: str | None, place: str) -> float | None:
    return None if quantity is None else in_unit(quantity, unit, place)


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
            place = places(part.space)[name]
            problems.add(place, "no step uses this parameter; bind it under `with`, or take it out.")
    given = {name for step in steps for name in step.gives}
    for kind, outcomes in (
        ("objectives", problem.objectives),
        ("constraints", problem.constraints),
        ("context", problem.context),
    ):
        for outcome in outcomes:
            if outcome.name not in given:
                listed = ", ".join(sorted(given))
                problems.add((kind, outcome.name), f"no step gives this outcome; given: {listed or 'nothing'}.")
    for one in problem.context:
        if one.name in problem.outcomes:
            problems.add(("context", one.name), "it is an outcome; what is wanted or must hold is no context.")


def _check_batches(part: CampaignPart, problems: Problems) -> None:
    for i, step in enumerate(part.procedure):
        if step.batch is not None and step.batch > part.budget.parallel:
            message = (
                f"a batch of {step.batch} is never full: budget.parallel lets at most {part.budget.parallel} "
                f"{'trial' if part.budget.parallel == 1 else 'trials'} be in flight. Set budget.parallel to "
                f"{step.batch} or more, or take a smaller batch."
            )
            problems.add(("procedure", i, "batch"), message)
