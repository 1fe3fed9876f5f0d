"""How a moment is written for people."""

import pytest

from labwright.core.moment import moment


@pytest.mark.parametrize(
    "at",
    [
        "2026-11-22T22:43:55.576+00:00",
        "2026-11-22T23:43:55+01:00",
        "2026-11-22T22:43:55",
        1795387435.576,
        1795387380,
    ],
)
def test_a_moment_is_told_in_utc_to_the_minute_however_it_is_kept(at):
    assert moment(at) == "2026-11-22 22:43 UTC"


def test_what_is_no_moment_stays_as_it_is():
    assert moment("yesterday") == "yesterday"
    assert moment(1e300) == "1e+300"
