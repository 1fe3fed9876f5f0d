"""When hyperparameters are fitted again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.inference import Observations
from labwright.planning import learning
from labwright.planning.learning import Fits, fixed_size


def rows(count):
    x = np.random.default_rng(0).random((count, 2))
    return Observations.of(x, np.sin(5 * x[:, 0]) + x[:, 1], np.array([False, False]))


@given(st.integers(1, 5000))
def test_a_fixed_size_is_the_last_one_reached(count):
    size = fixed_size(count)

    assert size <= count
    assert size == fixed_size(size)
    assert count <= 60 or count < 1.1 * size + 1


def test_a_few_rows_have_a_fit_each():
    assert [fixed_size(n) for n in range(1, 61)] == list(range(1, 61))


def test_between_two_sizes_the_hyperparameters_stay(monkeypatch):
    sizes, fit, fits = [], learning.fit, Fits()
    monkeypatch.setattr(learning, "fit", lambda data, **o: sizes.append(len(data)) or fit(data, **o))

    for count in (59, 60, 61, 65, 66, 70):
        fits.process(rows(count))

    assert sizes == [59, 60, 66]


def test_who_starts_afresh_on_the_same_rows_believes_the_same():
    grown = Fits()
    for count in range(55, 75):
        process = grown.process(rows(count))

    afresh = Fits().process(rows(74))

    assert process.predict(rows(80).x)[0].tobytes() == afresh.predict(rows(80).x)[0].tobytes()


def test_a_fit_looks_at_no_more_than_400_rows_and_belief_rests_on_all(monkeypatch):
    sizes, fit = [], learning.fit
    monkeypatch.setattr(learning, "fit", lambda data, **o: sizes.append(len(data)) or fit(data.some(np.arange(20))))

    process = Fits().process(rows(900))

    assert sizes == [400]
    assert len(process.x) == 900
    assert process.predict(process.x)[0] == pytest.approx(process.data.y, abs=0.3)
