"""An exact Gaussian process over numbers and categories."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from labwright.inference import cholesky, kernel
from labwright.inference.arrays import Array, Mask
from labwright.inference.posterior import LENGTHSCALE, NOISE, LogPosterior, shares_of

SHORTEST, LONGEST = 0.025, 1e4
NOISE_BOUNDS = (1e-5, 1.0)
SHARES = (-7.0, 7.0)  # of the logarithm of a hint's share over the kernel's
HUGE = 1e100  # an outcome beyond it is taken as this large, for its square must be a number
CHUNK = 4096

Hint: TypeAlias = Callable[[Array], Array]  # what somebody else expects at points (n, d), standardised: (n,)


@dataclass(frozen=True, kw_only=True, eq=False)
class Hyperparameters:
    """Lengthscales (d,), noise variance and mean; the last two in units of the standardised outcome.

    An outcome is standardised by `offset` and `spread`, the mean and standard deviation of those that these were fitted
    to. `shares` (k,): how much of the signal's variance is proportional to each of the hints.
    """

    lengthscales: Array
    noise: float
    mean: float
    offset: float
    spread: float
    shares: Array = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True, kw_only=True, eq=False)
class Observations:
    """Outcomes `y` (n,) at points `x` (n, d), and how they scatter.

    `categorical` (d,) marks the columns that hold codes of categories; the others are scaled to [0, 1]. The noise
    variance of each outcome is one fitted number times its entry in `ratios` (n,), plus what is `known` (n,) of it; by
    default the ratios are 1 and nothing is known. `hints`: what others expect of the outcome anywhere; it may be
    proportional to them, up or down, and the kernel has what they do not explain.
    """

    x: Array
    y: Array
    categorical: Mask
    ratios: Array
    known: Array
    hints: tuple[Hint, ...] = ()

    @classmethod
    def of(
        cls,
        x: Array,
        y: Array,
        categorical: Mask,
        *,
        ratios: Array | None = None,
        known: Array | None = None,
        hints: tuple[Hint, ...] = (),
    ) -> "Observations":
        """Return observations; an outcome too large to be squared counts as 1e100."""
        return cls(
            x=x,
            y=np.clip(y, -HUGE, HUGE),
            categorical=categorical,
            ratios=np.ones(len(y)) if ratios is None else ratios,
            known=np.zeros(len(y)) if known is None else known,
            hints=hints,
        )

    @cached_property
    def hinted(self) -> Array:
        """What each hint says of each observation, (n, k)."""
        return self.hinted_at(self.x)

    def hinted_at(self, x: Array) -> Array:
        """Return what each hint says at points (m, d), (m, k)."""
        return np.column_stack([hint(x) for hint in self.hints]) if self.hints else np.empty((len(x), 0))

    def __len__(self) -> int:
        return len(self.y)

    def some(self, which: NDArray[np.intp]) -> "Observations":
        """Return the observations at these places."""
        return replace(self, x=self.x[which], y=self.y[which], ratios=self.ratios[which], known=self.known[which])


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianProcess:
    """What is believed of one outcome after `n` observations at points of `d` columns.

    `factor` is the Cholesky factor of the covariance of the standardised outcomes, and `alpha` (n,) its inverse times
    what they are above the mean.
    """

    data: Observations
    hyperparameters: Hyperparameters
    factor: Array
    alpha: Array

    @property
    def x(self) -> Array:
        """The points (n, d) that were observed."""
        return self.data.x

    @property
    def spread(self) -> float:
        """The standard deviation of the outcomes that the hyperparameters were fitted to."""
        return self.hyperparameters.spread

    @property
    def noise(self) -> float:
        """The fitted variance of an outcome whose ratio is 1 around its expectation, in the outcome's unit squared."""
        return self.hyperparameters.noise * self.spread**2

    def predict(self, x: Array) -> tuple[Array, Array]:
        """Return the mean (m,) and the variance (m,), without noise, at points (m, d), in the outcome's units."""
        parts = [self._predict(x[start : start + CHUNK]) for start in range(0, max(len(x), 1), CHUNK)]
        return np.concatenate([m for m, _ in parts]), np.concatenate([v for _, v in parts])

    def expect(self, x: Array) -> Array:
        """Return the mean (m,) alone at points (m, d), in the outcome's units."""
        hyper = self.hyperparameters
        return np.concatenate(
            [
                hyper.offset + hyper.spread * (hyper.mean + self.alpha @ _covariance(self.data, part, hyper)[0])
                for part in (x[start : start + CHUNK] for start in range(0, max(len(x), 1), CHUNK))
            ]
        )

    def _predict(self, x: Array) -> tuple[Array, Array]:
        hyper = self.hyperparameters
        cross, prior = _covariance(self.data, x, hyper)
        explained = cholesky.solve_lower(self.factor, cross)
        mean = hyper.offset + hyper.spread * (hyper.mean + self.alpha @ cross)
        variance = np.maximum(prior - (explained**2).sum(axis=0), 1e-12) * hyper.spread**2
        return mean, variance

    def joint(self, x: Array) -> tuple[Array, Array]:
        """Return the mean (m,) and the covariance (m, m), without noise, at points (m, d), in the outcome's units."""
        hyper = self.hyperparameters
        cross, _ = _covariance(self.data, x, hyper)
        prior, _ = _covariance(replace(self.data, x=x), x, hyper)
        explained = cholesky.solve_lower(self.factor, cross)
        mean: Array = hyper.offset + hyper.spread * (hyper.mean + self.alpha @ cross)
        covariance: Array = (prior - explained.T @ explained) * hyper.spread**2
        np.fill_diagonal(covariance, np.maximum(covariance.diagonal(), 1e-12 * hyper.spread**2))
        return mean, covariance

    def leave_one_out(self) -> tuple[Array, Array]:
        """Return what each observation (n,) is expected to be from all others: mean and variance, noise included.

        The hyperparameters stay those fitted to all (Rasmussen and Williams 2006, section 5.4.2).
        """
        precision = cholesky.inverse(self.factor).diagonal()
        return self.data.y - self.spread * self.alpha / precision, self.spread**2 / precision

    def believing(self, x: Array) -> "GaussianProcess":
        """Return the process that has seen, at points (m, d), just what it expects there: surer, not otherwise."""
        if not len(x):
            return self
        seen = Observations(
            x=np.vstack([self.x, x]),
            y=np.concatenate([self.data.y, self.predict(x)[0]]),
            categorical=self.data.categorical,
            ratios=np.concatenate([self.data.ratios, np.ones(len(x))]),
            known=np.concatenate([self.data.known, np.zeros(len(x))]),
            hints=self.data.hints,
        )
        return condition(seen, self.hyperparameters)


def condition(data: Observations, hyperparameters: Hyperparameters) -> GaussianProcess:
    """Return the Gaussian process of at least one observation, its hyperparameters given."""
    hyper = hyperparameters
    covariance, _ = _covariance(data, data.x, hyper)
    noise = hyper.noise * data.ratios + data.known / hyper.spread / hyper.spread
    factor = cholesky.factorise(covariance + np.diag(noise))
    alpha = cholesky.solve(factor, (data.y - hyper.offset) / hyper.spread - hyper.mean)
    return GaussianProcess(data=data, hyperparameters=hyper, factor=factor, alpha=alpha)


def _covariance(data: Observations, x: Array, hyper: Hyperparameters) -> tuple[Array, Array | float]:
    """Return the covariance of each observation with each point (m, d), (n, m), and the points' own variance."""
    cross = kernel.cross_covariance(data.x, x, hyper.lengthscales, data.categorical)
    if not data.hints:
        return cross, 1
    own, hinted = 1 - hyper.shares.sum(), data.hinted_at(x)
    return own * cross + (data.hinted * hyper.shares) @ hinted.T, own + hinted**2 @ hyper.shares


def fit(data: Observations, *, shortest: float = SHORTEST) -> Hyperparameters:
    """Return the likeliest hyperparameters of at least one observation. No lengthscale is below `shortest`."""
    offset, spread = _scale(data.y)
    posterior = LogPosterior(
        x=data.x,
        z=(data.y - offset) / spread,
        categorical=data.categorical,
        ratios=data.ratios,
        known=data.known / spread / spread,  # a square may be too small to divide by
        hints=data.hinted,
    )
    theta, d = _likeliest(posterior, shortest), data.x.shape[1]
    return Hyperparameters(
        lengthscales=np.exp(theta[:d]),
        noise=float(np.exp(theta[-2])),
        mean=float(theta[-1]),
        offset=offset,
        spread=spread,
        shares=shares_of(theta[d:-2]),
    )


def _scale(y: Array) -> tuple[float, float]:
    largest = float(np.abs(y).max()) or 1.0
    offset = float((y / largest).mean()) * largest
    spread = float(((y - offset) / largest).std()) * largest
    # Outcomes that differ by rounding alone are equal; how much they could vary is then unknown.
    return offset, spread if spread > 1e-13 * largest else largest


def _likeliest(posterior: LogPosterior, shortest: float) -> Array:
    """Climb the log posterior from the prior's mode and from a smoother start; return the higher end."""
    d, k = posterior.x.shape[1], posterior.hints.shape[1]
    starts = [
        np.array([*[np.log(LENGTHSCALE.mode * factor)] * d, *[0.0] * k, np.log(NOISE.mode), 0.0])
        for factor in (1.0, 5.0)
    ]
    bounds = [(np.log(shortest), np.log(LONGEST))] * d + [SHARES] * k + [tuple(np.log(NOISE_BOUNDS)), (-5.0, 5.0)]

    def loss(theta: Array) -> tuple[float, Array]:
        density, slope = posterior(theta)
        return -density, -slope

    ends = [minimize(loss, s, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 50}) for s in starts]
    best: Array = min(ends, key=lambda end: float(end.fun)).x
    return best
