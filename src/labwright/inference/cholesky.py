"""Cholesky factors of covariance matrices, and what is solved with them."""

import numpy as np
from scipy.linalg import lapack

from labwright.inference.arrays import Array

JITTERS = (0.0, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2)


def factorise(covariance: Array) -> Array:
    """Return the lower Cholesky factor, (n, n), with the smallest jitter on the diagonal that gives one.

    Only the lower triangle of `covariance` is read. Raises numpy.linalg.LinAlgError when even a jitter of 0.01 of the
    mean variance does not help.
    """
    scale = float(covariance.diagonal().mean()) if len(covariance) else 1.0
    for jitter in JITTERS:
        attempt = covariance + jitter * scale * np.eye(len(covariance)) if jitter else covariance
        lower, info = lapack.dpotrf(attempt, lower=1, clean=1)
        if info == 0:
            factor: Array = lower
            return factor
    raise np.linalg.LinAlgError(f"A covariance matrix of {len(covariance)} points is not positive definite.")


def solve(factor: Array, right: Array) -> Array:
    """Return the solution of (L Lᵀ) a = right, of the shape of `right`."""
    solution: Array = lapack.dpotrs(factor, right, lower=1)[0]
    return solution


def solve_lower(factor: Array, right: Array) -> Array:
    """Return the solution of L a = right, of the shape of `right`."""
    solution: Array = lapack.dtrtrs(factor, right, lower=1)[0]
    return solution


def inverse(factor: Array) -> Array:
    """Return (L Lᵀ)⁻¹; only its lower triangle is filled."""
    lower: Array = lapack.dpotri(factor, lower=1)[0]
    return lower


def log_determinant(factor: Array) -> float:
    """Return log |L Lᵀ|."""
    return 2 * float(np.log(factor.diagonal()).sum())
