"""Trying a candidate again: results scatter, and nothing new is left to try."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from labwright.core.problem import Aim, Problem
from labwright.core.trial import Proposal, Trial, may_be_best
from labwright.core.values import Point, Value
from labwright.inference import GaussianProcess
from labwright.inference.arrays import Array
from labwright.planning.encoding import Encoding
from labwright.planning.model import Model
from labwright.planning.objectives import losses_of

MOST = 200  # candidates that are compared: those that may be the best by what is expected less two standard deviations
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(16)
NOT_AGAIN = (
    "With `repeats` none is tried again either: that takes one objective, candidates that kept every constraint, and"
    " results that differ when they are repeated."
)
SAME = 1e-9  # of the largest result: results that differ by less were not measured twice


def again(model: Model, history: Sequence[Trial]) -> dict[str, Value] | None:
    """Return the candidate of which another result would teach the most about which is best.

    None where no candidate can be told from another, where a result is never different when it is repeated, and where
    several objectives are wanted. What once failed, or broke a constraint, is not tried again.
    """
    problem = model.problem
    if model.reached is None or problem.aim is not Aim.BEST or not _scatters(problem, history):
        return None
    barred = [dict(t.point) for t in history if not may_be_best(problem, t)]
    points: list[Point] = []
    for trial in history:
        if may_be_best(problem, trial) and trial.point not in points and dict(trial.point) not in barred:
            points.append(trial.point)
    if not points:
        return None
    rows, process = Encoding.of(problem.space).points(points), model.outcomes[problem.objective.name]
    return dict(points[int(_gain(process, rows, problem).argmax())])


def _scatters(problem: Problem, history: Sequence[Trial]) -> bool:
    """Say whether repeated results differ, or none was repeated yet."""
    groups = defaultdict(list)
    for trial in history:
        if problem.objective.name in trial.outcomes:
            groups[tuple(sorted(trial.point.items()))].append(trial.outcomes[problem.objective.name])
    repeated = [found for found in groups.values() if len(found) > 1]
    return not repeated or any(max(f) - min(f) > SAME * max(map(abs, f)) for f in repeated)


def _gain(process: GaussianProcess, rows: Array, problem: Problem) -> Array:
    """Return by how much another result at each row (n, d) is expected to lower the least expected loss, (n,).

    The knowledge gradient with correlated beliefs (Frazier, Powell and Dayanik, INFORMS Journal on Computing 2009),
    integrated over what the result may be.
    """
    mean, variance = process.predict(rows)
    promise = _losses(problem, mean) - 2 * np.sqrt(variance)
    some = np.argsort(promise, kind="stable")[:MOST]
    mean, covariance = process.joint(rows[some])
    moves = covariance / np.sqrt(covariance.diagonal() + process.noise)  # column i: what a result at i moves
    after = _losses(problem, mean[:, None, None] + moves[:, :, None] * NODES).min(axis=0)
    gain = np.full(len(rows), -np.inf)
    gain[some] = _losses(problem, mean).min() - after @ (WEIGHTS / WEIGHTS.sum())
    return gain


def _losses(problem: Problem, outcomes: Array) -> Array:
    return losses_of([problem.objective], outcomes.reshape(-1, 1)).reshape(outcomes.shape)


def repeated(proposal: Proposal, history: Sequence[Trial]) -> Proposal:
    """Say of a proposal that it tries a candidate again."""
    times = sum(t.point == proposal.point for t in history)
    so_far = "once" if times == 1 else f"{times} times"
    words = f"again, for nothing new is left and results scatter (tried {so_far}): {proposal.reason}"
    return replace(proposal, reason=words)
