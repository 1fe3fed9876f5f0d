"""Chooses by a Gaussian process of each outcome: the most to gain, where it is likely to be feasible."""

from collections.abc import Callable, Sequence

import numpy as np
from pydantic import BaseModel, PositiveInt

from labwright.core.errors import PoolExhausted
from labwright.core.problem import Problem
from labwright.core.trial import Proposal, Trial
from labwright.core.values import Value
from labwright.inference.arrays import Array
from labwright.planning.batch import one_by_one
from labwright.planning.candidates import remaining
from labwright.planning.encoding import Encoding
from labwright.planning.learning import Fits
from labwright.planning.model import Model, learn
from labwright.planning.reasons import feasibility, first_design, improvement
from labwright.planning.sampling import sample, starts
from labwright.planning.screening import Screen
from labwright.planning.search import around, climb

EVEN = 512
AROUND = 128
INITIAL = 5


class GaussianProcessPlanner:
    """Begins with a few points spread evenly, then maximises the log expected improvement times P(feasible).

    The improvement is that of the first objective; further ones are predicted, not yet traded against it.
    """

    class Options(BaseModel, extra="forbid", frozen=True):
        """`initial`: how many trials to spread evenly before the model chooses; by default 5."""

        initial: PositiveInt | None = None

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.Options()
        self._fits = Fits()

    def propose(
        self, problem: Problem, history: Sequence[Trial], pending: Sequence[Trial], count: int, *, seed: int
    ) -> list[Proposal]:
        """Return `count` proposals; see `Planner.propose`."""
        initial = self.options.initial or INITIAL
        model = learn(problem, history, self._fits) if len(history) + len(pending) + count > initial else None

        def choose(running: Sequence[Trial]) -> Proposal:
            tried = [*history, *running]
            if model is None or model.empty or len(tried) < initial:
                return first_design(sample(problem.space, tried, seed), len(tried), initial)
            return _best(model, history, running, seed, screen)

        screen = Screen(np.random.default_rng([seed, len(history) + len(pending)]))
        return one_by_one(count, pending, choose)


def _best(model: Model, history: Sequence[Trial], running: Sequence[Trial], seed: int, screen: Screen) -> Proposal:
    space, tried = model.problem.space, [*history, *running]
    believed = model.believing(Encoding.of(space).trials(running)) if running else model
    candidates = remaining(space, tried)
    if candidates is None:
        point = _searched(believed, tried, seed)
    else:
        index, _ = screen.best(believed.score, candidates, believed.lengthscales)
        point = candidates.point(index)
    return _proposal(believed, point)


def _searched(model: Model, tried: Sequence[Trial], seed: int) -> dict[str, Value]:
    encoding = Encoding.of(model.problem.space)
    rng = np.random.default_rng([seed, len(tried)])
    begin = [starts(encoding, EVEN, rng)]
    if model.winner is not None:
        begin.append(around(encoding.points([model.winner.point])[0], AROUND, encoding, rng))
    rows, used = np.vstack(begin), [dict(t.point) for t in tried]
    for row in [*climb(_score_of_new(model, encoding, tried), rows, encoding, rng), *rows]:
        point = encoding.point(row)
        if point not in used and not (encoding.space.restrictions and encoding.space.problems(point)):
            return point
    raise PoolExhausted("Every point that was looked at has been tried. Widen the space, or end the campaign.")


def _score_of_new(model: Model, encoding: Encoding, tried: Sequence[Trial]) -> Callable[[Array], Array]:
    """Return the model's score, which is of no use where a trial was or may not be: the climb must not end there."""
    known = encoding.trials(tried)

    def score(rows: Array) -> Array:
        values = np.full(len(rows), -np.inf)
        new = encoding.allows(rows) & ~(rows[:, None] == known).all(axis=2).any(axis=1)
        values[new] = model.score(rows[new])
        return values

    return score


def _proposal(model: Model, point: dict[str, Value]) -> Proposal:
    row = Encoding.of(model.problem.space).points([point])
    predictions = model.predictions(row)
    chance = float(np.exp(model.log_feasible(row)[0]))
    p_feasible = chance if model.is_constrained else None
    if model.winner is None:
        reason = feasibility(chance)
    else:
        best = model.winner.outcomes[model.problem.objective.name]
        reason = improvement(model.problem, predictions, best, p_feasible)
    return Proposal(
        point=point,
        source="gp",
        reason=reason,
        predictions=predictions,
        acquisition=float(model.score(row)[0]),
        p_feasible=p_feasible,
    )
