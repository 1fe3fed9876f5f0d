"""Outcomes that stop at a constraint's limit: a charge that ends at exactly 80 % might have gone on.

A Gaussian process of what was recorded would take such a trial for a coin toss, as half of its normal distribution lies
below the limit. What the outcome would have been is believed instead.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.special import log_ndtr

from labwright.core.problem import OutcomeConstraint
from labwright.inference import GaussianProcess, Observations
from labwright.inference.arrays import Array, Mask

FEWEST = 2
SAME = 1e-3  # of the spread of all outcomes
ROUNDS = 4


def stopped(y: Array, constraint: OutcomeConstraint) -> Mask:
    """Return which outcomes (n,) stand at the constraint's limit, where several do and none is beyond it."""
    tolerance = SAME * float(y.std()) + 1e-12 * float(np.abs(y).max())
    for limit, beyond in ((constraint.low, y - constraint.low), (constraint.high, constraint.high - y)):
        at: Mask = np.abs(y - limit) <= tolerance
        if math.isfinite(limit) and at.sum() >= FEWEST and not (beyond > tolerance).any():
            return at
    return np.zeros(len(y), dtype=bool)


def going_on(
    data: Observations, constraint: OutcomeConstraint, learned: Callable[[Observations], GaussianProcess]
) -> GaussianProcess | None:
    """Return the process of an outcome that would have gone on beyond the limit; None where none stopped there.

    In each of a few rounds an outcome that stopped is replaced by its mean beyond the limit, as expected from all
    others: expectation and maximisation of a censored likelihood (Tobin 1958), with a Gaussian process for the line.
    """
    at = stopped(data.y, constraint)
    if not at.any():
        return None
    upward = bool(np.abs(data.y[at] - constraint.low).max() <= np.abs(data.y[at] - constraint.high).max())
    limit, sign = (constraint.low, 1.0) if upward else (constraint.high, -1.0)
    process = learned(data)
    for _ in range(ROUNDS):
        mean, variance = process.leave_one_out()
        sd = np.sqrt(variance[at])
        y = data.y.copy()
        y[at] = limit + sign * _excess(sign * (mean[at] - limit), sd)
        process = learned(replace(data, y=y))
    return process


def _excess(mean: Array, sd: Array) -> Array:
    """Return E[x | x > 0] of normal x, (n,)."""
    ratio = mean / sd
    hazard = np.exp(-(ratio**2) / 2 - 0.5 * math.log(2 * math.pi) - log_ndtr(ratio))
    excess: Array = np.maximum(mean + sd * hazard, 0.0)
    return excess
