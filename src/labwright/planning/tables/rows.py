"""Rows of somebody's table as trials, and the next rows: the same rules for a spreadsheet and for a data frame."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from labwright.core.problem import Problem
from labwright.core.space import Continuous, Discrete, Parameter, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.core.values import Point, Value, show
from labwright.planning.planner import Planner

FAILED = "failed"  # the word that stands in place of a result where the experiment gave none


def is_failed(cell: object) -> bool:
    """Say whether a cell is the word for an experiment without a result, in any case."""
    return isinstance(cell, str) and cell.strip().casefold() == FAILED


def as_trial(number: int, point: Point, results: Mapping[str, float | None] | None, *, counted_as: str) -> Trial:
    """Return a row as a trial: `results` hold None for what is still to come, and are None where it failed.

    `counted_as`: what a reason calls it, by its number: a `line` of a file, a `row` of a table.
    """
    proposal = Proposal(point=point, source="table", reason="")
    trial = Trial(number=number, proposal=proposal, state=TrialState.RUNNING, counted_as=counted_as)
    if results is None:
        return replace(trial, state=TrialState.FAILED, why="failed, says the table")
    values = {name: value for name, value in results.items() if value is not None}
    return replace(trial, state=TrialState.OBSERVED, outcomes=values) if len(values) == len(results) else trial


def strangers(parameters: Sequence[Parameter], point: Point) -> list[str]:
    """Say which words are no level of their parameter, and which numbers have no logarithm: such a row cannot teach."""
    words = [p for p in parameters if not isinstance(p, Continuous | Discrete) and not p.allows(point[p.name])]
    logs = [p for p in parameters if isinstance(p, Continuous) and p.log and not float(point[p.name]) > 0]
    return [f"{p.name} = {point[p.name]} is not {p}" for p in words] + [
        f"{p.name} = {show(point[p.name])} has no logarithm" for p in logs
    ]


def beyond(parameters: Sequence[Parameter], point: Point) -> list[str]:
    """Say which values lie outside what may be chosen: such a row still teaches."""
    return [f"{p.name} = {show(point[p.name])}" for p in parameters if not p.allows(point[p.name])]


def next_rows(problem: Problem, trials: Sequence[Trial], planner: Planner, count: int, *, seed: int) -> list[Proposal]:
    """Return the next proposals after some trials, their numbers rounded to what a person can set."""
    pending = [t for t in trials if t.is_pending]
    history = [t for t in trials if not t.is_pending]
    taken = {_key(t.point) for t in trials}
    proposals = []
    for proposal in planner.propose(problem, history, pending, count, seed=seed):
        point = _settable(problem.space, proposal.point)
        point = point if _key(point) not in taken else dict(proposal.point)
        taken.add(_key(point))
        proposals.append(replace(proposal, point=point))
    return proposals


def _key(point: Point) -> tuple[tuple[str, Value], ...]:
    return tuple(sorted(point.items()))


def _settable(space: Space, point: Point) -> dict[str, Value]:
    """Return a point rounded; candidates of a pool stay as they are, and so does what must keep constraints."""
    if space.pool is not None or space.restrictions:
        return dict(point)
    given = {p.name: p for p in space.parameters if isinstance(p, Continuous)}
    return {name: given[name].settable(float(value)) if name in given else value for name, value in point.items()}
