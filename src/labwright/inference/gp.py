"""An exact Gaussian process over numbers and categories."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from labwright.inference import cholesky, kernel
from labwright.inference.arrays import Array, Mask
from labwright.inference.posterior import NOISE, LogPosterior, lengthscale_prior

SHORTEST, LONGEST = 0.025, 1e4
NOISE_BOUNDS = (1e-5, 1.0)
HUGE = 1e100  # an outcome beyond it is taken as this large, for its square must be a number
CHUNK = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class Hyperparameters:
    """Lengthscales (d,), noise variance and mean; the last two in units of the standardised outcome."""

    lengthscales: Array
    noise: float
    mean: float


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianProcess:
    """What is believed of one outcome after `n` observations at points of `d` columns.

    `offset` and `spread` are the outcome's mean and standard deviation; `z` (n,) are the outcomes standardised by them.
    `factor` is the Cholesky factor of the outcomes' covariance and `alpha` (n,) its inverse times z - mean.
    """

    x: Array
    z: Array
    categorical: Mask
    hyperparameters: Hyperparameters
    offset: float
    spread: float
    factor: Array
    alpha: Array

    def predict(self, x: Array) -> tuple[Array, Array]:
        """Return the mean (m,) and the variance (m,), without noise, at points (m, d), in the outcome's units."""
        parts = [self._predict(x[start : start + CHUNK]) for start in range(0, max(len(x), 1), CHUNK)]
        return np.concatenate([m for m, _ in parts]), np.concatenate([v for _, v in parts])

    def _predict(self, x: Array) -> tuple[Array, Array]:
        hyper = self.hyperparameters
        cross = kernel.cross_covariance(self.x, x, hyper.lengthscales, self.categorical)
        explained = cholesky.solve_lower(self.factor, cross)
        mean = self.offset + self.spread * (hyper.mean + self.alpha @ cross)
        variance = np.maximum(1 - (explained**2).sum(axis=0), 1e-12) * self.spread**2
        return mean, variance

    def leave_one_out(self) -> tuple[Array, Array]:
        """Return what each observation (n,) is expected to be from all others: mean and variance, noise included.

        The hyperparameters stay those fitted to all (Rasmussen and Williams 2006, section 5.4.2).
        """
        precision = cholesky.inverse(self.factor).diagonal()
        mean = self.z - self.alpha / precision
        return self.offset + self.spread * mean, self.spread**2 / precision

    def believing(self, x: Array) -> "GaussianProcess":
        """Return the process that has seen, at points (m, d), just what it expects there: surer, not otherwise."""
        if not len(x):
            return self
        z = (self.predict(x)[0] - self.offset) / self.spread
        return _condition(replace(self, x=np.vstack([self.x, x]), z=np.concatenate([self.z, z])))


def fit(x: Array, y: Array, categorical: Mask, *, shortest: float = SHORTEST) -> GaussianProcess:
    """Return the Gaussian process of outcomes `y` (n,) at points `x` (n, d), with the likeliest hyperparameters.

    `categorical` (d,) marks the columns that hold codes of categories; the others are scaled to [0, 1]. No
    lengthscale is below `shortest`. Needs n >= 1.
    """
    y = np.clip(y, -HUGE, HUGE)
    offset, spread = _scale(y)
    z = (y - offset) / spread
    posterior = LogPosterior(x=x, z=z, categorical=categorical)
    return _condition(
        GaussianProcess(
            x=x,
            z=z,
            categorical=categorical,
            hyperparameters=_likeliest(posterior, shortest),
            offset=offset,
            spread=spread,
            factor=np.empty((0, 0)),
            alpha=np.empty(0),
        )
    )


def _scale(y: Array) -> tuple[float, float]:
    largest = float(np.abs(y).max()) or 1.0
    offset = float((y / largest).mean()) * largest
    spread = float(((y - offset) / largest).std()) * largest
    # Outcomes that differ by rounding alone are equal; how much they could vary is then unknown.
    return offset, spread if spread > 1e-13 * largest else largest


def _likeliest(posterior: LogPosterior, shortest: float) -> Hyperparameters:
    """Climb the log posterior from the prior's mode and from a smoother start; keep the higher end."""
    d = posterior.x.shape[1]
    mode = lengthscale_prior(d).mode
    starts = [np.array([*[np.log(mode * factor)] * d, np.log(NOISE.mode), 0.0]) for factor in (1.0, 5.0)]
    bounds = [(np.log(shortest), np.log(LONGEST))] * d + [tuple(np.log(NOISE_BOUNDS)), (-5.0, 5.0)]

    def loss(theta: Array) -> tuple[float, Array]:
        density, slope = posterior(theta)
        return -density, -slope

    ends = [minimize(loss, s, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 50}) for s in starts]
    theta = min(ends, key=lambda end: float(end.fun)).x
    return Hyperparameters(lengthscales=np.exp(theta[:-2]), noise=float(np.exp(theta[-2])), mean=float(theta[-1]))


def _condition(process: GaussianProcess) -> GaussianProcess:
    hyper = process.hyperparameters
    covariance = kernel.cross_covariance(process.x, process.x, hyper.lengthscales, process.categorical)
    factor = cholesky.factorise(covariance + hyper.noise * np.eye(len(covariance)))
    return replace(process, factor=factor, alpha=cholesky.solve(factor, process.z - hyper.mean))
