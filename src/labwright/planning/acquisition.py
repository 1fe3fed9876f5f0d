"""What a trial is worth: logarithms of expected improvement and of the chance that a constraint holds.

All take arrays of one shape and return that shape. `mean` and `sd` are those of a normal distribution.
"""

import math

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

from labwright.inference.arrays import Array

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


def log_improvement(mean: Array, sd: Array, best: float) -> Array:
    """Return log E[max(best - f, 0)]: the expected improvement when f is to be small (Ament et al. 2023, eq. 9)."""
    return np.log(sd) + log_h((best - mean) / sd)


def log_closeness(mean: Array, sd: Array, target: float, best: float) -> Array:
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


def log_probability(mean: Array, sd: Array, low: float, high: float) -> Array:
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
