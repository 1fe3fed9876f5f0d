"""Real programs, real kills: each start is counted in a file by the program itself."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from labwright.core.command import CannotTell, Command, Done, Failure, Gathered, NeverStarted, Observation, Running
from labwright.core.errors import InvalidInput, ResourceUnavailable, StaleEpoch
from labwright.core.recorder import Silent
from labwright.resources.command import CommandResource, runner
from labwright.resources.command.resource import PLACE

PYTHON = [sys.executable, "-I", "-S"]
PROGRAM = """
import json, sys, time
from pathlib import Path
order = json.load(sys.stdin)
with open("starts", "a") as file:
    file.write(order["command_id"] + "\\n")
x = order["inputs"]["x"] if "inputs" in order else None
folder = Path(order["folder"])
BODY
"""
DOUBLE = 'print(json.dumps({"y": 2 * x}))'
SLOW = f"time.sleep(1.0)\n{DOUBLE}"
WAIT = f"""
while not Path("go").exists():
    time.sleep(0.01)
{DOUBLE}
"""


def options(folder: Path, body: str, /, **more) -> CommandResource.Options:
    (folder / "program.py").write_text(PROGRAM.replace("BODY", body))
    declared = {"inputs": {"x": {"unit": "mm", "low": 0, "high": 9}}, "outputs": {"y": "mm"}}
    return CommandResource.Options.model_validate({"run": [*PYTHON, "program.py"], **declared, **more})


def opened(folder: Path, body: str = DOUBLE, /, **more):
    return CommandResource.open("solver", options(folder, body, **more), folder)


def command(command_id="c1", epoch=1, x=3.0, **more) -> Command:
    return Command(command_id=command_id, epoch=epoch, capability="run", inputs={"x": x}, **more)


async def run(folder: Path, body: str = DOUBLE, /, **more):
    async with opened(folder, body, **more) as solver:
        return await solver.run(command(), Silent())


def starts(folder: Path) -> list[str]:
    path = folder / "starts"
    return path.read_text().split() if path.exists() else []


async def until(condition, seconds=20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def runner_of(folder: Path, command_id="c1") -> int:
    return json.loads((folder / PLACE / command_id / "runner.json").read_text())["pid"]


class Kept(Silent):
    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}

    async def keep(self, name: str, data: bytes) -> str:
        self.files[name] = data
        return await super().keep(name, data)


async def test_what_a_program_prints_is_observed(tmp_path):
    outcome = await run(
        tmp_path, 'print("a log line"); print(json.dumps({"y": {"value": 0.2, "unit": "cm", "sd": 0.01}}))'
    )

    assert isinstance(outcome, Observation)
    assert outcome.values["y"].value == pytest.approx(2.0)
    assert (outcome.values["y"].unit, outcome.values["y"].sd) == ("mm", pytest.approx(0.1))


async def test_it_is_told_its_inputs_their_units_and_a_folder_of_its_own(tmp_path):
    async with opened(tmp_path, f'print("order:", json.dumps(order), folder.is_dir())\n{DOUBLE}') as solver:
        recorder = Kept()
        await solver.run(command(), recorder)

    said = recorder.files["stdout"].decode().splitlines()[0]
    told = json.loads(said.removeprefix("order: ").removesuffix(" True"))
    assert told["inputs"] == {"x": 3.0}
    assert told["units"] == {"x": "mm"}
    assert Path(told["folder"]).is_relative_to(tmp_path / PLACE / "c1")


async def test_the_files_that_it_lists_are_kept_and_the_others_are_not(tmp_path):
    body = """
for name in ("curve.csv", "scratch"):
    (folder / name).write_text(name)
sys.stderr.write("warm")
print(json.dumps({"y": 1, "files": ["curve.csv"]}))
"""
    async with opened(tmp_path, body) as solver:
        recorder = Kept()
        outcome = await solver.run(command(), recorder)

    assert {n: recorder.files[n] for n in ("curve.csv", "stderr")} == {"curve.csv": b"curve.csv", "stderr": b"warm"}
    assert "scratch" not in recorder.files
    assert len(outcome.objects) == 3


@pytest.mark.parametrize("listed", ["absent.csv", "../order.json", "/etc/hostname"])
async def test_a_file_that_is_not_in_its_own_folder_fails_the_run(tmp_path, listed):
    outcome = await run(tmp_path, f'print(json.dumps({{"y": 1, "files": [{listed!r}]}}))')

    assert outcome == Failure(reason=f"it lists {listed}, but its folder has no such file")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('sys.stderr.write("no lamp"); sys.exit(3)', "ended with exit code 3: no lamp"),
        ("sys.exit(3)", "ended with exit code 3: it said nothing on its standard error"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9"),
        ("pass", "it printed nothing; JSON was expected"),
        ('print("done")', "it printed 'done'; JSON was expected, alone or as the last line"),
        ("print(3)", 'it printed 3; one JSON object was expected, such as {"y": 1.2}'),
        ('print(json.dumps({"z": 1}))', "it did not give y; it gave z"),
        ('print(json.dumps({"y": None}))', "it did not give y"),
        ('print(json.dumps({"y": True}))', "y is true; expected a number, a word"),
        ('print(json.dumps({"y": {"value": 1, "unit": "g"}}))', "'g' cannot be converted to 'mm'"),
        ('print(json.dumps({"y": 1, "files": "a"}))', "files is 'a'; a list of names was expected"),
        ('print(json.dumps({"failure": "the mesh broke"}))', "the mesh broke"),
    ],
)
async def test_what_is_no_result_is_a_failure_that_says_why(tmp_path, body, words):
    async with opened(tmp_path, body) as solver:
        outcome = await solver.run(command(), Silent())
        answer = await solver.ask(command())

    assert isinstance(outcome, Failure)
    assert words in outcome.reason
    assert answer == Done(outcome=outcome)


async def test_a_program_that_takes_too_long_is_ended_with_all_that_it_began(tmp_path):
    body = """
import subprocess
child = subprocess.Popen(["sleep", "60"])
Path("child").write_text(str(child.pid))
time.sleep(60)
"""
    outcome = await run(tmp_path, body, timeout="0.5 s")

    assert outcome == Failure(reason=f"{sys.executable} was stopped: it had not ended within 0.5 s")
    assert not is_alive(int((tmp_path / "child").read_text()))


def is_alive(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return done.returncode == 0 and not done.stdout.startswith("Z")


async def test_stop_ends_the_program_and_later_commands_run(tmp_path):
    async with opened(tmp_path, WAIT) as solver:
        waiting = asyncio.create_task(solver.run(command(), Silent()))
        await until(lambda: starts(tmp_path))
        await solver.stop()
        assert await waiting == Failure(reason="stopped")
        (tmp_path / "go").touch()
        assert isinstance(await solver.run(command("c2"), Silent()), Observation)


async def test_a_stop_from_another_process_reaches_it_and_no_other_resource(tmp_path):
    async with opened(tmp_path, WAIT) as solver:
        other = CommandResource("other", options(tmp_path, WAIT), tmp_path)
        runs = [asyncio.create_task(r.run(command(i), Silent())) for r, i in ((solver, "c1"), (other, "c2"))]
        await until(lambda: len(starts(tmp_path)) == 2)
        async with opened(tmp_path, WAIT) as elsewhere:
            await elsewhere.stop()
        assert await runs[0] == Failure(reason="stopped")
        (tmp_path / "go").touch()
        assert isinstance(await runs[1], Observation)


async def test_a_command_is_running_while_it_runs_and_a_second_run_waits_for_the_same_end(tmp_path):
    async with opened(tmp_path, WAIT) as solver, opened(tmp_path, WAIT) as twin:
        first = asyncio.create_task(solver.run(command(), Silent()))
        await until(lambda: starts(tmp_path))
        assert await twin.ask(command()) == Running()
        second = asyncio.create_task(twin.run(command(), Silent()))
        (tmp_path / "go").touch()
        assert await first == await second

    assert starts(tmp_path) == ["c1"]


async def test_many_who_start_one_command_start_it_once(tmp_path):
    async with opened(tmp_path) as solver:
        outcomes = await asyncio.gather(*(solver.run(command(), Silent()) for _ in range(8)))

    assert len({str(outcome) for outcome in outcomes}) == 1
    assert starts(tmp_path) == ["c1"]


async def test_an_order_given_before_somebody_was_told_that_it_never_started_begins_nothing(tmp_path):
    async with opened(tmp_path) as solver:
        solver._journal.make()
        _, ticket = solver._journal.take_up("c1", 1)
        assert await solver.ask(command()) == NeverStarted()
        begun = solver._journal.begin("c1", solver._order(command(), ticket, {}))

        assert begun == runner.OVERTAKEN
        assert starts(tmp_path) == []
        assert isinstance(await solver.run(command(epoch=2), Silent()), Observation)


async def test_an_order_given_before_a_stop_begins_nothing(tmp_path):
    async with opened(tmp_path) as solver:
        solver._journal.make()
        _, ticket = solver._journal.take_up("c1", 1)
        await solver.stop()

        assert solver._journal.begin("c1", solver._order(command(), ticket, {})) == runner.STOPPED
    assert starts(tmp_path) == []
    assert not [p for p in (tmp_path / PLACE).iterdir() if p.name.startswith(".draft")]


@pytest.mark.parametrize("begun", [True, False])
async def test_an_older_epoch_is_refused_once_a_newer_one_has_asked(tmp_path, begun):
    async with opened(tmp_path) as solver:
        if begun:
            await solver.run(command(epoch=1), Silent())
        await solver.ask(command(epoch=3))

        with pytest.raises(StaleEpoch, match="follows epoch 3 of c1, not 2"):
            await solver.run(command(epoch=2), Silent())
    assert starts(tmp_path) == ["c1"] * begun


WORKER = """
import asyncio, sys
from pathlib import Path
from labwright.core.command import Command
from labwright.core.recorder import Silent
from labwright.resources.command import CommandResource

async def main():
    folder = Path(sys.argv[1])
    options = CommandResource.Options.model_validate_json(sys.argv[2])
    async with CommandResource.open("solver", options, folder) as solver:
        print("ready", flush=True)
        await solver.run(Command(command_id="c1", epoch=1, capability="run", inputs={"x": 3.0}), Silent())

asyncio.run(main())
"""


@pytest.mark.parametrize("delay_s", [0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.4])
async def test_a_worker_killed_at_any_time_loses_nothing_and_repeats_nothing(tmp_path, delay_s):
    declared = options(tmp_path, "time.sleep(0.2)\n" + DOUBLE)
    words = [sys.executable, "-c", WORKER, str(tmp_path), declared.model_dump_json(exclude_unset=True)]
    worker = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
    worker.stdout.readline()
    await asyncio.sleep(delay_s)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    worker.stdout.close()

    async with CommandResource.open("solver", declared, tmp_path) as solver:
        answer = await solver.ask(command(epoch=2))
        outcome = await solver.run(command(epoch=2), Silent())

    assert answer in (NeverStarted(), Running(), Done(outcome=outcome))
    assert outcome.values["y"].value == 6.0
    assert starts(tmp_path) == ["c1"]


async def test_a_result_that_nobody_took_is_still_there_with_its_files(tmp_path):
    async with opened(tmp_path, SLOW) as solver:
        waiting = asyncio.create_task(solver.run(command(), Silent()))
        await until(lambda: starts(tmp_path))
        waiting.cancel()
        await until(lambda: (tmp_path / PLACE / "c1" / "result.json").exists())
        assert await solver.ask(command()) == Running()  # to be taken up, so that its files are kept
        outcome = await solver.run(command(), Silent())

        assert await solver.ask(command()) == Done(outcome=outcome)
    assert starts(tmp_path) == ["c1"]


@pytest.mark.parametrize("repeatable", [False, True])
async def test_where_the_runner_was_killed_nobody_knows_the_end(tmp_path, repeatable):
    async with opened(tmp_path, WAIT, repeatable=repeatable) as solver:
        waiting = asyncio.create_task(solver.run(command(), Silent()))
        await until(lambda: starts(tmp_path))
        os.kill(runner_of(tmp_path), signal.SIGKILL)

        with pytest.raises(ResourceUnavailable, match="its end is not known"):
            await waiting
        (tmp_path / "go").touch()
        assert isinstance(await solver.ask(command()), CannotTell)
        if repeatable:
            assert isinstance(await solver.run(command(), Silent()), Observation)
        else:
            with pytest.raises(ResourceUnavailable, match="its end is not known"):
                await solver.run(command(), Silent())

    assert starts(tmp_path) == ["c1", "c1"] if repeatable else ["c1"]


async def test_a_batch_goes_in_as_a_list_and_comes_out_as_one(tmp_path):
    body = """
replies = [{"y": 2 * one["x"]} if one["x"] < 2 else {"failure": "too long"} for one in order["batch"]]
print(json.dumps(replies))
"""
    async with opened(tmp_path, body, batch=4) as solver:
        batch = tuple({"x": float(i)} for i in range(3))
        gathered = await solver.run(command(batch=batch), Silent())
        answer = await solver.ask(command(batch=batch))
        alone = await solver.run(command("c2", x=1.0), Silent())

    assert isinstance(gathered, Gathered)
    assert [o.values["y"].value for o in gathered.outcomes[:2]] == [0.0, 2.0]
    assert gathered.outcomes[2] == Failure(reason="too long")
    assert answer == Done(outcome=gathered)
    assert alone.values["y"].value == 2.0


async def test_a_batch_answered_by_too_few_fails(tmp_path):
    async with opened(tmp_path, 'print(json.dumps([{"y": 1}]))', batch=4) as solver:
        outcome = await solver.run(command(batch=({"x": 1.0}, {"x": 2.0})), Silent())

    assert "it printed a list of 1; a JSON list of 2 was expected" in outcome.reason


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"run": "no_such_program"}, "there is no program 'no_such_program'"),
        ({"run": ["program.py"]}, r"may not be executed. Say what runs it, such as \[python, program.py\]"),
        ({"run": ["tool"]}, r"'tool' is not on the PATH, but in .*\. Write \./tool"),
        ({"folder": "nowhere"}, "folder: .*nowhere is not there"),
        ({"outputs": {"y": "smoots"}}, "smoots"),
    ],
)
async def test_a_program_that_is_not_there_is_refused_before_anything_runs(tmp_path, said, words):
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)

    with pytest.raises(InvalidInput, match=words):
        async with opened(tmp_path, **said):
            pass


@pytest.mark.parametrize("said", [{"run": []}, {"run": "'open"}, {"timeout": "soon"}, {"timeout": True}, {"batch": 0}])
def test_options_that_make_no_sense_are_refused(tmp_path, said):
    with pytest.raises(ValidationError):
        options(tmp_path, DOUBLE, **said)


def test_a_command_line_is_split_as_a_shell_would_but_no_shell_reads_it(tmp_path):
    assert options(tmp_path, DOUBLE, run="sh -c 'echo $HOME; rm x'").run == ["sh", "-c", "echo $HOME; rm x"]


async def test_environment_and_folder_are_the_programs(tmp_path):
    (tmp_path / "there").mkdir()
    body = f'import os; assert os.environ["MESH"] == "fine" and os.getcwd().endswith("there"), os.getcwd()\n{DOUBLE}'
    (tmp_path / "there" / "program.py").write_text(PROGRAM.replace("BODY", body))

    outcome = await run(tmp_path, environment={"MESH": "fine"}, folder="there")

    assert isinstance(outcome, Observation)


@pytest.mark.parametrize("name", ["../c1", "a/b", ".hidden", "x y"])
async def test_any_command_id_has_a_folder_of_its_own(tmp_path, name):
    async with opened(tmp_path) as solver:
        assert isinstance(await solver.run(command(name), Silent()), Observation)
        assert isinstance(await solver.ask(command(name)), Done)

    assert {p.name for p in tmp_path.iterdir()} == {".labwright", "program.py", "starts"}
