"""A SQLite file under faults: a full disk, a long lock, a flipped byte, a lost tail."""

import json
import shutil
import sqlite3
import time
from contextlib import closing

import pytest

from labwright.app import Laboratory
from labwright.storage.database import Database
from labwright.testing.kills import Bench, audit
from labwright.testing.kills.bench import is_acting

FULL_AT_BYTES = 650_000
LIMITED = f"""
import resource
from pathlib import Path
from labwright.cli.main import main
if Path("full").exists():
    resource.setrlimit(resource.RLIMIT_FSIZE, ({FULL_AT_BYTES}, {FULL_AT_BYTES}))
main()
"""


def toll_of(bench):
    bench.__exit__()
    with closing(Database.open(bench.url)) as database:
        return audit(bench, Laboratory.of(database))


def started(device):
    return len(device.journal("started"))


@pytest.fixture
def bench(tmp_path):
    (tmp_path / "entry.py").write_text(LIMITED)
    settings = {"LABWRIGHT_OUTAGE_S": "1", "LABWRIGHT_BUSY_TIMEOUT_S": "1"}
    url = f"sqlite:///{tmp_path / 'labwright.db'}"
    with Bench(tmp_path, url, entry=tmp_path / "entry.py", settings=settings) as bench:
        yield bench


def test_a_full_disk_ends_with_its_exit_code_and_nothing_is_lost_once_there_is_room(bench):
    device = bench.instrument("probe", takes_s=0.02)
    (bench.folder / "full").touch()
    file = bench.campaign("c", "probe", trials=60)

    full = bench.labwright("run", str(file))

    assert full.returncode == 7, full.stderr
    assert "Nothing new is begun" in full.stderr
    assert "Error: The database" in full.stderr
    assert "Traceback" not in full.stderr
    assert 0 < started(device) < 60

    (bench.folder / "full").unlink()
    roomy = bench.labwright("run", str(file))
    toll = toll_of(bench)

    assert roomy.returncode == 0, roomy.stderr
    assert (toll.faults, toll.acts) == ({}, 60)


def check_lock(bench, for_s):
    device = bench.instrument("probe", takes_s=0.1)
    bench.environment["LABWRIGHT_OUTAGE_S"] = "600"
    bench.conduct(bench.campaign("c", "probe", trials=10), serve=True)
    bench.until(lambda: started(device) > 2)
    with closing(sqlite3.connect(bench.folder / "labwright.db", isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout=20000")
        other.execute("BEGIN IMMEDIATE")
        acts = started(device)
        time.sleep(for_s)
        began = started(device) - acts
        other.execute("ROLLBACK")

    bench.until(lambda: not bench.conductors)

    assert began <= 1  # the intent of one may have been on record just before
    assert bench.members["c"].codes == [0]
    assert "can be used again" in bench.said("c") or for_s < 1
    assert toll_of(bench).faults == {}


def test_a_lock_by_another_is_outlasted(bench):
    check_lock(bench, for_s=3)


@pytest.mark.soak
def test_a_lock_for_half_a_minute_is_outlasted(bench):
    check_lock(bench, for_s=31)


@pytest.fixture
def ended(bench):
    """A bench with a campaign that has finished, and a copy of its database."""
    bench.instrument("probe", takes_s=0.0)
    assert bench.labwright("run", str(bench.campaign("c", "probe", trials=5))).returncode == 0
    shutil.copy(bench.folder / "labwright.db", bench.folder / "copy.db")
    return bench


def test_a_flipped_byte_in_an_entry_is_found_and_the_entry_is_named(ended):
    path = ended.folder / "labwright.db"
    with closing(sqlite3.connect(ended.folder / "copy.db")) as copy:
        seq, body = copy.execute("SELECT seq, body FROM ledger WHERE kind = 'run.done' LIMIT 1").fetchone()
    data = bytearray(path.read_bytes())
    at = data.find(body.encode()) + body.index('"serial"') + 1
    data[at] ^= 1
    path.write_bytes(data)

    found = ended.labwright("verify")

    assert found.returncode == 6
    assert f"campaign/c, entry {seq} (run.done" in " ".join((found.stdout + found.stderr).split())
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("lost", [1, 4096, 3 * 4096])
def test_a_lost_tail_stops_everything_with_words_and_a_copy_goes_on(ended, lost):
    path, device = ended.folder / "labwright.db", ended.devices["probe"]
    path.write_bytes(path.read_bytes()[:-lost])
    other = ended.campaign("d", "probe", trials=3)
    before = started(device)

    run, verified = ended.labwright("run", str(other)), ended.labwright("verify")

    assert run.returncode == 7, run.stderr
    assert verified.returncode in (6, 7), verified.stdout
    assert "damaged" in run.stderr + verified.stderr
    assert "Traceback" not in run.stderr + verified.stderr
    assert started(device) == before

    for old in ended.folder.glob("labwright.db*"):
        if old.is_file():
            old.unlink()
    shutil.copy(ended.folder / "copy.db", path)
    assert ended.labwright("run", str(other)).returncode == 0
    assert ended.labwright("verify").returncode == 0


def test_an_entry_that_was_cut_off_the_end_is_found_by_the_tables(ended):
    with closing(sqlite3.connect(ended.folder / "labwright.db")) as database:
        last = database.execute("SELECT max(seq) FROM ledger WHERE stream = 'campaign/c'").fetchone()[0]
        database.execute("DELETE FROM ledger WHERE stream = 'campaign/c' AND seq = ?", (last,))
        database.commit()

    found = ended.labwright("verify", "--json")

    assert found.returncode == 6
    assert "campaign state" in str(json.loads(found.stdout)["problems"])


@pytest.mark.soak
def test_a_kill_while_the_disk_is_full_leaves_no_act_without_its_intent(bench):
    device = bench.instrument("probe", takes_s=0.3)
    bench.environment["LABWRIGHT_OUTAGE_S"] = "600"
    (bench.folder / "full").touch()
    file = bench.campaign("c", "probe", trials=60)
    bench.conduct(file, serve=True)
    bench.until(lambda: "kept in hand" in bench.said("c") or "Nothing new is begun" in bench.said("c"), timeout_s=120)
    bench.until(lambda: not is_acting(device))
    acts = started(device)
    (bench.folder / "full").unlink()

    bench.kill("c")
    bench.until(lambda: started(device) > acts)
    bench.until(lambda: not bench.conductors, timeout_s=120)

    assert toll_of(bench).faults == {}
