"""Cholesky factors of covariance matrices that are nearly, or not at all, positive definite."""

import numpy as np
import pytest

from labwright.inference import cholesky


def test_a_good_matrix_is_factorised_as_it_is():
    matrix = np.array([[2.0, 0.5], [0.5, 1.0]])

    factor = cholesky.factorise(matrix)

    np.testing.assert_allclose(factor @ factor.T, matrix, rtol=1e-14)
    np.testing.assert_allclose(cholesky.solve(factor, np.array([1.0, 3.0])), np.linalg.solve(matrix, [1.0, 3.0]))
    assert cholesky.log_determinant(factor) == pytest.approx(np.log(np.linalg.det(matrix)))


def test_a_singular_matrix_gets_just_enough_jitter():
    matrix = np.ones((5, 5))

    factor = cholesky.factorise(matrix)

    np.testing.assert_allclose(factor @ factor.T, matrix, atol=1e-6)


def test_what_is_no_covariance_at_all_is_refused():
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        cholesky.factorise(np.array([[1.0, 3.0], [3.0, 1.0]]))
