"""The Gaussian process, against independent formulations."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from labwright.inference import GaussianProcess, Observations, condition, fit
from labwright.inference.kernel import cross_covariance
from labwright.inference.posterior import LENGTHSCALE, NOISE, LogPosterior

CATEGORICAL = np.array([False, False, True])


def learned(x, y, categorical=CATEGORICAL, **noise) -> GaussianProcess:
    data = Observations.of(x, y, categorical, **noise)
    return condition(data, fit(data))


@pytest.fixture
def x():
    rng = np.random.default_rng(3)
    return np.column_stack([rng.random((25, 2)), rng.integers(0, 3, 25)])


@pytest.fixture
def y(x):
    noise = 0.05 * np.random.default_rng(4).standard_normal(len(x))
    return 40 + 7 * np.sin(5 * x[:, 0]) * x[:, 1] + 3 * (x[:, 2] == 1) + noise


def covariance_by_definition(a, b, lengthscales):
    """Matérn-5/2 as in Rasmussen and Williams, equation 4.17, one pair at a time."""
    result = np.empty((len(a), len(b)))
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            r = np.sqrt(sum((p[k] - q[k]) ** 2 / lengthscales[k] ** 2 for k in (0, 1)))
            matern = (1 + np.sqrt(5) * r + 5 * r**2 / 3) * np.exp(-np.sqrt(5) * r)
            result[i, j] = matern * np.exp(-float(p[2] != q[2]) / lengthscales[2])
    return result


def test_the_covariance_is_the_one_of_its_definition(x):
    lengthscales = np.array([0.3, 1.7, 0.8])

    found = cross_covariance(x[:7], x, lengthscales, CATEGORICAL)

    np.testing.assert_allclose(found, covariance_by_definition(x[:7], x, lengthscales), atol=1e-9)


def test_the_prediction_agrees_with_the_direct_inverse(x, y):
    process = learned(x, y, CATEGORICAL)
    hyper = process.hyperparameters
    new = np.array([[0.2, 0.9, 0], [0.7, 0.1, 1], [5.0, -3.0, 2]])

    mean, variance = process.predict(new)

    inverse = np.linalg.inv(covariance_by_definition(x, x, hyper.lengthscales) + hyper.noise * np.eye(len(x)))
    cross = covariance_by_definition(new, x, hyper.lengthscales)
    z = (y - y.mean()) / y.std()
    expected = y.mean() + y.std() * (hyper.mean + cross @ inverse @ (z - hyper.mean))
    np.testing.assert_allclose(mean, expected, rtol=1e-6)
    np.testing.assert_allclose(variance, y.var() * (1 - np.diag(cross @ inverse @ cross.T)), rtol=1e-6)


def posterior_of(x, z):
    ratios, known = np.linspace(0.5, 2, len(z)), np.linspace(0, 0.01, len(z))
    return LogPosterior(x=x, z=z, categorical=CATEGORICAL, ratios=ratios, known=known)


def test_the_marginal_likelihood_is_that_of_a_multivariate_normal(x, y):
    z = (y - y.mean()) / y.std()
    theta = np.array([-0.5, 0.4, 0.1, -3.0, 0.2])

    found, _ = posterior_of(x, z).log_marginal_likelihood(theta)

    covariance = covariance_by_definition(x, x, np.exp(theta[:3]))
    covariance += np.diag(np.exp(-3.0) * np.linspace(0.5, 2, len(x)) + np.linspace(0, 0.01, len(x)))
    assert found == pytest.approx(multivariate_normal.logpdf(z, np.full(len(x), 0.2), covariance), abs=1e-6)


def test_the_gradient_of_the_posterior_agrees_with_finite_differences(x, y):
    posterior = posterior_of(x, (y - y.mean()) / y.std())

    for theta in np.random.default_rng(5).normal([-0.5, 0.0, 0.5, -3.0, 0.0], 0.7, (5, 5)):
        _, gradient = posterior(theta)

        steps = 1e-6 * np.eye(len(theta))
        differences = [(posterior(theta + s)[0] - posterior(theta - s)[0]) / 2e-6 for s in steps]
        np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-5)


def test_the_priors_are_lognormal_densities():
    from scipy.stats import lognorm

    for prior in (NOISE, LENGTHSCALE):
        values = np.array([0.01, 0.5, 3.0])

        found = prior.log_density(np.log(values))

        np.testing.assert_allclose(found, lognorm.logpdf(values, prior.sigma, scale=np.exp(prior.mu)))


def test_leaving_one_out_agrees_with_fitting_the_others_by_hand(x, y):
    process = learned(x, y, CATEGORICAL)
    hyper = process.hyperparameters

    mean, variance = process.leave_one_out()

    z = (y - y.mean()) / y.std()
    for i in (0, 11, 24):
        others = np.arange(len(x)) != i
        covariance = covariance_by_definition(x, x, hyper.lengthscales) + hyper.noise * np.eye(len(x))
        gain = covariance[i, others] @ np.linalg.inv(covariance[np.ix_(others, others)])
        expected = hyper.mean + gain @ (z[others] - hyper.mean)
        assert mean[i] == pytest.approx(y.mean() + y.std() * expected, rel=1e-6)
        left = covariance[i, i] - gain @ covariance[others, i]
        assert variance[i] == pytest.approx(y.var() * left, rel=1e-6)


def test_believing_what_it_expects_makes_it_surer_and_changes_no_mean(x, y):
    process = learned(x, y, CATEGORICAL)
    new, elsewhere = np.array([[0.5, 0.5, 1]]), np.array([[0.1, 0.8, 2]])

    surer = process.believing(new)

    assert surer.predict(new)[1][0] < process.predict(new)[1][0]
    np.testing.assert_allclose(surer.predict(elsewhere)[0], process.predict(elsewhere)[0], rtol=1e-8)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e12])
def test_the_scale_of_the_outcome_does_not_matter(x, y, scale):
    mean, variance = learned(x, y, CATEGORICAL).predict(x[:3] + 0.01)

    scaled_mean, scaled_variance = learned(x, y * scale, CATEGORICAL).predict(x[:3] + 0.01)

    np.testing.assert_allclose(scaled_mean, mean * scale, rtol=1e-3)
    np.testing.assert_allclose(scaled_variance, variance * scale**2, rtol=1e-2)


@pytest.mark.parametrize("outcomes", [[3.0], [0.0, 0.0], [7e12] * 5, [1.0, 1.0 + 1e-16, 1.0]])
def test_equal_outcomes_are_expected_everywhere(outcomes):
    x = np.column_stack([np.linspace(0, 1, len(outcomes)), np.zeros(len(outcomes))])

    mean, variance = learned(x, np.array(outcomes), np.array([False, True])).predict(np.array([[0.3, 1.0]]))

    assert mean[0] == pytest.approx(outcomes[0])
    assert variance[0] > 0


def test_repeated_points_with_different_outcomes_are_taken_as_noise():
    x = np.repeat(np.linspace(0, 1, 8), 8)[:, None]
    rng = np.random.default_rng(0)
    y = np.sin(3 * x[:, 0]) + 0.2 * rng.standard_normal(len(x))

    process = learned(x, y, np.array([False]))

    assert process.hyperparameters.noise * process.spread**2 == pytest.approx(0.04, rel=0.6)
    assert process.predict(x)[0] == pytest.approx(np.sin(3 * x[:, 0]), abs=0.25)


def test_fitting_twice_gives_the_same_bits(x, y):
    first, second = learned(x, y, CATEGORICAL), learned(x.copy(), y.copy(), CATEGORICAL)

    assert first.predict(x)[0].tobytes() == second.predict(x)[0].tobytes()
