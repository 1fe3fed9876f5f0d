"""How likely hyperparameters are: log marginal likelihood plus log prior, with its gradient."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from labwright.inference import cholesky, kernel
from labwright.inference.arrays import Array, Mask


@dataclass(frozen=True, kw_only=True)
class LogNormal:
    """The density of a positive number whose logarithm is normal."""

    mu: float
    sigma: float

    @property
    def mode(self) -> float:
        """The likeliest value."""
        return math.exp(self.mu - self.sigma**2)

    def log_density(self, log_value: Array) -> Array:
        """Return the log density at exp(log_value), element by element."""
        normal: Array = -((log_value - self.mu) ** 2) / (2 * self.sigma**2)
        return normal - log_value - math.log(self.sigma * math.sqrt(2 * math.pi))

    def slope(self, log_value: Array) -> Array:
        """Return the derivative of `log_density` by `log_value`."""
        return -1 - (log_value - self.mu) / self.sigma**2


NOISE = LogNormal(mu=-4.0, sigma=1.0)
# Half of all lengthscales lie between 1 and 2.6 times the range, or mismatches: measured tables are that smooth,
# whether they have three columns or ten (docs/explanation/planner-evidence.md).
LENGTHSCALE = LogNormal(mu=0.5, sigma=0.7)


@dataclass(frozen=True, kw_only=True, eq=False)
class LogPosterior:
    """The log density of hyperparameters, given standardised outcomes `z` (n,) at points `x` (n, d).

    Hyperparameters are one vector `theta` (d + 2,): the log lengthscales, the log noise variance, the mean.
    The signal's variance is 1, as the outcomes are standardised. The mean has a flat prior. The noise variance of each
    outcome is the fitted one times its ratio, plus what is known of it; both (n,), in units of the outcomes squared.
    """

    x: Array
    z: Array
    categorical: Mask
    ratios: Array
    known: Array

    @cached_property
    def distances(self) -> Array:
        """The distances of all pairs of points; see `kernel.pair_distances`."""
        return kernel.pair_distances(self.x, self.categorical)

    @cached_property
    def upper(self) -> NDArray[np.intp]:
        """Where the pairs stand in a flat matrix (n · n): above its diagonal, row by row."""
        return np.flatnonzero(~np.tri(len(self.z), dtype=bool))

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Return the log density and its gradient, (d + 2,). Raises numpy.linalg.LinAlgError."""
        likelihood, slope = self.log_marginal_likelihood(theta)
        logs, noise = theta[:-2], theta[-2]
        density = likelihood + float(LENGTHSCALE.log_density(logs).sum() + NOISE.log_density(noise))
        slope[:-2] += LENGTHSCALE.slope(logs)
        slope[-2] += NOISE.slope(noise)
        return density, slope

    def log_marginal_likelihood(self, theta: Array) -> tuple[float, Array]:
        """Return log p(z | x, theta) and its gradient, (d + 2,) (Rasmussen and Williams 2006, eqs. 2.30 and 5.9)."""
        n, noise = len(self.z), math.exp(theta[-2])
        weights = np.exp(np.where(self.categorical, -1, -2) * theta[:-2])
        pairs, slope = kernel.pair_covariance(self.distances, weights, self.categorical)
        flat = np.zeros(n * n)
        flat[self.upper] = pairs
        flat[:: n + 1] = 1 + noise * self.ratios + self.known
        # The transpose has the pairs below the diagonal, in the order of memory that LAPACK takes without a copy.
        factor = cholesky.factorise(flat.reshape(n, n).T)
        residual = self.z - theta[-1]
        alpha = cholesky.solve(factor, residual)
        inverse = cholesky.inverse(factor)
        likelihood = -0.5 * (residual @ alpha + cholesky.log_determinant(factor) + n * math.log(2 * math.pi))
        by_pair = (np.outer(alpha, alpha) - inverse.T).ravel()[self.upper]
        by_weight = np.where(self.categorical, self.distances @ (pairs * by_pair), self.distances @ (slope * by_pair))
        by_noise = 0.5 * noise * float(self.ratios @ (alpha**2 - inverse.diagonal()))
        return float(likelihood), np.concatenate([weights * by_weight, [by_noise, alpha.sum()]])
