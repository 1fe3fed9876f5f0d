"""Who is at work, and what may be taken over from whom."""

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import pytest

from labwright.app import Laboratory
from labwright.storage.database import Database
from labwright.storage.presence import Machine, Presence, at_work

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


def kill_while_it_holds(url):
    dies = LOOKS_ON + f"presence.arrive('dies')\npresence.hold({ALONE!r}, fenced=False)\n"
    dies += "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
    killed = subprocess.run([sys.executable, "-c", dies, url], capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr


def remove_lock_files(laboratories):
    for presence in laboratories:
        for file in presence._database.locks.glob("*.lock"):
            file.unlink()


@pytest.mark.parametrize("tidied", [False, True])
def test_what_a_process_left_that_was_killed_may_be_held(laboratories, database_url, tidied):
    kill_while_it_holds(database_url)
    if tidied:  # as a cleaner of temporary files does, or where another user's folder is not seen
        remove_lock_files(laboratories)
    _, other = laboratories

    with at_work(other, "other"):
        assert other.hold(ALONE, fenced=False) is None


def test_a_living_process_whose_lock_file_is_gone_is_not_taken_for_dead(laboratories, database_url):
    one, _ = laboratories
    with at_work(one, "one"):
        remove_lock_files(laboratories)

        assert seen_by_another_process(database_url) == [str(os.getpid())]


def test_a_child_that_outlives_its_parent_does_not_stand_for_it(laboratories, database_url):
    parent = LOOKS_ON + f"presence.arrive('parent')\npresence.hold({ALONE!r}, fenced=False)\n"
    parent += "import os, time\nif os.fork():\n    os._exit(0)\ntime.sleep(5)\n"
    command = [sys.executable, "-c", parent, database_url]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as begun:
        begun.wait()
        _, other = laboratories

        with at_work(other, "other"):
            assert other.hold(ALONE, fenced=False) is None


HERE = Machine(host="pc", boot="monday/1", id="a")
RESTARTED = replace(HERE, boot="tuesday/1")


@pytest.mark.parametrize(
    ("machine", "silent", "may"),
    [
        (RESTARTED, True, True),
        (RESTARTED, False, False),  # it is heard of: another machine has the name
        (replace(RESTARTED, id="b"), True, False),  # it is another machine, and may only be asleep
        (replace(RESTARTED, id=""), True, False),
        (replace(RESTARTED, host="laptop"), True, False),
        (replace(RESTARTED, boot=""), True, False),
    ],
)
def test_a_machine_that_has_started_since_is_told_from_another_of_its_name(tmp_path, machine, silent, may):
    clock = [1000.0]
    with closing(Database.open(f"sqlite:///{tmp_path / 'labwright.db'}", clock=lambda: clock[0])) as database:
        one = Presence(database, "one", lease_s=15.0, machine=HERE)
        other = Presence(database, "other", lease_s=15.0, machine=machine)
        with at_work(one, "one"), at_work(other, "other"):
            one.hold(ALONE, fenced=False)
            clock[0] += 16.0 if silent else 1.0

            assert (other.hold(ALONE, fenced=False) is None) is may
