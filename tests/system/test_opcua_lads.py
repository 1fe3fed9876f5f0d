"""The OPC UA resource against a device that follows LADS, with the nodesets of the OPC Foundation."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labwright.core.command import CannotTell, Command, Done, Failure, NeverStarted, Observation, Running
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.recorder import Silent
from labwright.resources.opcua import OpcUaResource
from labwright.testing import Relay

pytestmark = pytest.mark.asyncio(loop_scope="module")
SCRIPT = Path(__file__).parent / "lads" / "server.py"
UNIT = "DeviceSet/Furnace/FunctionalUnitSet/Chamber"
STEP = {"use": "furnace.heat", "with": {"t": "$t", "Seconds": "2 s"}, "gives": {"y": "$Y", "a": "$area"}}
CAMPAIGN = {
    "name": "bake",
    "question": "How hot?",
    "space": {"t": {"kind": "continuous", "low": 0, "high": 99, "unit": "degC"}},
    "objectives": {"y": {"goal": "maximize", "unit": "degC"}},
    "procedure": [STEP],
    "planner": {"kind": "sampling"},
    "budget": {"trials": 3},
}


class Furnace:
    """A LADS server in a process of its own, on one port and in one folder over restarts."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder, self.words = folder, words
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"opc.tcp://127.0.0.1:{self.port}/"

    def begin(self) -> None:
        call = [sys.executable, str(SCRIPT), str(self.folder), str(self.port), *self.words]
        self.process = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    @property
    def started(self) -> list[dict]:
        """What it physically began."""
        return [json.loads(line) for line in self.lines("starts")]

    def tasks(self, command_id: str) -> int:
        return [one["task"] for one in self.started].count(command_id)

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def options(self, *, program="Double", capability=None, **server_options):
        described = {
            "functional_unit": UNIT,
            "program": program,
            "inputs": {"t": "Temperature", "Seconds": {"high": 20}},
            "outputs": {"Y": {"unit": "degC"}, "area": {"variable": "Peaks/First/Area", "unit": "mm**2"}},
        }
        described |= capability or {}
        return {"kind": "opcua", "url": self.url, "capabilities": {"heat": described}, "start_s": 1} | server_options


@pytest.fixture(scope="module")
def furnace(tmp_path_factory) -> Iterator[Furnace]:
    furnace = Furnace(tmp_path_factory.mktemp("furnace"), "shifted")
    furnace.begin()
    yield furnace
    furnace.kill()


@contextlib.contextmanager
def another(folder, *words):
    furnace = Furnace(folder, *words)
    furnace.begin()
    try:
        yield furnace
    finally:
        furnace.kill()


def opened(options):
    return OpcUaResource.open("furnace", OpcUaResource.Options.model_validate(options), Path())


def command(command_id, t=20.0, seconds=0.05, **changes):
    inputs = {"t": t, "Seconds": seconds}
    return Command(command_id=command_id, epoch=1, capability="heat", inputs=inputs, **changes)


async def run(resource, command_id, *args, recorder=None, **changes):
    return await resource.run(command(command_id, *args, **changes), recorder or Silent())


class Keeping(Silent):
    """Keeps the files in memory, and every report of progress."""

    def __init__(self):
        super().__init__()
        self.files, self.reports = {}, []

    async def keep(self, name, data):
        self.files[name] = data
        return await super().keep(name, data)

    def progress(self, fraction, text=""):
        self.reports.append((fraction, text))


async def begun(furnace, command_id):
    while not furnace.tasks(command_id):
        await asyncio.sleep(0.02)


async def test_a_program_is_started_with_the_commands_id_and_its_result_is_read(furnace):
    async with opened(furnace.options()) as resource:
        outcome = await run(resource, "first", 20.5)

    [begun] = [one for one in furnace.started if one["task"] == "first"]
    assert begun == {"task": "first", "job": "first", "program": "Double", "Temperature": 20.5, "Seconds": 0.05}
    assert outcome.values["Y"].value == pytest.approx(41 - 273.15)  # the server says K, and the file degC
    assert outcome.values["Y"].unit == "degC"
    assert outcome.values["area"].value == 7.5
    assert outcome.quality == "good"


async def test_units_and_limits_come_from_the_variables_that_the_properties_lead_to(furnace):
    async with opened(furnace.options()) as resource:
        [capability] = resource.capabilities()

    t, seconds = capability.inputs
    assert (t.unit, t.low, t.high) == ("degC", 0.0, 200.0)
    assert (seconds.unit, seconds.low, seconds.high) == ("s", 0.0, 20.0)
    assert capability.queryable
    assert not capability.repeatable


async def test_a_program_that_is_not_there_is_named_with_those_that_are(furnace):
    with pytest.raises(InvalidInput, match=r"has no program 'Bake'\. It has: T-1 \(Double\), T-2 \(Jam\)"):
        async with opened(furnace.options(program="Bake")):
            pass


@pytest.mark.parametrize("unit", ["DeviceSet/Furnace", f"{UNIT}/FunctionalUnitState", "Server"])
async def test_a_node_that_is_no_functional_unit_is_refused(furnace, unit):
    with pytest.raises(InvalidInput, match="is not the functional unit of a LADS device"):
        async with opened(furnace.options(capability={"functional_unit": unit})):
            pass


async def test_a_property_that_the_unit_does_not_take_is_refused_with_those_that_it_takes(furnace):
    with pytest.raises(InvalidInput, match=r"takes no property 'Pressure'\. It takes: Temperature, Seconds"):
        async with opened(furnace.options(capability={"inputs": {"p": "Pressure"}})):
            pass


async def test_a_program_goes_by_its_id_a_property_may_be_fixed_and_an_output_be_any_node(furnace):
    outputs = {"target": {"node": f"{UNIT}/TemperatureTarget"}}
    part = {"program": "T-1", "inputs": {"t": "Temperature"}, "fixed": {"Seconds": 0.1}, "outputs": outputs}
    alone = Command(command_id="fixed", epoch=1, capability="heat", inputs={"t": 7.0})
    async with opened(furnace.options(capability=part)) as resource:
        outcome = await resource.run(alone, Silent())
    with pytest.raises(InvalidInput, match="the property 'Temperature' is given twice"):
        async with opened(furnace.options(capability=part | {"fixed": {"Temperature": 1}})):
            pass

    [begun] = [one for one in furnace.started if one["task"] == "fixed"]
    assert (begun["Temperature"], begun["Seconds"]) == (7.0, 0.1)
    assert (outcome.values["target"].value, outcome.values["target"].unit) == (0.0, "degC")


async def test_progress_is_that_of_the_active_program(furnace):
    recorder = Keeping()
    async with opened(furnace.options()) as resource:
        await run(resource, "progress", 20.0, 0.8, recorder=recorder)

    assert max(fraction for fraction, _ in recorder.reports) >= 0.4
    assert {text for _, text in recorder.reports} == {"Execute"}


async def test_a_command_that_the_unit_knows_is_never_started_twice(furnace):
    async with opened(furnace.options()) as resource:
        first = await run(resource, "twice")
        again = await run(resource, "twice")
    async with opened(furnace.options()) as resource:  # a process that remembers nothing
        after = await run(resource, "twice")
        assert await resource.ask(command("twice")) == Done(outcome=after)

    assert first == again == after
    assert furnace.tasks("twice") == 1


async def test_an_earlier_result_is_found_after_others_have_followed_it(furnace):
    async with opened(furnace.options()) as resource:
        await run(resource, "earlier", 30.0)
        await run(resource, "later", 40.0)
    async with opened(furnace.options()) as resource:
        answer = await resource.ask(command("earlier", 30.0))

    assert answer.outcome.values["Y"].value == pytest.approx(60 - 273.15)
    assert answer.outcome.quality == "suspect"  # how it ended has nobody seen


async def test_a_result_that_says_how_it_ended_is_good_whenever_it_is_read(furnace):
    part = {"state": "Status", "states": {"done": ["good"], "failed": ["broken"]}, "reason": "Why"}
    async with opened(furnace.options(capability=part)) as resource:
        await run(resource, "said", 30.0)
        await run(resource, "said later", 40.0)
    async with opened(furnace.options(capability=part)) as resource:
        assert (await resource.ask(command("said"))).outcome.quality == "good"
    async with opened(furnace.options(capability=part, program="Fail")) as resource:
        assert await run(resource, "said to fail") == Failure(reason="the lamp is out")


async def test_a_running_program_is_taken_up_by_another_process(furnace):
    async with opened(furnace.options()) as resource, opened(furnace.options()) as other:
        first = asyncio.create_task(run(resource, "taken up", 20.0, 0.8))
        await begun(furnace, "taken up")
        await asyncio.sleep(0.2)
        assert isinstance(await other.ask(command("taken up")), Running)
        second = await run(other, "taken up")
        assert (await first).values == second.values

    assert furnace.tasks("taken up") == 1


async def test_a_busy_unit_is_waited_for(furnace):
    async with opened(furnace.options()) as resource, opened(furnace.options()) as other:
        theirs = asyncio.create_task(run(other, "theirs", 20.0, 0.6))
        await begun(furnace, "theirs")
        outcome = await run(resource, "ours", 30.0)
        assert isinstance(await theirs, Observation)

    assert outcome.values["Y"].value == pytest.approx(60 - 273.15)


async def test_a_unit_that_stays_busy_is_named_and_nothing_is_begun(furnace):
    async with opened(furnace.options(busy_s=0.1)) as resource, opened(furnace.options()) as other:
        theirs = asyncio.create_task(run(other, "long", 20.0, 0.8))
        await begun(furnace, "long")
        with pytest.raises(ResourceUnavailable, match=r"is busy: Execute \(Double-long\)\. Command late is not begun"):
            await run(resource, "late")
        await theirs

    assert furnace.tasks("late") == 0


async def test_a_refused_program_is_a_failure_with_the_servers_words(furnace):
    async with opened(furnace.options()) as resource:
        outcome = await run(resource, "hot", 180.0)

    assert "BadOutOfRange" in outcome.reason
    assert furnace.tasks("hot") == 0


async def test_an_output_that_the_result_lacks_is_a_failure_that_names_what_is_there(furnace):
    async with opened(furnace.options(capability={"outputs": {"Z": {}}})) as resource:
        outcome = await run(resource, "lacking")

    assert outcome == Failure(reason="the result Double-lacking has no variable Z. It has: Y, Peaks, Status.")


async def test_a_unit_that_the_file_does_not_give_is_asked_for(furnace):
    async with opened(furnace.options(capability={"outputs": {"Y": {}}})) as resource:
        outcome = await run(resource, "unitless")

    assert outcome == Failure(reason="the output Y is in 'K', and the file gives no unit. Add it: `unit: K`")


async def test_the_files_of_a_result_are_kept_and_of_one_that_lies_elsewhere_the_address(furnace):
    recorder = Keeping()
    async with opened(furnace.options(program="Curve")) as resource:
        outcome = await run(resource, "curve", recorder=recorder)
    async with opened(furnace.options(program="Curve")) as resource:
        assert isinstance(await resource.ask(command("curve")), Running)  # run it again to have its files
        assert await run(resource, "curve") == outcome

    assert len(outcome.objects) == 2
    assert recorder.files["curve.csv"] == b"t,T\n" + b"1,20\n" * 30_000
    assert recorder.files["raw.url"] == b"https://furnace/raw/1"
    assert furnace.tasks("curve") == 1


async def test_what_was_never_begun_is_known_only_while_the_unit_names_the_run_of_another(furnace):
    async with opened(furnace.options(exclusive=True)) as own, opened(furnace.options()) as shared:
        await run(own, "before")
        assert isinstance(await own.ask(command("unheard")), NeverStarted)
        assert isinstance(await shared.ask(command("unheard")), CannotTell)
    async with opened(furnace.options(exclusive=True, capacity=2)) as resource:
        assert isinstance(await resource.ask(command("unheard")), CannotTell)


async def test_stop_calls_the_units_stop_and_what_it_cut_short_is_suspect(furnace):
    async with opened(furnace.options()) as resource:
        running = asyncio.create_task(run(resource, "stopped", 20.0, 10.0))
        await begun(furnace, "stopped")
        await asyncio.sleep(0.2)
        await resource.stop()
        outcome = await running
        await resource.stop()  # it is at rest, and says so by refusing

    assert outcome.quality == "suspect"
    assert furnace.lines("orders")[-1] == "Stop"


async def test_stop_may_be_an_abort_which_is_a_failure(tmp_path):
    with another(tmp_path, "forgetting") as furnace:
        options = furnace.options(capability={"stop": "abort"}, exclusive=True, busy_s=0.1)
        async with opened(options) as resource:
            running = asyncio.create_task(run(resource, "aborted", 20.0, 10.0))
            await begun(furnace, "aborted")
            await asyncio.sleep(0.2)
            await resource.stop()
            outcome = await running
            assert await run(resource, "aborted") == outcome
            with pytest.raises(ResourceUnavailable, match=r"is Aborted; clear it at the device\. Command next is not"):
                await run(resource, "next")
        async with opened(options) as resource:  # its result is gone, so nobody knows
            assert isinstance(await resource.ask(command("aborted")), CannotTell)

        assert outcome == Failure(reason="the functional unit was aborted: it is Aborted (Double-aborted)")
        assert furnace.lines("orders") == ["Abort"]
        assert [one["task"] for one in furnace.started] == ["aborted"]


async def test_what_waits_for_the_unit_is_not_begun_after_a_stop(furnace):
    async with opened(furnace.options()) as resource, opened(furnace.options()) as other:
        theirs = asyncio.create_task(run(other, "first of two", 20.0, 10.0))
        await begun(furnace, "first of two")
        waiting = asyncio.create_task(run(resource, "second of two"))
        await asyncio.sleep(0.2)
        await resource.stop()
        assert await waiting == Failure(reason="it was stopped before it was sent")
        await theirs

    assert furnace.tasks("second of two") == 0


async def test_a_unit_that_aborts_itself_gives_a_failure_that_is_still_known_afterwards(tmp_path):
    with another(tmp_path) as furnace:
        async with opened(furnace.options(program="Jam")) as resource:
            outcome = await run(resource, "jam", 20.0, 0.5)
        async with opened(furnace.options(program="Jam")) as resource:
            assert await resource.ask(command("jam")) == Done(outcome=outcome)

        assert outcome == Failure(reason="the functional unit was aborted: it is Aborted (Jam-jam)")


async def test_a_unit_in_complete_is_reset_before_the_next_program(tmp_path):
    with another(tmp_path, "complete") as furnace:
        async with opened(furnace.options()) as resource:
            first, second = await run(resource, "one"), await run(resource, "two")

        assert first.quality == second.quality == "good"
        assert furnace.lines("orders") == ["Reset"]


@pytest.mark.parametrize("words", [("nameless",), ("late", "nameless", "bare")])
async def test_a_unit_that_says_less_gives_the_same_result(tmp_path, words):
    with another(tmp_path, *words) as furnace:
        names = {"t": "Temperature", "Seconds": "Seconds"}
        part = {"inputs": {n: {"property": p, "low": 0, "high": 99} for n, p in names.items()}}
        async with opened(furnace.options(capability=part)) as resource:
            first, second = await run(resource, "one"), await run(resource, "two", 30.0)
            assert await resource.ask(command("one")) == Done(outcome=first)

        assert first.quality == second.quality == "good"
        assert second.values["Y"].value == pytest.approx(60 - 273.15)
        assert [one["task"] for one in furnace.started] == ["one", "two"]


async def test_results_that_do_not_say_whose_they_are_serve_only_who_has_started_the_program(tmp_path):
    with another(tmp_path, "wordless") as furnace:
        async with opened(furnace.options(exclusive=True)) as resource:
            assert isinstance(await run(resource, "one"), Observation)
        async with opened(furnace.options(exclusive=True)) as resource:
            assert isinstance(await resource.ask(command("one")), CannotTell)


async def test_a_campaign_that_is_killed_goes_on_and_begins_nothing_twice(tmp_path):
    with another(tmp_path) as furnace:
        file = tmp_path / "campaign.yaml"
        file.write_text(json.dumps(CAMPAIGN | {"resources": {"furnace": furnace.options()}}))
        call = [sys.executable, "-m", "labwright", "run", str(file)]
        for begun_before in (0, 1):
            with subprocess.Popen(call, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
                while len(furnace.started) <= begun_before:
                    await asyncio.sleep(0.05)
                killed.kill()
        done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=True)

        tasks = [one["task"] for one in furnace.started]
        assert "finished after 3 of 3 trials" in done.stdout
        assert len(tasks) == len(set(tasks)) == 3


async def test_a_broken_connection_is_opened_again_while_it_runs(furnace):
    async with Relay(furnace.url) as relay, opened(furnace.options(url=relay.url)) as resource:
        waiting = asyncio.create_task(run(resource, "cut", 20.0, 0.8))
        await begun(furnace, "cut")
        relay.cut()
        outcome = await waiting

    assert outcome.values["Y"].value == pytest.approx(40 - 273.15)
    assert furnace.tasks("cut") == 1


async def test_an_order_whose_answer_is_lost_is_found_by_its_result_and_never_sent_again(furnace):
    slow = furnace.options(program="Slow answer")
    async with Relay(furnace.url) as relay, opened(slow | {"url": relay.url}) as resource:
        waiting = asyncio.create_task(run(resource, "unanswered", 20.0, 0.4))
        await begun(furnace, "unanswered")
        relay.cut()
        outcome = await waiting

    assert isinstance(outcome, Observation)
    assert furnace.tasks("unanswered") == 1


@pytest.mark.parametrize("exclusive", [True, False])
async def test_a_lost_order_without_a_result_yet_is_known_only_if_nobody_else_commands_the_unit(tmp_path, exclusive):
    with another(tmp_path, "late") as furnace:
        async with Relay(furnace.url) as relay:
            options = furnace.options(program="Slow answer", url=relay.url, exclusive=exclusive)
            async with opened(options) as resource:
                waiting = asyncio.create_task(run(resource, "lost", 20.0, 3.0))
                await begun(furnace, "lost")
                relay.cut()
                if exclusive:
                    assert isinstance(await waiting, Observation)
                else:
                    with pytest.raises(ResourceUnavailable, match="the connection broke while it was sent"):
                        await waiting
                    assert isinstance(await resource.ask(command("lost")), CannotTell | Done)

        assert furnace.tasks("lost") == 1


async def test_an_order_that_the_unit_never_took_up_is_not_sent_again(furnace):
    async with Relay(furnace.url) as relay, opened(furnace.options(program="Deaf", url=relay.url)) as resource:
        waiting = asyncio.create_task(run(resource, "unheard of"))
        await asyncio.sleep(0.3)
        relay.cut()
        with pytest.raises(ResourceUnavailable, match="not known: the connection broke while it was sent"):
            await waiting
        with pytest.raises(ResourceUnavailable, match="it was sent, and the connection broke"):
            await run(resource, "unheard of")

    assert furnace.tasks("unheard of") == 0


@pytest.mark.parametrize("words", [(), ("kept",)])
async def test_a_server_that_dies_in_the_middle_leaves_the_command_unknown_and_is_never_asked_twice(tmp_path, words):
    with another(tmp_path, *words) as furnace:
        async with opened(furnace.options(exclusive=True)) as resource:
            await run(resource, "before")
            waiting = asyncio.create_task(run(resource, "killed", 20.0, 10.0))
            await begun(furnace, "killed")
            furnace.kill()
            furnace.begin()
            with pytest.raises(ResourceUnavailable, match="what came of command killed is not known"):
                await waiting
            assert isinstance(await resource.ask(command("killed")), CannotTell)
        async with opened(furnace.options(exclusive=True)) as resource:
            assert isinstance(await resource.ask(command("killed")), CannotTell)
            answer = await resource.ask(command("before"))

        assert isinstance(answer, Done if words else CannotTell)
        assert furnace.tasks("killed") == 1


async def test_a_command_that_outlives_its_deadline_goes_on_and_is_taken_up_again(furnace):
    async with opened(furnace.options()) as resource:
        with pytest.raises(ResourceUnavailable, match=r"has not ended within 0\.3 s"):
            await run(resource, "slow", 20.0, 1.0, timeout_s=0.3)
        assert isinstance(await resource.ask(command("slow")), Running)
        assert isinstance(await run(resource, "slow"), Observation)
    assert furnace.tasks("slow") == 1


async def test_programs_of_one_unit_that_are_stopped_in_two_ways_are_refused(furnace):
    options = furnace.options()
    options["capabilities"]["cool"] = options["capabilities"]["heat"] | {"stop": "abort"}

    with pytest.raises(ValueError, match="stopped by stop and by abort; choose one for all programs"):
        OpcUaResource.Options.model_validate(options)
