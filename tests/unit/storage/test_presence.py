"""Who is at work, and what may be taken over from whom."""

import os
import subprocess
import sys
from contextlib import closing

import pytest

from labwright.app import Laboratory
from labwright.storage.database import Database
from labwright.storage.presence import at_work

ALONE = "resource oven"
LOOKS_ON = """
import sys
from labwright.app import Laboratory
from labwright.storage.database import Database
presence = Laboratory.of(Database.open(sys.argv[1])).presence
presence.bury()
print(*(record.pid for record in presence.all()))
"""


@pytest.fixture
def laboratories(database_url):
    """Two in one process, as a notebook may have them."""
    with closing(Database.open(database_url)) as one, closing(Database.open(database_url)) as other:
        yield Laboratory.of(one).presence, Laboratory.of(other).presence


def seen_by_another_process(url):
    command = [sys.executable, "-c", LOOKS_ON, url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_two_laboratories_in_one_process_know_of_each_other_that_they_live(laboratories, database_url):
    one, other = laboratories
    with at_work(one, "one"), at_work(other, "other"):
        assert one.hold(ALONE, fenced=False) is None

        other.bury()

        assert other.hold(ALONE, fenced=False).id == one.worker
        assert {record.purpose for record in other.all()} == {"one", "other"}
        assert seen_by_another_process(database_url) == [str(os.getpid())] * 2


def test_what_one_of_them_gives_back_the_other_may_hold(laboratories):
    one, other = laboratories
    with at_work(other, "other"):
        with at_work(one, "one"):
            one.hold(ALONE, fenced=False)

        assert other.hold(ALONE, fenced=False) is None


def test_what_a_process_left_that_was_killed_may_be_held(laboratories, database_url):
    dies = LOOKS_ON + f"presence.arrive('dies')\npresence.hold({ALONE!r}, fenced=False)\n"
    dies += "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
    killed = subprocess.run([sys.executable, "-c", dies, database_url], capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    _, other = laboratories

    with at_work(other, "other"):
        assert other.hold(ALONE, fenced=False) is None


def test_a_child_that_outlives_its_parent_does_not_stand_for_it(laboratories, database_url):
    parent = LOOKS_ON + f"presence.arrive('parent')\npresence.hold({ALONE!r}, fenced=False)\n"
    parent += "import os, time\nif os.fork():\n    os._exit(0)\ntime.sleep(5)\n"
    command = [sys.executable, "-c", parent, database_url]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as begun:
        begun.wait()
        _, other = laboratories

        with at_work(other, "other"):
            assert other.hold(ALONE, fenced=False) is None
