"""`kill -9` of conductors, workers and instruments, and processes that stop and wake, on real databases."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import pytest

from labwright.app import Laboratory
from labwright.storage.database import Database
from labwright.storage.database.ledger import entries
from labwright.testing.kills import Bench, audit, besiege
from labwright.testing.kills.bench import is_acting
from labwright.testing.kills.siege import Person

SEED = int(os.environ.get("LABWRIGHT_SEED", "0")) or int(time.time())
soak = pytest.mark.soak
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
QUICK = {"LABWRIGHT_LEASE_S": "1", "LABWRIGHT_POLL_S": "0.05"}
ENTRY = "from labwright.cli.main import main\n"

REQUEUES = """
from labwright.core.command import NeverStarted
from labwright.sites.worker import Worker
async def guess(self, run):
    return NeverStarted()
Worker._answer = guess
"""
GIVES_UP = """
from labwright.core.command import Done, Failure
from labwright.sites.worker import Worker
async def guess(self, run):
    return Done(outcome=Failure(reason="its worker died"))
Worker._answer = guess
"""
NO_INTENT = """
from dataclasses import replace
from labwright.storage.runs import Runs
Runs.claim = lambda self, wanted, capacities: [replace(run, epoch=run.epoch + 1) for run in wanted]
"""
STOPS_ITSELF = """
import os, signal
from pathlib import Path
from labwright.testing.counting import CountingInstrument
class Instrument(CountingInstrument):
    async def run(self, command, recorder):
        if Path("stop-once").exists():
            Path("stop-once").unlink()
            os.kill(os.getpid(), signal.SIGSTOP)
        return await super().run(command, recorder)
"""
IGNORES_EPOCHS = (
    STOPS_ITSELF
    + """
    async def _order(self, what, command):
        from dataclasses import replace
        return await super()._order(what, replace(command, epoch=999))
"""
)


@contextmanager
def looking(url):
    """The laboratory of a database, as the test sees it."""
    with closing(Database.open(url)) as database:
        yield Laboratory.of(database)


@pytest.fixture
def bench(tmp_path, database_url):
    with Bench(tmp_path, database_url, settings=QUICK) as bench:
        Database.open(database_url).close()
        yield bench


def toll_of(bench):
    bench.__exit__()
    with looking(bench.url) as laboratory:
        return audit(bench, laboratory)


def ledger(bench, kind):
    with looking(bench.url) as laboratory, laboratory.database.read() as connection:
        return [json.loads(entry.body) for entry in entries(connection) if entry.kind == kind]


def finished(bench):
    return lambda: not bench.conductors


def planted(tmp_path, fault):
    (tmp_path / "entry.py").write_text(fault + ENTRY + "main()\n")
    return tmp_path / "entry.py"


def check_siege(folder, url, kills, trials):
    print(f"seed {SEED}: LABWRIGHT_SEED={SEED} repeats it")

    toll = besiege(folder, url, kills=kills, seed=SEED, trials=trials)

    print(f"kills {sum(toll.kills.values())} {toll.kills}, {toll.kills_in_act} in an act; {toll.acts} acts")
    print(f"kills_repeated {toll.repeated}, kills_lost {len(toll.lost)}, unknown {toll.unknown}")
    assert toll.faults == {}, f"seed {SEED}"
    assert sum(toll.kills.values()) == kills
    assert all(toll.kills.values()) or kills < 20


@on_sqlite
def test_kills_of_everyone_repeat_nothing_and_lose_nothing(tmp_path, database_url):
    check_siege(tmp_path, database_url, kills=4, trials=3)


@soak
@pytest.mark.timeout(1800)
def test_a_hundred_kills_on_sqlite(tmp_path):
    check_siege(tmp_path, f"sqlite:///{tmp_path / 'labwright.db'}", kills=100, trials=12)


@soak
@pytest.mark.timeout(1800)
def test_a_hundred_kills_on_postgres(tmp_path, durable_postgres):
    check_siege(tmp_path, durable_postgres.url, kills=100, trials=12)


def killed_in_an_act(tmp_path, url, *, fault="", blind=True):
    """Kill the only worker in the middle of an act, let a person decide what is unknown, and return the toll."""
    entry = planted(tmp_path, fault) if fault else None
    with Bench(tmp_path, url, entry=entry, settings=QUICK) as bench, looking(url) as laboratory, bench.known_kind():
        device = bench.instrument("probe", blind=blind, takes_s=0.5)
        person = Person(bench, laboratory)
        bench.conduct(bench.campaign("c", "probe", trials=3, parallel=1))
        bench.worker("worker")
        bench.until(lambda: is_acting(device))
        bench.kill("worker")
        bench.until(lambda: not bench.conductors or person.decide())
        return toll_of(bench)


@soak
def test_what_a_killed_worker_had_begun_on_a_device_that_cannot_tell_is_unknown_until_decided(tmp_path, database_url):
    toll = killed_in_an_act(tmp_path, database_url)

    assert (toll.faults, toll.unknown, toll.acts) == ({}, 1, 3)


def test_a_worker_that_guesses_that_nothing_began_is_found_to_repeat(tmp_path):
    toll = killed_in_an_act(tmp_path, f"sqlite:///{tmp_path / 'labwright.db'}", fault=REQUEUES)

    assert toll.repeated == 1
    assert toll.guessed


@soak
def test_a_worker_that_guesses_that_it_failed_is_found_to_lose(tmp_path):
    toll = killed_in_an_act(tmp_path, f"sqlite:///{tmp_path / 'labwright.db'}", fault=GIVES_UP, blind=False)

    assert len(toll.lost) == 1


@soak
def test_a_worker_that_records_no_intent_is_found(tmp_path):
    url = f"sqlite:///{tmp_path / 'labwright.db'}"
    with Bench(tmp_path, url, entry=planted(tmp_path, NO_INTENT), settings=QUICK) as bench:
        device = bench.instrument("probe")
        bench.conduct(bench.campaign("c", "probe", trials=1))
        bench.worker("worker")
        bench.until(lambda: bool(device.journal("ended")))
        toll = toll_of(bench)

    assert toll.without_intent
    assert toll.lost


@soak
def test_a_worker_stopped_in_an_act_past_its_lease_is_followed_and_its_late_result_is_kept(bench):
    device = bench.instrument("oven", fenced=True, takes_s=0.5)
    bench.conduct(bench.campaign("c", "oven", trials=2, parallel=1))
    bench.worker("stopped")
    bench.until(lambda: is_acting(device))
    bench.signal("stopped", signal.SIGSTOP)
    bench.worker("other")
    bench.until(finished(bench))

    bench.signal("stopped", signal.SIGCONT)
    bench.until(lambda: bool(ledger(bench, "run.late")), what="the late result on record")

    late = ledger(bench, "run.late")[0]["late"]["values"]["serial"]["value"]
    assert late == device.journal("ended")[0]["values"]["serial"]
    assert toll_of(bench).faults == {}


def stopped_before_the_order(folder, url, adapter):
    """Stop a worker between its intent and its order; wake it when another has done the work."""
    (folder / "adapter.py").write_text(adapter)
    with Bench(folder, url, kind="adapter:Instrument", settings=QUICK) as bench:
        device = bench.instrument("oven", fenced=True)
        (folder / "stop-once").touch()
        bench.conduct(bench.campaign("c", "oven", trials=3, parallel=1))
        bench.worker("stopped")
        bench.until(lambda: not (folder / "stop-once").exists())
        bench.worker("other")
        bench.until(finished(bench))
        bench.signal("stopped", signal.SIGCONT)
        bench.until(lambda: bool(device.journal("refused")) or len(device.journal("ended")) > 3)
        return toll_of(bench), device.journal("refused")


@on_postgres
def test_a_worker_stopped_past_its_lease_and_woken_is_refused_at_the_device(tmp_path, database_url):
    toll, refused = stopped_before_the_order(tmp_path, database_url, STOPS_ITSELF)

    assert toll.faults == {}
    assert [(entry["epoch"] < entry["newest"]) for entry in refused] == [True]


@soak
def test_an_adapter_that_ignores_epochs_is_found_to_repeat(tmp_path):
    toll, refused = stopped_before_the_order(tmp_path, f"sqlite:///{tmp_path / 'labwright.db'}", IGNORES_EPOCHS)

    assert toll.repeated == 1
    assert refused == []


@soak
def test_nobody_follows_a_stopped_worker_on_a_device_without_epochs(bench):
    device = bench.instrument("probe", takes_s=0.3)
    bench.conduct(bench.campaign("c", "probe", trials=2, parallel=1))
    bench.worker("stopped")
    bench.until(lambda: is_acting(device))
    bench.signal("stopped", signal.SIGSTOP)
    bench.worker("other")
    began = time.monotonic()
    bench.until(lambda: time.monotonic() > began + 4, what="time")

    assert len(device.journal("started")) == 1
    assert ledger(bench, "run.adopted") == []

    bench.signal("stopped", signal.SIGCONT)
    bench.until(finished(bench))
    assert toll_of(bench).faults == {}


@soak
def test_an_instrument_that_loses_power_in_an_act_is_asked_again_by_the_same_worker(bench):
    device = bench.instrument("oven", fenced=True, takes_s=0.5)
    bench.conduct(bench.campaign("c", "oven", trials=3, parallel=1))
    worker = bench.worker("worker")
    bench.until(lambda: is_acting(device))

    device.kill()
    bench.until(lambda: "cannot be reached" in bench.said("worker"))
    device.start()
    bench.until(finished(bench))

    assert [e["event"] for e in device.journal("cut", "ended")].count("cut") == 1
    assert worker.codes == []
    assert toll_of(bench).faults == {}


@soak
def test_of_two_conductors_one_works_and_the_other_follows_at_once_when_it_is_killed(tmp_path, database_url):
    Database.open(database_url).close()
    with Bench(tmp_path, database_url, settings={"LABWRIGHT_LEASE_S": "600"}) as bench:
        device = bench.instrument("oven", fenced=True, takes_s=0.3)
        file = bench.campaign("c", "oven", trials=12)
        bench.conduct(file, name="first", serve=True)
        bench.until(lambda: is_acting(device))
        bench.conduct(file, name="second", serve=True)
        bench.until(lambda: "waiting until that ends" in bench.said("second"))
        done = len(device.journal("ended"))

        bench.end("first")
        bench.until(finished(bench), timeout_s=60)

        assert done < 12
        assert bench.members["second"].codes == [0]
        assert toll_of(bench).faults == {}


@soak
def test_several_workers_share_the_instruments(bench):
    for name in ("oven", "furnace"):
        bench.instrument(name, fenced=True, takes_s=0.1)
    for name in ("first", "second"):
        bench.worker(name)
    bench.until(lambda: len(workers(bench)) == 2)
    bench.conduct(bench.campaign("c", "oven", "furnace", trials=20, parallel=6))
    bench.until(finished(bench))

    taken = [entry["worker"] for entry in ledger(bench, "run.intended")]
    assert len(taken) == 40
    assert len(set(taken)) == 2
    assert toll_of(bench).faults == {}


def workers(bench):
    with looking(bench.url) as laboratory:
        return laboratory.presence.all()


@soak
def test_two_campaigns_from_two_processes_share_an_exclusive_instrument(bench):
    bench.instrument("blind", blind=True, takes_s=0.2)
    bench.conduct(bench.campaign("long", "blind", trials=8), serve=True)
    bench.conduct(bench.campaign("short", "blind", trials=3), serve=True)

    bench.until(finished(bench))

    assert all(bench.members[name].codes == [0] for name in ("long", "short"))
    toll = toll_of(bench)
    assert (toll.faults, toll.unknown, toll.acts) == ({}, 0, 11)


def seen(url):
    with looking(url) as laboratory, laboratory.database.read() as connection:
        return {(entry.stream, entry.seq): entry.hash for entry in entries(connection)}


def check_outages(folder, server, outages, trials):
    with Bench(folder, server.url, settings=QUICK) as bench:
        Database.open(server.url).close()
        devices = [bench.instrument(name, blind=name == "blind", takes_s=0.2) for name in ("probe", "blind")]
        for name in ("first", "second"):
            bench.worker(name)
        for device in devices:
            bench.conduct(bench.campaign(f"on-{device.folder.name}", device.folder.name, trials=trials))
        kept = {}
        for _ in range(outages):
            acts = len(devices[1].journal("started"))
            bench.until(lambda acts=acts: len(devices[1].journal("started")) > acts + 1 or not bench.conductors)
            kept |= seen(server.url)
            server.stop("immediate")
            time.sleep(1.0)
            bench.look()
            server.start()
        assert len(bench.conductors) == 2, "the campaigns ended before the outages"
        bench.until(finished(bench), timeout_s=120)
        now = seen(server.url)
        assert {place: now.get(place) for place in kept} == kept
        assert [m.codes for m in bench.members.values()] == [[], [], [0], [0]]
        toll = toll_of(bench)
        assert toll.faults == {}
        assert toll.unknown == 0


@soak
def test_a_server_that_stops_at_once_under_load_costs_nothing(tmp_path, durable_postgres):
    check_outages(tmp_path, durable_postgres, outages=1, trials=8)


@soak
def test_five_outages_of_the_server_cost_nothing(tmp_path, durable_postgres):
    check_outages(tmp_path, durable_postgres, outages=5, trials=30)


@pytest.fixture
def durable_postgres(postgres_server):
    """A server of its own that keeps what it was told when it is stopped at once."""
    with type(postgres_server)(fsync=True) as server:
        yield server


def test_children_nobody_waited_for_are_seen_but_not_those_that_were_there_before(tmp_path):
    before = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with Bench(tmp_path, f"sqlite:///{tmp_path / 'labwright.db'}") as bench:
        child = subprocess.Popen([sys.executable, "-c", ""])
        before.stdin.close()
        for process in (before, child):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        left = bench.left_over()

    assert left == [f"{child.pid} Z"]
    assert (before.wait(), child.wait()) == (1, 0)
