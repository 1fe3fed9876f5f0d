"""How much more desirable a point may be than the best so far, when a person has weighed the objectives."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from labwright.core.problem import Goal, Objective, Problem
from labwright.inference.arrays import Array

SAMPLES = 256
STRETCH = 1.5  # the points lie so much wider than the normal distribution, to see its tails, and weigh less there
ROWS = 1024
HARDLY = 1e-3  # below this share of the way from worst to best, and of the best desirability, logarithms go on straight
NOTHING = 1e-9  # the desirability that is to be improved on while all are 0


def log_desirability(problem: Problem, losses: Array) -> Array:
    """Return the log of the overall desirability of losses (..., m), as (...).

    Near 0 and beyond it goes on falling, so that of two undesirable points the one that is nearer is known.
    """
    objectives = problem.objectives
    return _weighted(objectives, [_log_share(o, losses[..., j]) for j, o in enumerate(objectives)])


def log_desirability_gain(problem: Problem, mean: Array, sd: Array, reached: Array) -> Array:
    """Return log E[max(D - best, 0)], (n,), of independent normal outcomes (n, m); `reached` (1, m) are losses.

    The expectation is over the same quasi-random normal points each time, so it is a smooth function of mean and sd.
    Where none of them is better than the best, it goes on falling with the distance of the nearest.
    """
    best = max(float(log_desirability(problem, reached)[0]), float(np.log(NOTHING)))
    parts = range(0, max(len(mean), 1), ROWS)
    return np.concatenate([_log_gain(problem, mean[i : i + ROWS], sd[i : i + ROWS], best) for i in parts])


def _log_gain(problem: Problem, mean: Array, sd: Array, best: float) -> Array:
    shares, (points, log_weights) = [], _normal(len(problem.objectives))
    for j, (objective, normal) in enumerate(zip(problem.objectives, points, strict=True)):
        outcome = mean[:, j, None] + sd[:, j, None] * normal
        shares.append(_log_share(objective, _loss(objective, outcome)))
    gain = _log_excess(_weighted(problem.objectives, shares) - best) + log_weights
    top = gain.max(axis=1, keepdims=True)
    result: Array = best + top[:, 0] + np.log(np.exp(gain - top).sum(axis=1))
    return result


def _log_excess(above: Array) -> Array:
    """Return log(exp(above) - 1), smoothly continued below 0, where it falls by 1 / HARDLY for each 1."""
    soft = HARDLY * np.logaddexp(0.0, above / HARDLY)
    far = above < -30 * HARDLY
    return np.where(far, np.log(HARDLY) + above / HARDLY, np.log(np.expm1(np.where(far, 1.0, soft))))


def _log_share(objective: Objective, loss: Array) -> Array:
    assert objective.desirability is not None
    worst, best = objective.range
    share = np.minimum((worst - loss) / (worst - best), 1.0)
    log_share = np.log(np.maximum(share, HARDLY)) + np.minimum(share / HARDLY - 1, 0.0)
    return objective.desirability.shape * log_share


def _weighted(objectives: Sequence[Objective], logs: Sequence[Array]) -> Array:
    weights = [o.desirability.weight for o in objectives if o.desirability is not None]
    total: Array = sum((w * one for w, one in zip(weights, logs, strict=True)), start=np.zeros(()))
    return total / sum(weights)


def _loss(objective: Objective, outcome: Array) -> Array:
    match objective.goal:
        case Goal.MINIMIZE:
            return outcome
        case Goal.MAXIMIZE:
            return -outcome
        case Goal.MATCH:
            assert objective.target is not None
            return np.abs(outcome - objective.target)


@cache
def _normal(dimensions: int) -> tuple[Array, Array]:
    """Return points (dimensions, SAMPLES) of a Sobol sequence, always the same, and the logs of their weights.

    They are normal but stretched, and weighted by the ratio of the two densities (importance sampling).
    """
    # Imported here because scipy.stats takes 0.4 s to load.
    from scipy.stats import qmc

    normal: Array = qmc.MultivariateNormalQMC(np.zeros(dimensions), rng=np.random.default_rng(0)).random(SAMPLES)
    log_weights = -(STRETCH**2 - 1) * (normal**2).sum(axis=1) / 2
    return STRETCH * normal.T, log_weights - np.log(np.exp(log_weights).sum())
