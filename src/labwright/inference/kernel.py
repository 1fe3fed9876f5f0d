"""The covariance of two points: Matérn-5/2 over numbers, times Hamming distance over categories.

    k(a, b) = (1 + s + s²/3) exp(-s) · exp(-h),   s² = 5 Σ (a_j - b_j)² / l_j²,   h = Σ [a_j ≠ b_j] / l_j

A number is scaled to [0, 1]; a category is a code of which only equality counts. Each column has its own lengthscale.
"""

import numpy as np

from labwright.inference.arrays import Array, Mask


def pair_distances(x: Array, categorical: Mask) -> Array:
    """Return, for the pairs i > j of the rows of `x` (n, d), each column's distance, (d, n(n-1)/2).

    A number's distance is the square of the difference; a category's is 0 or 1.
    """
    rows, columns = np.tril_indices(len(x), -1)
    difference = x.T[:, rows] - x.T[:, columns]
    return np.where(categorical[:, None], difference != 0, difference**2)


def weights(lengthscales: Array, categorical: Mask) -> Array:
    """Return what each column's distance is multiplied by, (d,)."""
    return np.where(categorical, 1 / lengthscales, lengthscales**-2)


def pair_covariance(distances: Array, lengthscales: Array, categorical: Mask) -> tuple[Array, Array]:
    """Return the covariance of each pair, (p,), and its derivative by the log lengthscales, (d, p).

    `distances` (d, p) come from `pair_distances`.
    """
    weighted = distances * weights(lengthscales, categorical)[:, None]
    s = np.sqrt(5 * weighted[~categorical].sum(axis=0))
    decay = np.exp(-s - weighted[categorical].sum(axis=0))
    covariance = (1 + s + s**2 / 3) * decay
    slope = np.where(categorical[:, None], covariance, 5 / 3 * (1 + s) * decay)
    return covariance, weighted * slope


def cross_covariance(a: Array, b: Array, lengthscales: Array, categorical: Mask) -> Array:
    """Return the covariance of each row of `a` (n, d) with each row of `b` (m, d), (n, m)."""
    numeric = ~categorical
    left, right = a[:, numeric] / lengthscales[numeric], b[:, numeric] / lengthscales[numeric]
    squared = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * left @ right.T
    s = np.sqrt(5 * np.maximum(squared, 0))
    exponent = -s
    for j in np.flatnonzero(categorical):
        exponent -= (a[:, j, None] != b[:, j]) / lengthscales[j]
    result: Array = (1 + s + s**2 / 3) * np.exp(exponent)
    return result
