"""Chooses by BayBE (extra `baybe`): Merck's planner of experiments, with what it recommends by default."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel

from labwright.core.errors import InvalidInput, MissingExtra
from labwright.core.problem import Goal, Objective, Problem
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Parameter, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.core.values import Point, Value
from labwright.planning.candidates import Candidates, remaining
from labwright.planning.foreign import alone, is_tried, nearest, spread_instead, turn_seed
from labwright.planning.refusals import refuse_unknown


class BaybePlanner:
    """Proposes what BayBE's `Campaign` recommends by default: one point at random, then its Bayesian recommender.

    A category is one-hot encoded, an ordinal is its rank, a `log` parameter its logarithm. BayBE knows no outcome
    constraints, so a campaign that has some is refused. What failed or was refused is taken out of its candidates.
    """

    class Options(BaseModel, extra="forbid", frozen=True):
        """It has none: these are BayBE's defaults."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.Options()
        self._encoded: tuple[Space, Any] | None = None  # to encode a pool takes longer than to choose from it

    def propose(
        self, problem: Problem, history: Sequence[Trial], pending: Sequence[Trial], count: int, *, seed: int
    ) -> list[Proposal]:
        """Return `count` proposals; see `Planner.propose`. Raises MissingExtra without the extra `baybe`."""
        refuse_unknown(problem, "baybe")
        try:
            import baybe  # noqa: F401
        except ImportError as error:
            raise MissingExtra("baybe", "The planner 'baybe'") from error
        _refuse_constraints(problem)
        tried = [*history, *pending]
        candidates = remaining(problem.space, tried)
        if not _varying(problem.space):
            return [spread_instead(problem, tried, seed, "there is nothing to vary")]
        with alone(turn_seed(seed, len(tried))):
            campaign = _campaign(problem, self._searchspace(problem.space), history)
            wanted = count if candidates is None else min(count, _distinct(candidates))
            found = campaign.recommend(wanted, pending_experiments=_pending(problem.space, pending))
        points = [_point(problem.space, row) for row in found.to_dict("records")]
        how = "its Bayesian recommender" if len(campaign.measurements) else "its first points at random"
        if candidates is not None:
            points = [nearest(candidates, point) for point in points]
        return _new(problem, tried, points, how, seed)

    def _searchspace(self, space: Space) -> Any:
        if self._encoded is None or self._encoded[0] is not space:
            self._encoded = (space, _encode(space))
        return self._encoded[1]


def _refuse_constraints(problem: Problem) -> None:
    if problem.constraints:
        names = ", ".join(c.name for c in problem.constraints)
        raise InvalidInput(
            f"The planner 'baybe' knows no outcome constraints, but this campaign has some: {names}. "
            "Take them out, or choose a planner that keeps them: gp, ax or botorch."
        )


def _campaign(problem: Problem, searchspace: Any, history: Sequence[Trial]) -> Any:
    """Return BayBE's campaign after these trials, its candidates without those that were tried."""
    from baybe import Campaign
    from baybe.searchspace import SearchSpaceType

    names = [o.name for o in problem.objectives]
    told = [t for t in history if t.state is TrialState.OBSERVED and _is_whole(problem, t)]
    is_listed = searchspace.type is SearchSpaceType.DISCRETE
    campaign = Campaign(searchspace, _objective(problem), allow_recommending_already_measured=not is_listed)
    if told:
        rows = _frame(problem.space, [t.point for t in told])
        rows[names] = [[t.outcomes.get(name, math.nan) for name in names] for t in told]
        campaign.add_measurements(rows, numerical_measurements_must_be_within_tolerance=False)
    lost = [t.point for t in history if t not in told]
    if is_listed and lost:
        campaign.toggle_discrete_candidates(_frame(problem.space, lost), exclude=True)
    return campaign


def _is_whole(problem: Problem, trial: Trial) -> bool:
    """Whether BayBE can learn from a trial: with one objective it must be there, of several at least one."""
    return any(o.name in trial.outcomes for o in problem.objectives)


def _new(problem: Problem, tried: Sequence[Trial], points: Sequence[Point], how: str, seed: int) -> list[Proposal]:
    """Return proposals of the points, each replaced that has been tried."""
    chosen: list[Proposal] = []
    for point in points:
        running = [*tried, *(Trial(number=0, proposal=p, state=TrialState.PROPOSED) for p in chosen)]
        if is_tried(point, running):
            chosen.append(spread_instead(problem, running, seed, "BayBE chose a point that has been tried"))
        else:
            chosen.append(Proposal(point=point, source="baybe", reason=f"BayBE, {how}"))
    return chosen


def _encode(space: Space) -> Any:
    """Return BayBE's search space: of the pool's rows, or of all that the parameters allow."""
    from baybe.searchspace import SearchSpace

    parameters = [_parameter(p, space) for p in _varying(space)]
    if space.pool is None:
        return SearchSpace.from_product(parameters)
    rows = _frame(space, [space.pool.row(i) for i in range(len(space.pool))])
    return SearchSpace.from_dataframe(rows.drop_duplicates(ignore_index=True), parameters)


def _varying(space: Space) -> list[Parameter]:
    return [p for p in space.parameters if len(_values(p, space)) != 1]


def _values(parameter: Parameter, space: Space) -> Sequence[Value]:
    """Return what BayBE may choose of a parameter, rising; nothing where that is a whole range."""
    match parameter:
        case Continuous(name=name):
            return sorted({_told(parameter, v) for v in space.pool.columns[name]}) if space.pool else ()
        case Discrete(values=values):
            return [float(v) for v in values]
        case Ordinal(levels=levels):
            return range(len(levels))
        case Categorical(levels=levels):
            return levels


def _parameter(parameter: Parameter, space: Space) -> Any:
    from baybe.parameters import CategoricalParameter, NumericalContinuousParameter, NumericalDiscreteParameter

    values, name = _values(parameter, space), parameter.name
    if isinstance(parameter, Categorical):
        return CategoricalParameter(name, values, encoding="OHE")
    if isinstance(parameter, Continuous) and not values:
        return NumericalContinuousParameter(name, (_told(parameter, parameter.low), _told(parameter, parameter.high)))
    return NumericalDiscreteParameter(name, values)


def _told(parameter: Parameter, value: Value) -> Value:
    match parameter:
        case Categorical():
            return value
        case Ordinal(levels=levels):
            return float(levels.index(str(value)))
        case Continuous(log=True):
            return math.log10(float(value))
        case _:
            return float(value) + 0.0  # minus zero is zero


def _frame(space: Space, points: Sequence[Point]) -> Any:
    import pandas

    columns = {p.name: [_told(p, point[p.name]) for point in points] for p in _varying(space)}
    return pandas.DataFrame(columns)


def _pending(space: Space, pending: Sequence[Trial]) -> Any:
    return _frame(space, [t.point for t in pending]).drop_duplicates() if pending else None


def _point(space: Space, row: Mapping[str, Any]) -> dict[str, Value]:
    return {p.name: _chosen(p, row[p.name]) if p.name in row else _only(p, space) for p in space.parameters}


def _only(parameter: Parameter, space: Space) -> Value:
    return _chosen(parameter, _values(parameter, space)[0])


def _chosen(parameter: Parameter, value: Any) -> Value:
    match parameter:
        case Continuous(log=True):
            return parameter.snap(10.0 ** float(value))
        case Continuous():
            return parameter.snap(float(value))
        case Discrete(values=values):
            return min(values, key=lambda v: abs(v - float(value)))
        case Ordinal(levels=levels):
            return levels[int(value)]
        case Categorical():
            return str(value)


def _objective(problem: Problem) -> Any:
    from baybe.objectives import ParetoObjective

    targets = [_target(o) for o in problem.objectives]
    return targets[0].to_objective() if len(targets) == 1 else ParetoObjective(targets)


def _target(objective: Objective) -> Any:
    from baybe.targets import NumericalTarget

    if objective.target is not None:
        return NumericalTarget.match_absolute(objective.name, objective.target)
    return NumericalTarget(objective.name, minimize=objective.goal is Goal.MINIMIZE)


def _distinct(candidates: Candidates) -> int:
    return len(np.unique(candidates.rows, axis=0))
