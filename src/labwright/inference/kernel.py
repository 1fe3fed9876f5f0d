"""The covariance of two points: Matérn-5/2 over numbers, times Hamming distance over categories.

    k(a, b) = (1 + s + s²/3) exp(-s) · exp(-h),   s² = 5 Σ (a_j - b_j)² / l_j²,   h = Σ [a_j ≠ b_j] / l_j

A number is scaled to [0, 1]; a category is a code of which only equality counts. Each column has its own lengthscale.
"""

import numpy as np

from labwright.inference.arrays import Array, Mask


def pair_distances(x: Array, categorical: Mask) -> Array:
    """Return, for the pairs i < j of the rows of `x` (n, d), each column's distance, (d, n(n-1)/2).

    A number's distance is the square of the difference; a category's is 0 or 1.
    """
    first, second = np.triu_indices(len(x), 1)
    difference = x.T[:, first] - x.T[:, second]
    return np.where(categorical[:, None], difference != 0, difference**2)


def pair_covariance(distances: Array, weights: Array, categorical: Mask) -> tuple[Array, Array]:
    """Return the covariance k of each pair, (p,), and its slope, (p,).

    `distances` (d, p) come from `pair_distances`; `weights` w (d,) are 1 / l² for numbers and 1 / l for categories. The
    derivative of k by log l_j is w_j distances_j times the slope where j is a number, times k where it is a category.
    """
    s = np.sqrt(5 * (np.where(categorical, 0, weights) @ distances))
    decay = np.exp(-s - np.where(categorical, weights, 0) @ distances)
    return (1 + s + s**2 / 3) * decay, 5 / 3 * (1 + s) * decay


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
