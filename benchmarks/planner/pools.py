"""What a choice from a pool of a million candidates costs, and what is lost because not all of them are scored."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labwright.core.problem import Goal, Objective, Problem
from labwright.core.space import Categorical, Continuous, Pool, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.core.values import Point
from labwright.planning.candidates import remaining
from labwright.planning.encoding import Encoding
from labwright.planning.gp import GaussianProcessPlanner
from labwright.planning.model import learn

ROWS, COLUMNS, OBSERVATIONS = 1_000_000, 6, 50
LEVELS = tuple("abcdefgh")
CHUNK = 100_000  # rows that are scored together
ROUNDING = 1e-9  # of a logarithm, between a row scored alone and among others


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Choices from one pool, one for each history.

    `first_s`: CPU seconds of the first, which encodes the pool; `later_s`: of the others. `regrets`: the logarithm of
    the expected improvement of the best of all candidates less that of the chosen one.
    """

    first_s: float
    later_s: tuple[float, ...]
    regrets: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """The median of the later choices."""
        return statistics.median(self.later_s)

    @property
    def exact(self) -> int:
        """How often the best of all was chosen."""
        return sum(regret <= 0 for regret in self.regrets)


def choices(categories: int, histories: int) -> Choices:
    """Choose from a pool with so many categorical columns, once for each history and once more to encode it."""
    problem = _problem(categories)
    first, *later = [_cpu_s(problem, _history(problem, seed), seed)[0] for seed in (0, *range(histories))]
    regrets = [_regret(problem, _history(problem, seed), seed) for seed in range(histories)]
    return Choices(first_s=first, later_s=tuple(later), regrets=tuple(regrets))


def _problem(categories: int) -> Problem:
    rng, columns, parameters = np.random.default_rng(0), {}, []
    for j in range(COLUMNS):
        name = f"x{j}"
        if j < COLUMNS - categories:
            columns[name] = rng.random(ROWS)
            parameters.append(Continuous(name=name, low=0, high=1))
        else:
            columns[name] = np.array(LEVELS, dtype=object)[rng.integers(len(LEVELS), size=ROWS)]
            parameters.append(Categorical(name=name, levels=LEVELS))
    space = Space(parameters=tuple(parameters), pool=Pool(columns=columns))
    return Problem(space=space, objectives=(Objective(name="y", goal=Goal.MINIMIZE),))


def _history(problem: Problem, seed: int) -> list[Trial]:
    """Return trials of candidates drawn at random."""
    rng, pool = np.random.default_rng([seed, 1]), problem.space.pool
    assert pool is not None
    trials = []
    for number, place in enumerate(rng.choice(ROWS, OBSERVATIONS, replace=False), start=1):
        point = pool.row(int(place))
        proposal = Proposal(point=point, source="sampling", reason="drawn")
        outcomes = {"y": _measured(point) + 0.02 * float(rng.standard_normal())}
        trials.append(Trial(number=number, proposal=proposal, state=TrialState.OBSERVED, outcomes=outcomes))
    return trials


def _measured(point: Point) -> float:
    numbers = [LEVELS.index(v) * 3 % 8 / 8 if isinstance(v, str) else float(v) for v in point.values()]
    return sum((v - 0.3) ** 2 for v in numbers) + float(np.sin(6 * numbers[0]))


def _cpu_s(problem: Problem, history: Sequence[Trial], seed: int) -> tuple[float, Proposal]:
    start = time.process_time()
    (proposal,) = GaussianProcessPlanner().propose(problem, history, [], 1, seed=seed)
    return time.process_time() - start, proposal


def _regret(problem: Problem, history: Sequence[Trial], seed: int) -> float:
    model, encoding, candidates = learn(problem, history), Encoding.of(problem.space), remaining(problem.space, history)
    assert candidates is not None
    best = max(model.worth(candidates.rows[start : start + CHUNK]).max() for start in range(0, len(candidates), CHUNK))
    chosen = model.worth(encoding.points([_cpu_s(problem, history, seed)[1].point]))[0]
    regret = float(best - chosen)
    return regret if regret > ROUNDING else 0.0
