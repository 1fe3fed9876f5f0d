"""Processes that wait for people: what they say, how a stop reaches them, and what a person may do without them."""

import json
import shlex
import signal
import subprocess
import sys
import time

import pytest

CRYSTALS = """
name: crystals
space: {rate: {kind: continuous, low: 1, high: 5, unit: K/min}}
objectives: {mass: {goal: maximize, unit: mg}}
procedure: [{use: bench.weigh, with: {rate: $rate}, gives: {mass: $mass}}]
resources:
  bench:
    kind: person
    capabilities:
      weigh:
        instructions: Weigh it.
        inputs: {rate: {unit: K/min, low: 0, high: 9}}
        outputs: {mass: {unit: mg, low: 0, high: 99}}
budget: {trials: 2}
planner: {kind: sampling, seed: 1}
"""
APPROVED = CRYSTALS + "safety: {approval: [{people: 1}]}\n"
SQUARES = """
name: squares
space: {x: {kind: continuous, low: 1, high: 5}}
objectives: {y: {goal: maximize}}
procedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]
resources: {bench: {kind: function, call: "bench.py:measure", inputs: {x: {low: 0, high: 9}}, outputs: {y: null}}}
budget: {trials: 2}
planner: {kind: sampling, seed: 1}
"""


class Desk:
    """A folder with campaigns, the command line, and processes whose words for people go to a file."""

    def __init__(self, folder, call) -> None:
        self.folder, self.call = folder, call
        self.processes: list[subprocess.Popen[bytes]] = []
        (folder / "crystals.yaml").write_text(CRYSTALS)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{words[0]}.txt").open("ab") as said:
            command = [sys.executable, "-m", "labwright", *words]
            process = subprocess.Popen(command, cwd=self.folder, stdout=said, stderr=said)
        self.processes.append(process)
        return process

    def said(self, command: str) -> str:
        path = self.folder / f"{command}.txt"
        return path.read_text() if path.exists() else ""

    def hear(self, command: str, words: str, times: int = 1) -> None:
        until(lambda: self.said(command).count(words) >= times, lambda: self.said(command))

    def told(self, *words: str) -> str:
        code, out, error = self.call(*words)
        assert code == 0, error
        return out

    def ask(self) -> subprocess.Popen[bytes]:
        """Run the campaign until its first task is put before people."""
        running = self.start("run", "crystals.yaml")
        until(lambda: self.call("tasks", "--json")[1].startswith("[{"), lambda: self.said("run"))
        return running

    def states(self) -> list[str]:
        return [trial["state"] for trial in json.loads(self.told("trials", "crystals", "--json"))]

    def record(self, **cells: str) -> str:
        """Fill the open tasks' worksheet in and record it."""
        self.told("worksheet", "crystals", "-o", "sheet.csv")
        head, *rows = (self.folder / "sheet.csv").read_text().splitlines()
        names = head.split(",")
        rows = [",".join(cells.get(n, cell) for n, cell in zip(names, r.split(","), strict=True)) for r in rows]
        (self.folder / "sheet.csv").write_text("\n".join([head, *rows]) + "\n")
        said = self.told("record", "crystals", "sheet.csv")
        (self.folder / "sheet.csv").unlink()
        return said


def until(holds, words=lambda: "") -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, words()
        time.sleep(0.05)


@pytest.fixture
def desk(tmp_path, command_line):
    desk = Desk(tmp_path, command_line)
    yield desk
    for process in desk.processes:
        process.kill()
        process.wait()


def interrupt_twice(desk, process, command="run") -> None:
    process.send_signal(signal.SIGINT)
    desk.hear(command, "Ending after the trial in flight")
    process.send_signal(signal.SIGINT)


def test_who_is_interrupted_twice_does_not_wait_for_people_and_the_task_is_taken_up_again(desk):
    running = desk.ask()

    interrupt_twice(desk, running)

    assert running.wait(30) == 130
    assert "Waiting for what they report" not in desk.said("run")
    assert desk.record(**{"mass (mg)": "12"}) == "Recorded 1 task: 1.\n"
    assert desk.states() == ["running"]
    desk.start("run", "crystals.yaml")
    until(lambda: desk.states() == ["observed", "running"])


def test_what_people_report_after_a_stop_ends_the_trial_without_any_process(desk):
    running = desk.ask()
    interrupt_twice(desk, running)
    running.wait(30)

    stopped = desk.told("stop", "crystals.yaml")

    assert "People may have begun task 1 (bench.weigh, trial 1): its trial ends with what they report" in stopped
    assert "To report: labwright worksheet crystals.yaml" in stopped
    assert "The campaign is stopped: report what was done" in desk.told("tasks")
    assert desk.states() == ["running"]
    assert desk.record(failed="it was not done") == "Recorded 1 task: 1.\n"
    assert desk.states() == ["failed"]
    status = json.loads(desk.told("status", "--json"))
    assert (status["tasks"], status["campaigns"][0]["state"]) == ([], "stopped")
    assert desk.call("verify")[0] == 0


def test_what_was_reported_before_a_stop_counts_without_any_process(desk):
    running = desk.ask()
    running.kill()
    running.wait()
    desk.record(**{"mass (mg)": "12"})

    desk.told("stop", "crystals")

    assert desk.states() == ["observed"]
    assert desk.call("verify")[0] == 0


def test_a_process_that_waits_for_people_notices_a_stop_and_leaves(desk):
    running = desk.ask()

    desk.told("stop", "crystals")

    assert running.wait(30) == 4
    assert "crystals is stopped after 0 of 2 trials: stopped by a person." in desk.said("run")
    desk.record(**{"mass (mg)": "12"})
    assert desk.states() == ["observed"]


def test_a_run_says_once_what_it_waits_for(desk):
    desk.start("run", "crystals.yaml")
    desk.hear("run", "Waits for people: task 1 (bench.weigh, trial 1). Look: labwright tasks\n")

    desk.record(**{"mass (mg)": "12"})

    desk.hear("run", "Waits for people: task 2 (bench.weigh, trial 2). Look: labwright tasks\n")
    assert desk.said("run").count("task 1 ") == 1


def test_a_run_says_that_it_waits_for_an_approval(desk):
    (desk.folder / "crystals.yaml").write_text(APPROVED)

    desk.start("run", "crystals.yaml")

    desk.hear("run", "Waits until people approve crystals/1. Look: labwright approvals\n")


def test_a_campaign_says_whose_task_keeps_people_from_its_own(desk):
    running = desk.ask()
    desk.told("stop", "crystals")
    running.wait(30)

    desk.start("run", "crystals.yaml", "--new", "again")

    desk.hear("run", "Waits for people: task 1 (bench.weigh, trial 1) of campaign crystals, which comes first. Look:")
    desk.record(failed="it was not done")
    desk.hear("run", "Waits for people: task 2 (bench.weigh, trial 1). Look: labwright tasks\n")


def test_who_conducts_says_which_resources_nobody_serves_and_when_that_changes(desk):
    conducting = desk.start("conduct", "crystals.yaml")
    alone = "No process serves bench. In another terminal: labwright worker\n"
    desk.hear("conduct", alone)

    serving = desk.start("worker")
    desk.hear("conduct", "bench is served now.\n")
    desk.hear("conduct", "Waits for people: task 1")
    serving.kill()
    serving.wait()
    desk.hear("conduct", alone, times=2)

    interrupt_twice(desk, conducting, "conduct")
    assert conducting.wait(30) == 130
    assert "To go on: labwright conduct crystals.yaml" in desk.said("conduct")


def test_a_worker_without_anything_to_serve_says_where_it_waits(desk):
    serving = desk.start("worker")
    desk.hear("worker", f"No campaign is at work in {desk.folder / 'labwright.db'}; waiting for one. Interrupt to end.")

    conducting = desk.start("conduct", "crystals.yaml")
    desk.hear("worker", "Serving bench of crystals.")

    interrupt_twice(desk, conducting, "conduct")
    serving.terminate()
    assert (conducting.wait(30), serving.wait(30)) == (130, 0)


def test_a_resource_that_processes_share_is_seen_to_be_served_as_well(desk):
    (desk.folder / "crystals.yaml").write_text(SQUARES)
    (desk.folder / "bench.py").write_text("def measure(x):\n    return {'y': x}\n")
    conducting = desk.start("conduct", "crystals.yaml")
    desk.hear("conduct", "No process serves bench. In another terminal: labwright worker\n")

    desk.start("worker")

    assert conducting.wait(60) == 0
    assert desk.said("conduct").count("No process serves") == 1


def test_each_command_that_is_advised_works_as_written_from_another_folder(desk):
    lab = desk.folder / "my lab"
    lab.mkdir()
    (desk.folder / "crystals.yaml").rename(lab / "crystals.yaml")
    desk.start("run", "my lab/crystals.yaml")
    desk.hear("run", "Look: labwright tasks 'my lab'\n")

    tasks = desk.told(*advised(desk.said("run"), "Look: "))
    sheet = desk.told(*advised(tasks, "For a sheet to fill in: "))
    (desk.folder / "crystals-worksheet.csv").write_text("task,mass (mg)\n1,12\n")
    assert desk.told(*advised(sheet, "then: ")) == "Recorded 1 task: 1.\n"
    desk.hear("run", "task 2")
    assert "Waits for a person: task 2 (bench.weigh, trial 2). Look: labwright tasks 'my lab'" in desk.told(
        "status", "my lab"
    )
    stopped = desk.told("stop", "my lab/crystals")
    (desk.folder / "crystals-worksheet.csv").unlink()
    assert "with 1 task" in desk.told(*advised(stopped, "To report: "))


def advised(text: str, after: str) -> list[str]:
    """Return the words of the command that a text advises, as a shell reads them."""
    command = text.partition(after)[2].splitlines()[0]
    return shlex.split(command)[1:]


def test_what_a_campaign_says_to_do_next_works_as_written_from_another_folder(desk, monkeypatch):
    lab = desk.folder / "my lab"
    lab.mkdir()
    (lab / "squares.yaml").write_text(SQUARES)
    (lab / "bench.py").write_text("def measure(x):\n    return {'y': x}\n")
    ended = desk.told("run", "my lab/squares.yaml")
    for command in ended.partition("Look: ")[2].split("; "):
        desk.told(*shlex.split(command)[1:])

    paused = desk.told("extend", "my lab/squares", "--trials", "1")
    assert "squares is finished after 3 of 3 trials" in desk.told(*advised(paused, "To go on: "))
    cloned = desk.told("clone", "my lab/squares", "--new", "again")
    assert "again is finished" in desk.told(*advised(cloned, "To begin: "))

    code, _, error = desk.call("add", "my lab/again", "--set", "x=2")
    assert code == 2
    assert "labwright clone again --new NAME" in error or "labwright extend again --trials N" in error
    assert error.endswith("Commands named here are for the database in 'my lab': give them in that folder.\n")
    monkeypatch.chdir(lab)
    assert "Commands named here" not in desk.call("add", "again", "--set", "x=2")[2]


def test_with_a_database_elsewhere_the_file_is_found_where_the_campaign_began(desk, monkeypatch):
    (desk.folder / "lab").mkdir()
    (desk.folder / "crystals.yaml").rename(desk.folder / "lab" / "crystals.yaml")
    monkeypatch.setenv("LABWRIGHT_DATABASE_URL", f"sqlite:///{desk.folder}/all.db")
    conducting = desk.start("conduct", "lab/crystals.yaml")
    desk.hear("conduct", "In another terminal: labwright worker, with LABWRIGHT_DATABASE_URL set as here\n")

    said = desk.told("pause", "crystals")
    assert conducting.poll() is None
    assert "To go on: labwright run lab/crystals.yaml\n" in said
