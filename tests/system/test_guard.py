"""A monitor before a real instrument: nothing passes that is not armed and allowed, and whatever ends, ends safely."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from labwright.access import Credential
from labwright.app import App
from labwright.app.guarding import sign_limits
from labwright.safety.limits_file import digest_of
from labwright.settings import Settings
from labwright.storage.database import Database
from labwright.storage.database.ledger import entries

HEATER = Path(__file__).parent / "guarded" / "heater.py"
KEY = bytes(range(32))
LABWRIGHT = [sys.executable, "-m", "labwright"]
LIMITS = """\
version: 1
instrument: heater
simulated: true
heartbeat_s: 1
safe_state: {heater: 20}
channels:
  capability: {levels: [heat]}
  heater: {unit: degC, units: [K], low: 0, high: 90, fresh_s: 2}
  hold: {unit: s, low: 0, high: 60}
modes:
  warm:
    channels: {capability: , heater: {high: 80}, hold: }
"""
CAMPAIGN = """\
name: baking
question: Which temperature gives the most?
space:
  temperature: {kind: continuous, low: 30, high: 80, unit: degC}
objectives:
  yield: {goal: maximize, unit: "%"}
procedure:
  - use: oven.heat
    with: {temperature: $temperature, seconds: SECONDS s}
    gives: {yield: $yield}
resources:
  oven:
    kind: opcua
    url: URL
    stop: Heater/Stop
    telemetry:
      channels: {heater: Heater/Temperature}
    setpoints: {heater: Heater/Setpoint}
    capabilities:
      heat:
        start: Heater/Heat
        command_id: Heater/Id
        state: Heater/State
        inputs:
          temperature: {node: Heater/Setpoint, low: 0, high: 200}
          seconds: {unit: s, low: 0, high: 100}
        outputs:
          yield: {node: Heater/Yield, unit: "%"}
    guard:
      limits: oven.limits.yaml
      mode: warm
      instrument: heater
      simulated: true
      channels: {temperature: heater, seconds: hold}
budget: {trials: 3}
planner: {kind: sampling}
"""


class Bench:
    """A folder with a campaign, its heater in a process of its own, and two people."""

    def __init__(self, folder):
        self.folder, self.begun = folder, []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"opc.tcp://127.0.0.1:{probe.getsockname()[1]}/"
        self.journal = folder / "journal.jsonl"
        self.journal.touch()
        self.heater = subprocess.Popen(
            [sys.executable, HEATER, self.url, self.journal], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.heater.stdout.readline() == "ready\n"
        self.file = folder / "baking.yaml"
        self.write(CAMPAIGN)
        app = App(Settings())
        app.add_person(folder, "Ada", "correct horse of Ada 42", by=None)
        ada = Credential(name="Ada", secret="correct horse of Ada 42")
        app.add_person(folder, "Bob", "correct horse of Bob 42", by=ada)
        for name in ("Ada", "Bob"):
            (folder / name.lower()).write_text(f"correct horse of {name} 42\n")
        (folder / "ada.key").write_text(f"{KEY.hex()}\n")
        app.guarding.add_key(folder, ada, KEY)
        self.limits(LIMITS)

    ada = ("--as", "Ada", "--secret-file", "ada")

    def write(self, text, seconds=0.1):
        self.file.write_text(text.replace("URL", self.url).replace("SECONDS", str(seconds)))

    def limits(self, text, *, key=KEY):
        path = self.folder / "oven.limits.yaml"
        path.write_text(text)
        if key:
            sign_limits(path, key)

    def labwright(self, *words, check=True):
        done = subprocess.run(
            [*LABWRIGHT, *words], cwd=self.folder, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def begin(self, *words):
        begun = subprocess.Popen(
            [*LABWRIGHT, *words], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.begun.append(begun)
        return begun

    def digest(self):
        return digest_of((self.folder / "oven.limits.yaml").read_bytes())

    def arm(self, check=True):
        return self.labwright("guard", "arm", "baking.yaml", "oven", "--digest", self.digest(), *self.ada, check=check)

    def acts(self, what=None):
        found = [json.loads(line) for line in self.journal.read_text().splitlines()]
        return [act for act in found if what in (None, act["what"])]

    def until(self, holds, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := holds():
                return found
            time.sleep(0.02)
        raise AssertionError(f"not within {seconds} s; {self.acts()}")

    def state(self):
        [record] = App(Settings()).guarding.all(self.folder)
        return record.state

    def ledger(self, kind):
        database = Database.open(f"sqlite:///{self.folder / 'labwright.db'}")
        try:
            with database.read() as connection:
                return [json.loads(e.body) for e in entries(connection) if e.kind == kind]
        finally:
            database.close()

    def close(self):
        for run in self.begun:
            run.kill()
            run.communicate(timeout=60)  # until its watch has ended as well
        self.heater.stdin.close()
        self.heater.wait(10)
        self.heater.stdout.close()


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    try:
        yield bench
    finally:
        bench.close()


def test_nothing_begins_until_the_instrument_is_armed_and_then_the_campaign_runs_to_its_end(bench):
    run = bench.begin("run", "baking.yaml")
    lines = iter(run.stdout.readline, "")
    assert any("oven waits: it is not armed" in line for line in lines)
    assert bench.acts("heat") == []

    bench.arm()
    run.communicate(timeout=60)

    assert run.returncode == 0
    assert len(bench.acts("heat")) == 3
    assert bench.state() == "disarmed"
    assert bench.acts()[-2]["what"] == "stop" or bench.acts()[-1]["what"] == "stop"


def test_an_arming_before_the_run_is_taken_up_once(bench):
    bench.arm()

    bench.labwright("run", "baking.yaml")

    assert len(bench.acts("heat")) == 3
    assert [e["worker"] for e in bench.ledger("guard.taken_up")] != []


def test_what_the_limits_never_allow_is_refused_before_the_trial(bench):
    bench.limits(LIMITS.replace("heater: {high: 80}", "heater: {high: 40}"))
    bench.arm()
    bench.write(CAMPAIGN.replace("budget: {trials: 3}", "budget: {trials: 1}").replace("low: 30", "low: 60"))

    done = bench.labwright("check", "baking.yaml", check=False)

    assert "range: heater: found" in done.stdout + done.stderr
    assert bench.acts("heat") == []


def test_killing_the_process_brings_the_instrument_to_its_declared_safe_state(bench):
    bench.write(CAMPAIGN, seconds=30)
    bench.arm()
    run = bench.begin("run", "baking.yaml")
    bench.until(lambda: bench.acts("heat"))

    os.kill(run.pid, signal.SIGKILL)
    run.communicate()

    bench.until(lambda: bench.acts("stop"))
    assert bench.until(lambda: [a for a in bench.acts("set") if a["value"] == 20.0])
    assert len(bench.acts("heat")) == 1


def test_a_process_that_is_frozen_loses_its_heartbeat_and_two_people_must_reset_it(bench):
    bench.write(CAMPAIGN, seconds=30)
    bench.arm()
    run = bench.begin("run", "baking.yaml")
    bench.until(lambda: bench.acts("heat"))

    os.kill(run.pid, signal.SIGSTOP)
    try:
        bench.until(lambda: bench.acts("stop"))
    finally:
        os.kill(run.pid, signal.SIGCONT)
    bench.until(lambda: bench.state() == "tripped")

    assert "tripped" in bench.arm(check=False).stderr
    alone = ("guard", "reset", "baking.yaml", "oven", *bench.ada, "--and", "Ada", "--and-secret-file", "ada")
    assert bench.labwright(*alone, check=False).returncode != 0
    bench.labwright("guard", "reset", "baking.yaml", "oven", *bench.ada, "--and", "Bob", "--and-secret-file", "bob")
    assert bench.state() == "disarmed"


def test_stop_works_with_the_database_gone(bench):
    bench.write(CAMPAIGN, seconds=30)
    bench.arm()
    bench.begin("run", "baking.yaml")
    bench.until(lambda: bench.acts("heat"))
    database = bench.folder / "labwright.db"
    database.rename(bench.folder / "gone.db")

    stopped = bench.labwright("stop", "baking.yaml", check=False)

    assert stopped.returncode != 0
    assert bench.acts("stop")


def test_a_changed_limits_file_is_not_in_force_any_more(bench):
    bench.write(CAMPAIGN, seconds=2)
    bench.arm()
    bench.begin("run", "baking.yaml")
    bench.until(lambda: bench.acts("heat"))

    bench.limits(LIMITS.replace("high: 90", "high: 95"), key=None)

    bench.until(lambda: bench.state() == "disarmed")
    time.sleep(3)
    assert len(bench.acts("heat")) == 1


def test_a_campaign_may_not_leave_out_the_monitor_of_a_guarded_instrument(bench):
    bench.arm()
    bench.labwright("run", "baking.yaml")
    document = yaml.safe_load(bench.file.read_text())
    del document["resources"]["oven"]["guard"]
    document["name"] = "reckless"
    (bench.folder / "reckless.yaml").write_text(yaml.safe_dump(document))

    done = bench.labwright("run", "reckless.yaml", check=False)

    assert "A monitor stands before oven" in done.stderr
    assert len(bench.acts("heat")) == 3


def test_limits_never_go_back_and_another_hand_cannot_sign_them(bench):
    bench.limits(LIMITS.replace("version: 1", "version: 2"))
    bench.arm()
    bench.limits(LIMITS)
    assert "Limits never go back" in bench.arm(check=False).stderr

    bench.limits(LIMITS.replace("version: 1", "version: 3"), key=bytes(32))
    shown = bench.labwright("guard", "show", "baking.yaml", "oven", check=False)
    assert "it is of none" in shown.stderr


def test_a_key_is_made_limits_are_signed_and_shown_and_it_is_armed_and_tripped_on_the_command_line(bench):
    bench.labwright("guard", "key", "-o", "new.key", *bench.ada)
    assert (bench.folder / "new.key").stat().st_mode & 0o777 == 0o600
    bench.labwright("guard", "sign", "oven.limits.yaml", "--key", "new.key")
    shown = bench.labwright("guard", "show", "baking.yaml", "oven").stdout
    assert "heater: 0 to 80 degC" in shown
    assert "signed by Ada" in shown
    bench.arm()
    assert "heater is armed in the mode warm" in bench.labwright("guard").stdout

    bench.labwright("guard", "trip", "baking.yaml", "oven", "--why", "it smells", "--by", "Bob")

    assert "heater is tripped" in bench.labwright("guard").stdout
    assert json.loads(bench.labwright("status", "--json").stdout)["guards"] == [
        {"instrument": "heater", "state": "tripped", "why": "it smells"}
    ]
    assert [e["why"] for e in bench.ledger("guard.tripped")] == ["it smells"]


def test_a_dose_counts_over_a_restart_of_the_process(bench):
    bench.limits(LIMITS.replace("low: 0, high: 60}", "low: 0, high: 60, dose: {most: 0.35, window_s: 600}}"))
    bench.arm()
    first = bench.begin("run", "baking.yaml")
    bench.until(lambda: len(bench.acts("heat")) == 2)
    first.kill()
    first.communicate()
    bench.arm()

    second = bench.begin("run", "baking.yaml")
    bench.until(lambda: len(bench.acts("heat")) == 3)
    second.communicate(timeout=60)
    bench.write(CAMPAIGN.replace("name: baking", "name: again"))
    bench.arm()
    third = bench.begin("run", "baking.yaml")
    lines = iter(third.stdout.readline, "")

    assert any("dose: hold: found 0.4 in 600 s" in line for line in lines)
    assert len(bench.acts("heat")) == 3
    third.kill()
    third.communicate()


def test_what_must_hold_is_held_against_what_the_instrument_reads(bench):
    document = yaml.safe_load(bench.file.read_text())
    del document["resources"]["oven"]["guard"]
    document["resources"]["oven"]["availability"] = {"needs": ["heater <= 10 degC"]}
    bench.file.write_text(yaml.safe_dump(document))

    run = bench.begin("run", "baking.yaml")

    lines = iter(run.stdout.readline, "")
    assert any("oven waits: heater <= 10 degC does not hold: heater is 20 degC" in line for line in lines)
    assert bench.acts("heat") == []


def test_a_refusal_is_on_record_with_its_rule_and_the_state_that_caused_it(bench):
    bench.limits(LIMITS.replace("fresh_s: 2}", "fresh_s: 2, rate: {per_s: 1, over_s: 1}}"))
    bench.arm()
    run = bench.begin("run", "baking.yaml")
    lines = iter(run.stdout.readline, "")
    assert any("oven holds back run 1" in line for line in lines)

    [refused] = bench.until(lambda: bench.ledger("guard.refused"))

    assert refused["rule"] == "rate"
    assert refused["state"]["read"]["heater"].startswith("20.0, good")
    assert bench.acts("heat") == []
