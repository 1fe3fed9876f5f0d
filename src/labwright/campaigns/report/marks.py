"""How a trial is told from the others: by what came of it."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from labwright.core.problem import Goal, Objective, OutcomeConstraint, Problem
from labwright.core.states import TrialState
from labwright.core.trial import Trial, may_be_best


class Mark(StrEnum):
    """What came of a trial, in the words of the legends."""

    KEEPS = "keeps every constraint"
    BREAKS = "breaks a constraint"
    FAILED = "failed"
    REFUSED = "refused or withdrawn"
    OPEN = "still open"
    EXCLUDED = "excluded by a person"


FAR = 1e100
VALUED = (Mark.KEEPS, Mark.BREAKS)


def mark_of(problem: Problem, trial: Trial) -> Mark:
    """Return the mark of a trial."""
    if trial.excluded is not None:
        return Mark.EXCLUDED
    match trial.state:
        case TrialState.OBSERVED:
            return Mark.KEEPS if problem.feasible(trial.outcomes) else Mark.BREAKS
        case TrialState.FAILED:
            return Mark.FAILED
        case TrialState.REFUSED | TrialState.WITHDRAWN:
            return Mark.REFUSED
        case _:
            return Mark.OPEN


def marked(problem: Problem, trials: Sequence[Trial]) -> dict[Mark, list[Trial]]:
    """Return the trials under their marks, without the marks that none has."""
    marks = [mark_of(problem, t) for t in trials]
    return {mark: [t for t, m in zip(trials, marks, strict=True) if m is mark] for mark in Mark if mark in marks}


def observed(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that gave a result from which something may be concluded."""
    return [t for t in trials if t.state is TrialState.OBSERVED and t.excluded is None]


def drawable(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials with outcomes that can be drawn and squared: a solver's 1e308 is cut to what is far enough."""
    return [replace(t, outcomes={n: min(max(v, -FAR), FAR) for n, v in t.outcomes.items()}) for t in trials]


def broken(problem: Problem, trial: Trial) -> list[OutcomeConstraint]:
    """Return the constraints that a result breaks or leaves open; none for a trial without a result."""
    if trial.state is not TrialState.OBSERVED or trial.excluded is not None:
        return []
    return [c for c in problem.constraints if c.name not in trial.outcomes or not c.holds(trial.outcomes[c.name])]


def alone(problem: Problem, objective: Objective) -> Problem:
    """Return the problem as if it had that objective only."""
    return replace(problem, objectives=(replace(objective, worst=None, desirability=None),))


DESIRABILITY = Objective(name="desirability", goal=Goal.MAXIMIZE)


def scored(problem: Problem, trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials with their desirability as a further outcome, where every objective was measured."""
    return [
        replace(t, outcomes={**t.outcomes, DESIRABILITY.name: problem.desirability(t.outcomes)})
        if all(o.name in t.outcomes for o in problem.objectives)
        else t
        for t in trials
    ]


def records(problem: Problem, trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that were the best so far when they ended, by the first objective, in order."""
    objective, found = problem.objective, []
    best_loss = float("inf")
    for trial in observed(trials):
        if may_be_best(problem, trial) and objective.loss(trial.outcomes[objective.name]) < best_loss:
            best_loss = objective.loss(trial.outcomes[objective.name])
            found.append(trial)
    return found
