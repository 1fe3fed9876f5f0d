"""The watch beside an instrument, in its process, and the line to it."""

import threading
from contextlib import contextmanager

import pytest

from labwright.core.campaign import PlugIn
from labwright.sites.line import Line

PRESS = """
def press(x):
    return {"y": x}
"""


@contextmanager
def watched(folder):
    """A line to a watch, and what it has told: whenever `told` is set, the last reason stands in `reasons`."""
    (folder / "press.py").write_text(PRESS)
    reasons, told = [], threading.Event()

    def lost(why):
        reasons.append(why)
        told.set()

    line = Line(
        "press", PlugIn(kind="function", options={"call": "press.py:press", "outputs": {"y": "1"}}), folder, lost=lost
    )
    line.open()
    try:
        yield line, reasons, told
    finally:
        line.close()


def test_a_watch_that_hears_nothing_for_too_long_says_so_and_goes_on(tmp_path):
    with watched(tmp_path) as (line, reasons, told):
        line.arm({}, 0.2)

        assert told.wait(20)
        assert reasons == ["the watch beside the instrument has heard nothing for 0.2 s"]
        line.safe({})


def test_a_watch_that_rests_misses_nothing(tmp_path):
    with watched(tmp_path) as (line, _, told):
        line.arm({}, 0.2)
        line.rest()

        assert not told.wait(0.6)


@pytest.mark.parametrize("armed", [True, False])
def test_a_watch_that_ends_by_itself_is_told_of(tmp_path, armed):
    with watched(tmp_path) as (line, reasons, told):
        if armed:
            line.arm({}, 60.0)
        line._process.kill()

        assert told.wait(20)
        assert reasons == ["the watch beside the instrument has ended"]
