"""What a trial is worth: logarithms of expected improvement and of the chance that a constraint holds.

Unless they say otherwise they take arrays that fit together and return their common shape. `mean` and `sd` are those of
a normal distribution.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

from labwright.core.problem import Goal, Objective
from labwright.inference.arrays import Array
from labwright.planning.pareto import Boxes

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


def log_improvement(mean: Array, sd: Array, best: float | Array) -> Array:
    """Return log E[max(best - f, 0)]: the expected improvement when f is to be small (Ament et al. 2023, eq. 9)."""
    return np.log(sd) + log_h((best - mean) / sd)


def log_closeness(mean: Array, sd: Array, target: float, best: float | Array) -> Array:
    """Return log E[max(best - |f - target|, 0)]: the expected improvement when f is to match a target.

    The gain is a tent over the target, a sum of three ramps; `best` > 0 is the smallest distance so far.
    """
    away, reach = np.abs(mean - target) / sd, best / sd
    top = log_h(reach - away)
    ramps = 1 - 2 * np.exp(log_h(-away) - top) + np.exp(log_h(-reach - away) - top)
    # Where the tent is narrow the ramps cancel, and the density is as good as constant under it.
    narrow = reach * (1 + away) < 1e-4
    density = 2 * np.log(reach) - away**2 / 2 - LOG_SQRT_2PI
    return np.log(sd) + np.where(narrow, density, top + np.log(np.where(narrow, 1.0, ramps)))


def log_volume_gain(objectives: Sequence[Objective], mean: Array, sd: Array, free: Boxes) -> Array:
    """Return the log expected hypervolume improvement (n,) of independent normal outcomes (n, m).

    `free`: what is not dominated yet, in losses. The volume that an outcome takes of a box is a product over the
    objectives, and so is its expectation; those of the boxes are summed (Yang, Emmerich, Deutz and Bäck, "Efficient
    computation of expected hypervolume improvement using box decomposition algorithms", Journal of Global Optimization
    75 (2019)). For one objective it is the expected improvement.
    """
    logs = np.zeros((len(mean), len(free)))
    for j, objective in enumerate(objectives):
        logs += _log_sides(objective, mean[:, j, None], sd[:, j, None], free.low[:, j], free.high[:, j])
    top = logs.max(axis=1, initial=-np.inf, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        result: Array = top[:, 0] + np.log(np.exp(logs - top).sum(axis=1))
    return result


def _log_sides(objective: Objective, mean: Array, sd: Array, low: Array, high: Array) -> Array:
    """Return log E[max(high - loss, 0) - max(low - loss, 0)], (n, k): of outcomes (n, 1), between losses (k,)."""
    if objective.goal is Goal.MATCH:
        low = np.maximum(low, 0.0)
    # Boxes share their sides: each level is looked at once.
    levels, place = np.unique(np.concatenate([low, high]), return_inverse=True)
    ramps = _log_ramp(objective, mean, sd, levels)[:, place]
    bottom, top = ramps[:, : len(low)], ramps[:, len(low) :]
    with np.errstate(divide="ignore"):
        wide = top + np.log(-np.expm1(np.minimum(bottom - top, 0.0)))
    width, middle = high - low, np.where(np.isfinite(low), (low + high) / 2, 0.0)
    away = np.abs((middle if objective.target is None else objective.target) - mean) / sd
    narrow = width * (1 + away) < 1e-5 * sd
    if not narrow.any():
        return wide
    # The two ramps cancel there, and the chance of a smaller loss is as good as a straight line between them.
    return np.where(narrow, np.log(width) + _log_chance(objective, mean, sd, middle), wide)


def _log_ramp(objective: Objective, mean: Array, sd: Array, levels: Array) -> Array:
    """Return log E[max(level - loss, 0)], (n, k), of outcomes (n, 1), at rising levels (k,) of the loss."""
    nothing = 0.0 if objective.goal is Goal.MATCH else -np.inf
    some = levels[levels > nothing]
    match objective.goal:
        case Goal.MINIMIZE:
            ramp = log_improvement(mean, sd, some)
        case Goal.MAXIMIZE:
            ramp = log_improvement(-mean, sd, some)
        case Goal.MATCH:
            assert objective.target is not None
            ramp = log_closeness(mean, sd, objective.target, some)
    return np.hstack([np.full((len(mean), len(levels) - len(some)), -np.inf), ramp])


def _log_chance(objective: Objective, mean: Array, sd: Array, loss: Array) -> Array:
    """Return log P(the loss is smaller), (n, k), of outcomes (n, 1)."""
    match objective.goal:
        case Goal.MINIMIZE:
            chance: Array = log_ndtr((loss - mean) / sd)
        case Goal.MAXIMIZE:
            chance = log_ndtr((loss + mean) / sd)
        case Goal.MATCH:
            assert objective.target is not None
            chance = log_probability(mean - objective.target, sd, -loss, loss)
    return chance


def log_probability(mean: Array, sd: Array, low: float | Array, high: float | Array) -> Array:
    """Return log P(low <= f <= high), accurate in both tails."""
    below, above = (low - mean) / sd, (high - mean) / sd
    # By symmetry, both ends are brought to the side where the distribution function keeps its digits.
    flip = below + above > 0
    below, above = np.where(flip, -above, below), np.where(flip, -below, above)
    larger, smaller = log_ndtr(above), log_ndtr(below)
    result: Array = larger + np.log(-np.expm1(np.minimum(smaller - larger, -1e-16)))
    return result


def log_h(z: Array) -> Array:
    """Return log(φ(z) + z Φ(z)), the log expected improvement of a standard normal, accurate for every z.

    Ament, Daulton, Eriksson, Balandat and Bakshy, "Unexpected improvements to expected improvement", NeurIPS 2023.
    """
    near, middle, far = np.maximum(z, -1.0), np.clip(z, -1e4, -1.0), np.minimum(z, -1e4)
    direct = np.log(np.exp(-(near**2) / 2 - LOG_SQRT_2PI) + near * ndtr(near))
    mills = math.sqrt(math.pi / 2) * erfcx(-middle / math.sqrt(2)) * -middle
    left = np.log1p(-np.minimum(mills, 1 - 1e-16)) - middle**2 / 2 - LOG_SQRT_2PI
    tail = -(far**2) / 2 - LOG_SQRT_2PI - 2 * np.log(-far)
    result: Array = np.select([z > -1, z > -1e4], [direct, left], tail)
    return result
