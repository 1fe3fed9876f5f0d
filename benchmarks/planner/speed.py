"""What one choice costs: CPU time between two fits of the hyperparameters, and that of a fit."""

import statistics
import time

import numpy as np

from labwright.core.problem import Goal, Objective, Problem
from labwright.core.space import Continuous, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.planning.gp import GaussianProcessPlanner
from labwright.planning.learning import fixed_size
from labwright.planning.sampling import SamplingPlanner
from planner.arena import observed
from planner.tables import Table


def ask_cpu_ms(table: Table, observations: int, repeats: int = 9) -> float:
    """Return the median CPU time, in ms, of one choice after so many observations of sampled rows, its fit included."""
    spread = SamplingPlanner().propose(table.problem, [], [], observations, seed=0)
    history = [observed(table, number, proposal) for number, proposal in enumerate(spread, start=1)]
    times = [_cpu_s(GaussianProcessPlanner(), table.problem, history, seed) for seed in range(repeats + 1)]
    # The first loads what is loaded once.
    return 1000 * statistics.median(times[1:])


def between_fits(observations: int, repeats: int = 5) -> tuple[float, float]:
    """Return the median CPU seconds of one choice between two fits, and those that a choice with a fit takes more.

    The space is of six continuous parameters: there is no list of points, the best one is searched for.
    """
    problem, history = smooth(fixed_size(observations))
    planner = GaussianProcessPlanner()
    first = _cpu_s(planner, problem, history, 0)
    times = [_cpu_s(planner, problem, history, seed) for seed in range(1, repeats + 1)]
    median = statistics.median(times)
    return median, max(first - median, 0.0)


def smooth(observations: int) -> tuple[Problem, list[Trial]]:
    """Return a smooth problem over six parameters, and so many trials of it, with noise."""
    names = [f"x{i}" for i in range(6)]
    space = Space(parameters=tuple(Continuous(name=name, low=0, high=1) for name in names))
    problem = Problem(space=space, objectives=(Objective(name="y", goal=Goal.MINIMIZE),))
    rng = np.random.default_rng(0)
    rows = rng.random((observations, 6))
    outcomes = ((rows - 0.3) ** 2).sum(axis=1) + np.sin(6 * rows[:, 0]) + 0.05 * rng.standard_normal(observations)
    trials = []
    for number, (row, y) in enumerate(zip(rows, outcomes, strict=True), start=1):
        point = {n: float(v) for n, v in zip(names, row.round(5), strict=True)}
        proposal = Proposal(point=point, source="sampling", reason="drawn")
        trials.append(Trial(number=number, proposal=proposal, state=TrialState.OBSERVED, outcomes={"y": float(y)}))
    return problem, trials


def _cpu_s(planner: GaussianProcessPlanner, problem: Problem, history: list[Trial], seed: int) -> float:
    start = time.process_time()
    planner.propose(problem, history, [], 1, seed=seed)
    return time.process_time() - start
