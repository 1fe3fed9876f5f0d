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


def hints_of(x):
    return np.column_stack([np.sin(3 * x[:, 0]), x[:, 1] ** 2 - (x[:, 2] == 0)])


def posterior_of(x, z, hints=0):
    ratios, known = np.linspace(0.5, 2, len(z)), np.linspace(0, 0.01, len(z))
    return LogPosterior(x=x, z=z, categorical=CATEGORICAL, ratios=ratios, known=known, hints=hints_of(x)[:, :hints])


def test_the_marginal_likelihood_is_that_of_a_multivariate_normal(x, y):
    z = (y - y.mean()) / y.std()
    theta = np.array([-0.5, 0.4, 0.1, -3.0, 0.2])

    found, _ = posterior_of(x, z).log_marginal_likelihood(theta)

    covariance = covariance_by_definition(x, x, np.exp(theta[:3]))
    covariance += np.diag(np.exp(-3.0) * np.linspace(0.5, 2, len(x)) + np.linspace(0, 0.01, len(x)))
    assert found == pytest.approx(multivariate_normal.logpdf(z, np.full(len(x), 0.2), covariance), abs=1e-6)


def test_with_hints_it_is_that_of_a_sum_proportional_to_them_and_of_the_rest(x, y):
    z, (one, other) = (y - y.mean()) / y.std(), hints_of(x).T
    theta = np.array([-0.5, 0.4, 0.1, np.log(0.3 / 0.2), np.log(0.5 / 0.2), -3.0, 0.2])

    found, _ = posterior_of(x, z, hints=2).log_marginal_likelihood(theta)

    covariance = 0.2 * covariance_by_definition(x, x, np.exp(theta[:3]))
    covariance += 0.3 * np.outer(one, one) + 0.5 * np.outer(other, other)
    covariance += np.diag(np.exp(-3.0) * np.linspace(0.5, 2, len(x)) + np.linspace(0, 0.01, len(x)))
    assert found == pytest.approx(multivariate_normal.logpdf(z, np.full(len(x), 0.2), covariance), abs=1e-6)


@pytest.mark.parametrize("hints", [0, 1, 2])
def test_the_gradient_of_the_posterior_agrees_with_finite_differences(x, y, hints):
    posterior = posterior_of(x, (y - y.mean()) / y.std(), hints)
    centre = [-0.5, 0.0, 0.5, *[0.0] * hints, -3.0, 0.0]

    for theta in np.random.default_rng(5).normal(centre, 0.7, (5, len(centre))):
        _, gradient = posterior(theta)

        steps = 1e-6 * np.eye(len(theta))
        differences = [(posterior(theta + s)[0] - posterior(theta - s)[0]) / 2e-6 for s in steps]
        np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-5)


def hinted(x, y, hint) -> GaussianProcess:
    data = Observations.of(x, y, CATEGORICAL, hints=(hint,))
    return condition(data, fit(data))


def test_with_a_hint_the_prediction_is_a_regression_on_it_and_a_process_of_the_rest(x, y):
    new = np.array([[0.2, 0.9, 0], [0.7, 0.1, 1], [0.4, 0.3, 2]])
    process = hinted(x, y, lambda rows: hints_of(rows)[:, 0])
    hyper, spread = process.hyperparameters, y.std()

    mean, variance = process.predict(new)

    share, rows = hyper.shares[0], np.vstack([x, new])
    h = hints_of(rows)[:, 0]
    prior = (1 - share) * covariance_by_definition(rows, rows, hyper.lengthscales) + share * np.outer(h, h)
    n = len(x)
    gain = prior[n:, :n] @ np.linalg.inv(prior[:n, :n] + hyper.noise * np.eye(n))
    expected = hyper.mean + gain @ ((y - y.mean()) / spread - hyper.mean)
    np.testing.assert_allclose(mean, y.mean() + spread * expected, rtol=1e-6)
    np.testing.assert_allclose(variance, spread**2 * np.diag(prior[n:, n:] - gain @ prior[:n, n:]), rtol=1e-5)


def test_a_hint_that_is_right_takes_the_signal_and_a_wrong_one_leaves_it(x, y):
    shuffled = dict(zip(map(tuple, x), np.random.default_rng(8).permutation(y - y.mean()) / y.std(), strict=True))

    right = hinted(x, y, lambda rows: 0.3 - (7 * np.sin(5 * rows[:, 0]) * rows[:, 1] + 3 * (rows[:, 2] == 1)) / 4)
    wrong = hinted(x, y, lambda rows: np.array([shuffled[tuple(row)] for row in rows]))

    assert right.hyperparameters.shares[0] > 0.8
    assert wrong.hyperparameters.shares[0] < 0.1


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
