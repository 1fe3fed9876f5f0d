"""Expected improvement and probabilities, against numerical integration and against exact tails."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from labwright.planning.acquisition import log_closeness, log_h, log_improvement, log_probability

CASES = [(0.0, 1.0), (3.0, 0.5), (-2.0, 4.0), (1.0, 0.3), (6.0, 1.5)]


def expected(gain, mean, sd, points):
    low, high = mean - 12 * sd, mean + 12 * sd
    inside = [p for p in points if low < p < high]
    return quad(lambda f: gain(f) * norm.pdf(f, mean, sd), low, high, points=inside, limit=400, epsabs=0)[0]


@pytest.mark.parametrize(("mean", "sd"), CASES)
def test_the_improvement_agrees_with_numerical_integration(mean, sd):
    best = 0.8

    found = log_improvement(np.array([mean]), np.array([sd]), best)[0]

    assert found == pytest.approx(np.log(expected(lambda f: max(best - f, 0), mean, sd, [best])), rel=1e-6)


@pytest.mark.parametrize(("mean", "sd"), CASES)
@pytest.mark.parametrize("best", [2.0, 0.3, 0.001])
def test_the_gain_of_matching_a_target_agrees_with_numerical_integration(mean, sd, best):
    target = 0.4

    found = log_closeness(np.array([mean]), np.array([sd]), target, best)[0]

    gain = expected(lambda f: max(best - abs(f - target), 0), mean, sd, [target - best, target, target + best])
    assert found == pytest.approx(np.log(gain), rel=1e-5)


def test_a_target_that_is_almost_met_leaves_a_gain_that_falls_with_the_distance():
    means = np.linspace(0, 8, 200)

    values = log_closeness(means, np.full(200, 0.1), 0.0, 1e-9)

    assert np.isfinite(values).all()
    assert (np.diff(values) < 0).all()


def test_far_tails_keep_their_digits():
    # log(φ(z) + z Φ(z)) in 60 digits.
    exact = {-1.0: -2.4851210257126413, -5.0: -16.74430116266099, -20.0: -206.9178385094251}
    exact |= {-100.0: -5010.12957880025, -1000.0: -500014.73445209116}

    for z, value in exact.items():
        assert log_h(np.array(z)) == pytest.approx(value, rel=1e-12)


def test_the_improvement_is_smooth_and_rising_over_all_its_forms():
    z = -np.geomspace(1e9, 1e-3, 20_000)

    values = log_h(z)

    assert np.isfinite(values).all()
    assert (np.diff(values) > 0).all()
    for seam in (-1.0, -1e4):
        left, right = log_h(np.array([seam * (1 + 1e-7), seam * (1 - 1e-7)]))
        slope = np.exp(norm.logcdf(seam) - log_h(np.array(seam)))
        assert right - left == pytest.approx(2e-7 * abs(seam) * slope, rel=1e-3)


@pytest.mark.parametrize(("low", "high"), [(-np.inf, 0.3), (0.3, np.inf), (-0.5, 0.7), (2.0, 2.5), (-9.0, -8.0)])
def test_the_chance_that_a_constraint_holds_is_the_area_between_its_bounds(low, high):
    mean, sd = np.array([0.0, 1.0, -1.0]), np.array([1.0, 0.5, 0.2])

    found = log_probability(mean, sd, low, high)

    # Each area is taken as a difference in the tail where it lies.
    right = mean < (low + high) / 2
    tails = norm.sf(low, mean, sd) - norm.sf(high, mean, sd), norm.cdf(high, mean, sd) - norm.cdf(low, mean, sd)
    area = np.where(right, *tails)
    clear = area > 1e-290
    np.testing.assert_allclose(found[clear], np.log(area[clear]), rtol=1e-6, atol=1e-12)
    assert np.isfinite(found).all()


def test_a_chance_far_out_of_reach_is_still_ordered():
    means = np.linspace(10, 1e5, 50)

    values = log_probability(means, np.ones(50), -np.inf, 0.0)

    assert np.isfinite(values).all()
    assert (np.diff(values) < 0).all()


def test_an_outcome_that_must_be_exact_still_draws_towards_it():
    values = log_probability(np.array([0.0, 1.0, 5.0]), np.ones(3), 0.0, 0.0)

    assert np.isfinite(values).all()
    assert (np.diff(values) < 0).all()
