"""How much an outcome scatters when the same point is tried again, and where it scatters more than elsewhere."""

from collections import defaultdict

import numpy as np
from scipy.special import chdtrc, digamma, polygamma

from labwright.inference import Observations, condition, fit
from labwright.inference.arrays import Array, Mask

GROUPS = 4  # so many repeated points must there be before the scatter may differ from place to place
SURE = 0.01


def ratios(x: Array, y: Array, categorical: Mask) -> Array:
    """Return the noise variance of each outcome `y` (n,) at its point in `x` (n, d), relative to the others, (n,).

    All are 1 unless repeats say otherwise: at least four points were repeated, and Bartlett's test (Snedecor and
    Cochran 1989) gives a chance below 0.01 that they scatter alike. Then the logarithms of the repeats' variances are
    smoothed by a Gaussian process that knows how few repeats stand behind each; their geometric mean is 1.
    """
    rows, variances, freedoms = _repeated(x, y)
    if len(rows) < GROUPS or _chance_alike(variances, freedoms) >= SURE:
        return np.ones(len(y))
    # The logarithm of a variance from f degrees of freedom has this bias and this variance of its own.
    logs = np.log(variances) - digamma(freedoms / 2) + np.log(freedoms / 2)
    known = Observations.of(rows, logs, categorical, known=polygamma(1, freedoms / 2))
    smooth = condition(known, fit(known)).predict(x)[0]
    result: Array = np.exp(np.clip(smooth - smooth.mean(), -6, 6))
    return result


def _repeated(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return the points (g, d) that were tried more than once, with their variances and degrees of freedom, (g,)."""
    groups = defaultdict(list)
    for place, row in enumerate(x + 0.0):
        groups[row.tobytes()].append(place)
    found = [places for places in groups.values() if len(places) > 1]
    variances = np.array([y[places].var(ddof=1) for places in found])
    # Repeats that are equal to the last digit were rounded: how little they scatter is not known.
    least = max(1e-6 * float(np.median(variances)), np.finfo(float).tiny) if found else 1.0
    rows = x[[places[0] for places in found]]
    return rows, np.maximum(variances, least), np.array([len(places) - 1.0 for places in found])


def _chance_alike(variances: Array, freedoms: Array) -> float:
    """Return the p-value of Bartlett's test that groups have one variance."""
    total = freedoms.sum()
    pooled = float((freedoms * variances).sum() / total)
    statistic = total * np.log(pooled) - (freedoms * np.log(variances)).sum()
    correction = 1 + ((1 / freedoms).sum() - 1 / total) / (3 * (len(variances) - 1))
    return float(chdtrc(len(variances) - 1, statistic / correction))
