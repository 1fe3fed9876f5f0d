"""Rough use: talkative functions, odd names, wrong addresses, files in the way."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from sqlalchemy import update

from labwright.app import App
from labwright.settings import Settings
from labwright.storage.database.schema import campaigns

CAMPAIGN = """\
name: study
space:
  float: {kind: continuous, low: 0, high: 5}
objectives:
  result: {goal: maximize}
procedure:
  - use: bench.measure
    with: {float: $float}
    gives: {result: $float}
resources:
  bench: {kind: function, call: "bench.py:measure", outputs: {float: null}, repeatable: true}
budget: {trials: 3}
"""
BENCH = """
print("importing")


def measure(float):
    print("measuring")
    return {"float": float, "raw": {"$float": "abc"}}
"""
DELETING = """
import pathlib


def measure(float):
    pathlib.Path("labwright.db").unlink(missing_ok=True)
    return {"float": float}
"""


@pytest.fixture
def study(tmp_path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    (tmp_path / "bench.py").write_text(BENCH)
    return tmp_path


def test_what_a_function_prints_does_not_spoil_the_answer(study, command_line):
    code, out, err = command_line("run", "campaign.yaml", "--json")

    assert code == 0
    assert json.loads(out)["best"]["outcomes"].keys() == {"result"}
    assert "measuring" in err


def test_things_may_be_called_float(study, command_line):
    assert command_line("run", "campaign.yaml")[0] == 0
    assert command_line("show", "study/1")[0] == 0
    assert command_line("verify")[0] == 0


def test_words_in_brackets_are_shown_as_they_are(study, command_line):
    (study / "bench.py").write_text("def measure(float):\n    raise ValueError('[/bold] [red]x')\n")

    code, _, err = command_line("run", "campaign.yaml")

    assert code == 5
    assert "[/bold] [red]x" in err


def test_an_address_for_a_resource_that_is_not_there_is_refused(study, command_line, monkeypatch):
    monkeypatch.setenv("LABWRIGHT_URLS", '{"Cell": "opc.tcp://127.0.0.1:1/"}')
    code, _, err = command_line("run", "campaign.yaml")
    assert code == 2
    assert "LABWRIGHT_URLS gives an address for Cell, but the campaign's resources are bench" in err

    monkeypatch.setenv("LABWRIGHT_URLS", '{"bench": "opc.tcp://127.0.0.1:1/"}')
    assert command_line("run", "campaign.yaml")[0] == 2


@pytest.mark.parametrize(("name", "value"), [("BUSY_TIMEOUT_S", "abc"), ("POLL_S", "-1"), ("URLS", "garbage")])
def test_a_wrong_setting_is_named(study, command_line, monkeypatch, name, value):
    monkeypatch.setenv(f"LABWRIGHT_{name}", value)

    code, _, err = command_line("run", "campaign.yaml")

    assert code == 2
    assert "A LABWRIGHT_ variable of the environment cannot be used" in err


@pytest.mark.parametrize("name", ["labwright.db", "campaign.yaml"])
def test_a_report_never_overwrites_what_is_no_page(study, command_line, name):
    command_line("run", "campaign.yaml")
    before = (study / name).read_bytes()

    code, _, err = command_line("report", "study", "--out", name)

    assert code == 2
    assert "Nothing was written" in err
    assert (study / name).read_bytes() == before


def test_a_database_that_is_deleted_while_in_use_is_noticed(study, command_line, monkeypatch):
    monkeypatch.setenv("LABWRIGHT_OUTAGE_S", "0.1")
    (study / "bench.py").write_text(DELETING)

    code, _, err = command_line("run", "campaign.yaml")

    assert code == 7
    assert "was deleted or replaced while in use" in err


def test_a_folder_that_was_moved_with_its_database_is_stopped_where_it_is_now(
    study, command_line, monkeypatch, tmp_path
):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    for name in ("campaign.yaml", "bench.py"):
        shutil.move(study / name, old / name)
    (old / "bench.py").write_text("def measure(float):\n    return {'float': None}\n")
    (old / "campaign.yaml").write_text(CAMPAIGN.replace("trials: 3", "trials: 9"))
    assert command_line("run", "old/campaign.yaml")[0] == 4
    old.rename(new)

    code, out, err = command_line("stop", "new/campaign.yaml")

    assert (code, err) == (0, "")
    assert "study is stopped" in out


def test_a_folder_that_was_moved_with_its_database_goes_on_where_it_is_now(study, command_line, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    for name in ("campaign.yaml", "bench.py"):
        shutil.move(study / name, old / name)
    (old / "bench.py").write_text("def measure(float):\n    return {'float': None}\n")
    (old / "campaign.yaml").write_text(CAMPAIGN.replace("trials: 3", "trials: 9"))
    assert command_line("run", "old/campaign.yaml")[0] == 4
    old.rename(new)
    (new / "bench.py").write_text("def measure(float):\n    return {'float': 1.0}\n")

    assert command_line("run", "new/campaign.yaml")[0] == 5

    with App(Settings()).laboratory(new) as laboratory:
        assert laboratory.campaigns.get("study").folder == str(new)  # where a worker looks
        assert laboratory.verify().problems == ()


def test_status_tells_a_campaign_that_was_killed_from_one_that_runs(study, command_line):
    (study / "bench.py").write_text("import time\ndef measure(float):\n    time.sleep(30)\n")
    run, quiet = [sys.executable, "-m", "labwright", "run", "campaign.yaml"], subprocess.DEVNULL
    running = subprocess.Popen(run, stdout=quiet, stderr=quiet)
    while not is_owned(command_line):
        assert running.poll() is None
        time.sleep(0.05)

    assert "holds campaign study" in " ".join(command_line("status")[1].split())

    os.kill(running.pid, 9)
    running.wait()
    assert not is_owned(command_line)
    assert "no process runs it now" in " ".join(command_line("status")[1].split())


def test_status_tells_of_the_others_where_a_campaign_cannot_be_read_any_more(study, command_line):
    for name in ("study", "other"):
        (study / "campaign.yaml").write_text(CAMPAIGN.replace("name: study", f"name: {name}"))
        assert command_line("run", "campaign.yaml")[0] == 0
    with App(Settings()).laboratory(study) as laboratory, laboratory.database.write() as connection:
        old = update(campaigns).where(campaigns.c.name == "study")
        connection.execute(old.values(text=CAMPAIGN.replace("maximize", "a goal of long ago")))

    code, out, err = command_line("status")

    assert (code, err) == (0, "")
    assert "Cannot be read: campaign study" in out
    assert "a goal of long ago" in out
    assert "other" in out
    assert list(json.loads(command_line("status", "--json")[1])["unreadable"]) == ["study"]


def test_a_second_process_waits_for_the_first_and_goes_on_when_it_dies(study, command_line):
    (study / "bench.py").write_text("import time\ndef measure(float):\n    time.sleep(30)\n")
    unforgiving = CAMPAIGN.replace("repeatable: true", "inputs: {float: {low: -99, high: 99}}")
    (study / "campaign.yaml").write_text(unforgiving)
    run, quiet = [sys.executable, "-m", "labwright", "run", "campaign.yaml"], subprocess.DEVNULL
    first = subprocess.Popen(run, stdout=quiet, stderr=quiet)
    while not is_owned(command_line):
        time.sleep(0.05)
    second = subprocess.Popen(run, stdout=quiet, stderr=subprocess.PIPE, text=True)

    assert second.stderr.readline().startswith(f"study is conducted by process {first.pid} on ")
    first.kill()
    first.wait()
    said = second.communicate(timeout=60)[1]

    assert second.returncode == 4
    assert "Nobody can say what became of bench.measure" in said


def is_owned(command_line) -> bool:
    code, out, _ = command_line("status", "--json")
    campaigns = json.loads(out)["campaigns"] if code == 0 else []
    return bool(campaigns) and campaigns[0]["owned"]
