"""What repeats say of the noise, and where it is larger than elsewhere."""

import numpy as np
import pytest

from labwright.inference import Observations, condition, fit
from labwright.planning.scatter import ratios

NUMBER = np.array([False])


def repeated(sds, times=6, seed=0):
    rng = np.random.default_rng(seed)
    x = np.repeat(np.linspace(0, 1, len(sds)), times)[:, None]
    return x, np.sin(3 * x[:, 0]) + np.repeat(sds, times) * rng.standard_normal(len(x))


def test_without_repeats_every_outcome_scatters_alike():
    x = np.linspace(0, 1, 20)[:, None]

    assert ratios(x, np.sin(9 * x[:, 0]), NUMBER).tolist() == [1.0] * 20


def test_repeats_that_scatter_alike_are_taken_so():
    for seed in range(5):
        assert set(ratios(*repeated([0.1] * 10, seed=seed), NUMBER)) == {1.0}


def test_where_repeats_scatter_more_the_noise_is_larger():
    sds = np.geomspace(0.01, 0.3, 12)

    found = ratios(*repeated(sds, times=8), NUMBER)

    by_point = found[::8]
    assert np.log(by_point / by_point[0])[-1] == pytest.approx(2 * np.log(30), abs=2.0)
    assert by_point[-4:].min() > 20 * by_point[:4].max()


def test_outcomes_where_it_scatters_little_count_for_more():
    x, y = repeated([0.01, 0.01, 0.01, 0.01, 0.01, 0.5, 0.5, 0.5, 0.5, 0.5], times=5)
    data = Observations.of(x, y, NUMBER, ratios=ratios(x, y, NUMBER))

    process = condition(data, fit(data))
    quiet, loud = (np.sqrt(process.predict(np.array([[place]]))[1][0]) for place in (0.2, 0.9))

    assert loud > 2 * quiet


def test_repeats_that_are_equal_to_the_last_digit_do_not_break_it():
    x, y = repeated([0.0, 0.0, 0.2, 0.2, 0.2, 0.2], times=4)

    assert np.isfinite(ratios(x, y, NUMBER)).all()
    assert np.isfinite(ratios(x, np.zeros(len(x)), NUMBER)).all()


def test_an_outcome_known_with_an_error_of_its_own_pulls_less():
    x, y = np.array([[0.2], [0.5], [0.8]]), np.array([0.0, 5.0, 0.0])
    sure = Observations.of(x, y, NUMBER)
    unsure = Observations.of(x, y, NUMBER, known=np.array([0.0, 25.0, 0.0]))
    hyper = fit(sure)

    peak = np.array([[0.5]])

    assert condition(unsure, hyper).predict(peak)[0][0] < 0.7 * condition(sure, hyper).predict(peak)[0][0]
