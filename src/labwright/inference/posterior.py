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
# The logarithm of a hint's share of the signal over the kernel's is normal around 0: half the signal each.
HINTED = 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class LogPosterior:
    """The log density of hyperparameters, given standardised outcomes `z` (n,) at points `x` (n, d).

    Hyperparameters are one vector `theta` (d + k + 2,): the log lengthscales, the logarithm of each of `k` hints' share
    of the signal over the kernel's, the log noise variance, the mean.
    The signal's variance is 1, as the outcomes are standardised. The mean has a flat prior. The noise variance of each
    outcome is the fitted one times its ratio, plus what is known of it; both (n,), in units of the outcomes squared.
    `hints` (n, k): what others expect of each outcome, standardised, to which it may be proportional.
    """

    x: Array
    z: Array
    categorical: Mask
    ratios: Array
    known: Array
    hints: Array

    @cached_property
    def distances(self) -> Array:
        """The distances of all pairs of points; see `kernel.pair_distances`."""
        return kernel.pair_distances(self.x, self.categorical)

    @cached_property
    def upper(self) -> NDArray[np.intp]:
        """Where the pairs stand in a flat matrix (n · n): above its diagonal, row by row."""
        return np.flatnonzero(~np.tri(len(self.z), dtype=bool))

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Return the log density and its gradient, (d + k + 2,). Raises numpy.linalg.LinAlgError."""
        likelihood, slope = self.log_marginal_likelihood(theta)
        d = self.x.shape[1]
        logs, ratios, noise = theta[:d], theta[d:-2], theta[-2]
        density = likelihood + float(LENGTHSCALE.log_density(logs).sum() + NOISE.log_density(noise))
        slope[:d] += LENGTHSCALE.slope(logs)
        slope[-2] += NOISE.slope(noise)
        if len(ratios):
            density -= float((ratios**2).sum()) / (2 * HINTED**2)
            slope[d:-2] -= ratios / HINTED**2
        return density, slope

    def log_marginal_likelihood(self, theta: Array) -> tuple[float, Array]:
        """Return log p(z | x, theta) and its gradient, (d + k + 2,) (Rasmussen and Williams 2006, eqs. 2.30, 5.9)."""
        n, d, noise = len(self.z), self.x.shape[1], math.exp(theta[-2])
        weights, shares = np.exp(np.where(self.categorical, -1, -2) * theta[:d]), shares_of(theta[d:-2])
        pairs, slope = kernel.pair_covariance(self.distances, weights, self.categorical)
        scatter = noise * self.ratios + self.known
        flat = np.zeros(n * n)
        flat[self.upper] = pairs
        flat[:: n + 1] = 1 + scatter
        # The transpose has the pairs below the diagonal, in the order of memory that LAPACK takes without a copy.
        covariance, own = flat.reshape(n, n).T, 1.0
        if len(shares):
            own = 1 - shares.sum()
            covariance = own * covariance + (self.hints * shares) @ self.hints.T + np.diag((1 - own) * scatter)
        factor = cholesky.factorise(covariance)
        residual = self.z - theta[-1]
        alpha = cholesky.solve(factor, residual)
        inverse = cholesky.inverse(factor)
        likelihood = -0.5 * (residual @ alpha + cholesky.log_determinant(factor) + n * math.log(2 * math.pi))
        by_pair = own * (np.outer(alpha, alpha) - inverse.T).ravel()[self.upper]
        by_weight = np.where(self.categorical, self.distances @ (pairs * by_pair), self.distances @ (slope * by_pair))
        by_scatter = alpha**2 - inverse.diagonal()
        by_noise = 0.5 * noise * float(self.ratios @ by_scatter)
        by_share = shares
        if len(shares):
            squares = (alpha @ self.hints) ** 2 - (cholesky.solve_lower(factor, self.hints) ** 2).sum(axis=0)
            by_share = 0.5 * shares * (squares - (alpha @ residual - n - scatter @ by_scatter))
        return float(likelihood), np.concatenate([weights * by_weight, by_share, [by_noise, alpha.sum()]])


def shares_of(ratios: Array) -> Array:
    """Return the hints' shares (k,) of the signal's variance, by the logarithm of each over the kernel's own."""
    if not len(ratios):
        return ratios
    odds = np.exp(ratios)
    shares: Array = odds / (1 + odds.sum())
    return shares
