"""The SiLA 2 resource against a real server in a process of its own."""

import asyncio
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from labwright.core.command import CannotTell, Command, Failure, Observation, Running
from labwright.core.errors import InvalidInput, InvalidUnit, MissingExtra, ResourceUnavailable
from labwright.core.recorder import Silent
from labwright.resources.sila import SilaResource
from labwright.testing import Relay
from labwright.testing.hostile import Hostile

SCRIPT = Path(__file__).parent / "sila" / "server.py"
DOUBLE, HEAT, TUNE = ({"command": f"Oven/{name}"} for name in ("Double", "Heat", "Tune"))


class Oven:
    """A server's process, its address, and what it has physically begun."""

    def __init__(self, folder: Path, *how: str) -> None:
        self.folder, self.how = folder, how
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"sila://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        call = [sys.executable, str(SCRIPT), str(self.folder), str(self.port), *self.how]
        self.process = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        self.process.kill()
        self.close()

    def close(self) -> None:
        with self.process:  # its input ends, and so does it
            pass

    def begun(self) -> list[str]:
        file = self.folder / "begun"
        return file.read_text().splitlines() if file.exists() else []


@contextmanager
def started(folder: Path, *how: str):
    oven = Oven(folder, *how)
    try:
        yield oven
    finally:
        oven.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with started(tmp_path_factory.mktemp("oven"), "cancel") as oven:
        yield oven


@pytest.fixture
def oven(shared):
    (shared.folder / "begun").unlink(missing_ok=True)
    return shared


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    with started(tmp_path_factory.mktemp("secured"), "secured") as oven:
        yield oven


@asynccontextmanager
async def opened(url, folder=Path(), capabilities=None, **options):
    if capabilities is not None:
        options["capabilities"] = capabilities
    options = {"kind": "sila", "url": url, "insecure": True} | options
    async with SilaResource.open("oven", SilaResource.Options.model_validate(options), folder) as resource:
        yield resource


async def run(resource, capability, command_id="c1", epoch=1, recorder=None, timeout_s=None, **inputs):
    command = Command(command_id=command_id, epoch=epoch, capability=capability, inputs=inputs, timeout_s=timeout_s)
    return await resource.run(command, recorder or Silent())


async def ask(resource, capability, command_id="c1"):
    return await resource.ask(Command(command_id=command_id, epoch=1, capability=capability, inputs={}))


def named(resource, name):
    return next(c for c in resource.capabilities() if c.name == name)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def refusal(oven, kind=InvalidInput, folder=Path(), **options):
    with pytest.raises(kind) as refused:
        async with opened(oven.url, folder, **options):
            pass
    return str(refused.value)


# What is offered


async def test_every_command_is_offered_with_units_limits_and_levels_as_the_server_says_them(oven):
    async with opened(oven.url) as resource:
        double, heat, tune = (named(resource, f"Oven.{name}") for name in ("Double", "Heat", "Tune"))

    [x] = double.inputs
    assert (x.unit, x.low, x.high) == ("degC", 0, 200)
    assert [(o.name, o.unit) for o in double.outputs] == [("Y", "degC")]  # the label is C, which is no unit of heat
    duration = heat.input("Duration")
    assert (duration.unit, duration.low > 0, duration.high) == ("sec", True, 60)
    assert [o.name for o in heat.outputs] == ["Reached", "Steps", "Curve"]
    assert [o.file for o in heat.outputs] == [False, False, True]
    assert {i.name: i.levels for i in tune.inputs} == {
        "Speed": (1, 2, 5),
        "Mode": ("slow", "fast"),
        "Quiet": (0, 1),
        "Note": None,
    }
    assert not heat.queryable


async def test_a_command_that_takes_a_list_is_not_offered_and_whoever_names_it_is_told_why(oven):
    async with opened(oven.url) as resource:
        offered = {c.name for c in resource.capabilities()}

    assert "Oven.Program" not in offered
    told = await refusal(oven, capabilities={"ramp": {"command": "Oven/Program"}})
    assert "oven.ramp.Ramp: the parameter Ramp is a List" in told


async def test_the_file_names_narrows_and_adds_and_what_it_does_not_name_keeps_its_name(oven):
    part = {
        "command": "org.labwright/tests/Oven/v1/Heat",
        "inputs": {"temperature": {"parameter": "Target", "low": 50, "high": 500}},
        "outputs": {"final": {"response": "Reached"}, "serial": "Oven/Serial", "now": "Oven/Current"},
    }

    async with opened(oven.url, capabilities={"anneal": part}) as resource:
        [anneal] = resource.capabilities()
        outcome = await run(resource, "anneal", temperature=60, Duration=0.1)

    assert next((i.name, i.low, i.high) for i in anneal.inputs) == ("temperature", 50, 200)
    assert {name: m.value for name, m in outcome.values.items()} == {
        "final": 60,
        "serial": "0815",
        "now": 60,
        "Steps": 10,
        "Curve": f"sha256:{sha256(b'curve').hexdigest()}",
    }
    assert {name: m.unit for name, m in outcome.values.items()} == {o.name: o.unit for o in anneal.outputs}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"command": "Oven/Bake"}, "there is no command 'Oven/Bake'. The server has: Oven/Double, Oven/Heat"),
        (DOUBLE | {"inputs": {"Z": {"low": 1}}}, "Double has no parameter 'Z'. It has: X."),
        (DOUBLE | {"inputs": {"X": {"low": 300}}}, "the file says 300 to any, the server 0 to 200"),
        (DOUBLE | {"outputs": {"Z": {"unit": "K"}}}, "Double has no response 'Z'. It has: Y."),
        (DOUBLE | {"outputs": {"z": "Oven/Nothing"}}, "there is no property 'Oven/Nothing'"),
        (HEAT | {"outputs": {"Curve": {}}}, "Curve is a Binary; an output is a number"),
        (TUNE | {"inputs": {"Speed": {"levels": [3, 4]}}}, "no value is allowed"),
        (TUNE | {"inputs": {"Note": {"high": 3}}}, "Note is a String, which has no unit, low or high"),
        (HEAT | {"outputs": {"Steps": {"response": "Reached"}}}, "two are named 'Steps'"),
        (HEAT | {"fixed": {"Power": 1}}, "it.fixed: Heat has no parameter 'Power'. It has: Target, Duration."),
        (HEAT | {"fixed": {"Duration": 61}}, "it.fixed.Duration: "),
        (HEAT | {"fixed": {"Target": 60}, "inputs": {"Target": {"high": 80}}}, "Target is an input and fixed"),
    ],
)
async def test_what_does_not_fit_the_server_is_refused_before_anything_moves(oven, part, words):
    assert words in await refusal(oven, capabilities={"it": part})
    assert oven.begun() == []


async def test_a_unit_that_differs_from_the_servers_is_refused(oven):
    part = {"inputs": {"X": {"unit": "K"}}}

    told = await refusal(oven, InvalidUnit, capabilities={"it": DOUBLE | part})

    assert "oven.it.X: the file says 'K', but the server says '°C' (x 1 + 273.15 in K)" in told


async def test_two_definitions_of_one_feature_are_never_taken_for_each_other(oven, tmp_path):
    with started(tmp_path, "other") as other:
        async with opened(oven.url):
            told = await refusal(other)

    assert "org.labwright/tests/Oven/v1 cannot be read: another server has a feature of that name" in told


async def test_what_a_library_needs_for_itself_is_not_handed_to_other_programs(oven):
    async with opened(oven.url):
        assert "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION" not in os.environ


# Commands


async def test_an_unobservable_command_answers_with_its_outputs(oven):
    async with opened(oven.url) as resource:
        outcome = await run(resource, "Oven.Double", X=20.0)
        told = await run(resource, "Oven.Tune", "c2", Speed=5, Mode="fast", Quiet=1, Note="µ")

    assert outcome.values["Y"].value == 40
    assert {name: m.value for name, m in told.values.items()} == {"WasQuiet": 1, "Said": "5 fast µ"}


async def test_an_observable_command_tells_how_far_it_is_and_streams_what_it_measures(oven):
    recorder = Silent()
    seen = []
    recorder.progress = lambda fraction, text="": seen.append((fraction, text))
    telemetry = {"channels": {"temperature": "Oven/Current"}}

    async with opened(oven.url, telemetry=telemetry) as resource:
        outcome = await run(resource, "Oven.Heat", recorder=recorder, Target=100.0, Duration=0.3)

    assert outcome.values["Reached"].value == 100
    assert outcome.objects == (f"sha256:{sha256(b'curve').hexdigest()}",)
    assert (0.5, "running") in seen
    by_channel = {name: [v for n, _, v, _ in recorder.samples if n == name] for name in ("Now", "temperature")}
    assert by_channel["Now"] == [10.0 * step for step in range(1, 11)]
    assert by_channel["temperature"][-9:] == [10.0 * step for step in range(2, 11)]
    assert recorder.gaps == []


async def test_a_response_too_large_for_one_message_is_fetched_in_pieces_and_kept(oven):
    async with opened(oven.url) as resource:
        outcome = await run(resource, "Oven.Heat", Target=199, Duration=0.01)

    assert outcome.objects == (f"sha256:{sha256(b'curve' * 500_000).hexdigest()}",)


async def test_a_known_command_is_taken_up_and_never_sent_twice(oven):
    async with opened(oven.url) as resource:
        both = await asyncio.gather(*(run(resource, "Oven.Heat", Target=50, Duration=0.3) for _ in range(2)))
        again = await run(resource, "Oven.Heat", epoch=2, Target=50, Duration=0.3)

    assert both == [again, again]
    assert oven.begun() == ["Heat 50"]


async def test_a_command_that_nobody_waited_for_goes_on_and_is_taken_up(oven):
    async with opened(oven.url) as resource:
        with pytest.raises(ResourceUnavailable, match=r"has not ended within 0.2 s; it may still go on"):
            await run(resource, "Oven.Heat", timeout_s=0.2, Target=50, Duration=1)
        answer = await ask(resource, "Oven.Heat")
        outcome = await run(resource, "Oven.Heat", Target=50, Duration=1)

    assert answer == Running()
    assert outcome.values["Reached"].value == 50
    assert oven.begun() == ["Heat 50"]


async def test_another_process_cannot_tell_what_became_of_a_command(oven):
    async with opened(oven.url) as resource, opened(oven.url) as another:
        await run(resource, "Oven.Double", X=1)
        answer = await ask(another, "Oven.Double")

    assert isinstance(answer, CannotTell)


async def test_a_server_that_does_not_accept_it_yet_is_told_again_until_it_does(oven):
    async with opened(oven.url) as resource:
        outcome = await run(resource, "Oven.Double", X=77)

    assert outcome.values["Y"].value == 154
    assert oven.begun() == ["Double 77"]


async def test_a_server_that_never_accepts_it_has_not_begun_it(oven):
    async with opened(oven.url, busy_s=0.2) as resource:
        with pytest.raises(ResourceUnavailable, match=r"does not accept Double now \(for ever\): not begun"):
            await run(resource, "Oven.Double", X=78)
        assert (await run(resource, "Oven.Double", X=1)).values["Y"].value == 2  # it was never sent

    assert oven.begun() == ["Double 1"]


async def test_a_command_that_nobody_waits_for_any_more_is_not_sent_later(oven):
    async with opened(oven.url) as resource:
        with pytest.raises(ResourceUnavailable, match=r"has not ended within 0.2 s; it is not begun"):
            await run(resource, "Oven.Double", timeout_s=0.2, X=76)
        await asyncio.sleep(0.6)  # it would be accepted by now
        begun = oven.begun()
        outcome = await run(resource, "Oven.Double", X=76)

    assert begun == []
    assert outcome.values["Y"].value == 152


@pytest.mark.parametrize(
    ("capability", "inputs", "words"),
    [
        ("Oven.Double", {"X": 13}, "DoorOpen: close it first"),
        ("Oven.Heat", {"Target": 13, "Duration": 1}, "DoorOpen: close it first"),
        ("Oven.Double", {"X": 14}, "RuntimeError - the fuse"),
        ("Oven.Double", {"X": 15}, "X: the sample would burn"),
    ],
)
async def test_an_error_of_the_server_is_a_failure_in_its_words(oven, capability, inputs, words):
    async with opened(oven.url) as resource:
        assert await run(resource, capability, **inputs) == Failure(reason=words)


TUNED = {"Speed": 1, "Mode": "slow", "Quiet": 0, "Note": ""}
HOSTILE = [
    ("Oven.Double", {"X": value})
    for value in (math.nan, math.inf, -math.inf, 10**400, -1, 200.1, "20", True, None, [1], {"value": 1}, b"1")
]
HOSTILE += [("Oven.Double", inputs) for inputs in ({}, {"X": 1, "Y": 1}, {"x": 1})]
HOSTILE += [("Oven.Heat", {"Target": 1, "Duration": 0})]
HOSTILE += [
    ("Oven.Tune", TUNED | changed)
    for changed in (
        {"Speed": 3},
        {"Speed": 1.5},
        {"Speed": 2**63},
        {"Mode": "Slow"},
        {"Mode": 1},
        {"Quiet": 2},
        {"Quiet": "yes"},
        {"Note": "n" * (2**21 + 1)},
        {"Note": "half \ud800"},
    )
]


async def test_no_hostile_value_is_sent(oven):
    async with opened(oven.url) as resource:
        outcomes = [await run(resource, name, f"h{i}", **inputs) for i, (name, inputs) in enumerate(HOSTILE)]

    assert [outcome for outcome in outcomes if not isinstance(outcome, Failure)] == []
    assert all(len(outcome.reason) < 200 for outcome in outcomes)
    assert oven.begun() == []


async def test_of_a_thousand_hostile_commands_the_server_is_sent_none(oven):
    right = Command(command_id="right", epoch=1, capability="Oven.Heat", inputs={"Target": 50, "Duration": 0.1})
    async with opened(oven.url) as resource:
        for wrong in Hostile(right=right).commands(1000):
            try:
                outcome = await resource.run(wrong, Silent())
            except InvalidInput as error:
                outcome = Failure(reason=str(error))
            assert isinstance(outcome, Failure), wrong
    assert oven.begun() == []


async def test_the_limits_of_the_file_hold_at_the_device_as_well(oven):
    async with opened(oven.url, capabilities={"it": DOUBLE | {"inputs": {"X": {"high": 30}}}}) as resource:
        outcome = await run(resource, "it", X=31)

    assert outcome == Failure(reason="X = 31 is not within 0 to 30")


# Stop


@pytest.mark.parametrize(("options", "called"), [({"stop": "Oven/Halt"}, "Halt"), ({}, "CancelAll")])
async def test_stop_is_accepted_during_a_run_which_then_has_failed(oven, options, called):
    async with opened(oven.url, **options) as resource:
        running = asyncio.create_task(run(resource, "Oven.Heat", Target=50, Duration=30))
        await until(oven.begun)
        await resource.stop()
        outcome = await running

    assert outcome == Failure(reason="RuntimeError - it was halted")
    assert oven.begun() == ["Heat 50", called]


async def test_what_waits_to_be_accepted_is_not_sent_after_a_stop(oven):
    async with opened(oven.url) as resource:
        waiting = asyncio.create_task(run(resource, "Oven.Double", X=78))
        await asyncio.sleep(0.2)
        await resource.stop()
        outcome = await waiting
        again = await run(resource, "Oven.Double", X=78)

    assert outcome == again == Failure(reason="it was stopped before it was sent")
    assert oven.begun() == ["CancelAll"]


class Swallowing(Relay):
    """Once it swallows, what comes over the connections that there are is lost, and nobody is told."""

    def swallow(self) -> None:
        for pump in self._pumps:
            pump.cancel()


async def test_over_a_dead_connection_stop_and_the_next_command_find_a_new_one(oven):
    async with Swallowing(oven.url) as relay, opened(relay.url, timeout_s=0.2) as resource:
        relay.swallow()
        await resource.stop()
        outcome = await run(resource, "Oven.Double", X=1)

    assert outcome.values["Y"].value == 2
    assert oven.begun() == ["CancelAll", "Double 1"]


async def test_a_server_without_a_stop_says_so(secured):
    async with opened(secured.url, secured.folder, insecure=False, root_certificate="server.pem") as resource:
        with pytest.raises(ResourceUnavailable, match=r"declares no stop, and its server no CancelController"):
            await resource.stop()


async def test_a_stop_that_takes_parameters_is_refused_at_the_start(oven):
    assert "Oven/Double takes parameters; a stop must not need any" in await refusal(oven, stop="Oven/Double")


# What breaks


async def test_a_missing_extra_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sila2", None)
    nowhere = type("Nowhere", (), {"url": "sila://127.0.0.1:9"})

    assert "pip install '.[sila]'" in await refusal(nowhere, MissingExtra)


@pytest.mark.parametrize("insecure", [True, False])
async def test_a_server_that_is_not_there_is_named_within_seconds(insecure):
    nowhere = type("Nowhere", (), {"url": "sila://127.0.0.1:9"})

    told = await refusal(nowhere, ResourceUnavailable, insecure=insecure)

    assert "the SiLA server at sila://127.0.0.1:9 cannot be reached" in told
    assert "Connection refused. Is it running" in told


async def test_a_server_that_never_answers_is_named_within_the_time_limit():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        oven = type("Silent", (), {"url": f"sila://127.0.0.1:{silent.getsockname()[1]}"})

        told = await refusal(oven, ResourceUnavailable, timeout_s=0.3)

    assert "no answer in time" in told


async def test_a_connection_lost_in_the_middle_is_made_again_and_the_end_is_known(oven):
    recorder = Silent()
    telemetry = {"channels": {"temperature": "Oven/Current"}}
    async with Relay(oven.url) as relay, opened(relay.url, telemetry=telemetry) as resource:
        running = asyncio.create_task(run(resource, "Oven.Heat", recorder=recorder, Target=50, Duration=1))
        await asyncio.sleep(0.3)
        relay.cut()
        outcome = await running

    assert outcome.values["Reached"].value == 50
    assert oven.begun() == ["Heat 50"]
    assert {gap.channel for gap in recorder.gaps} == {"temperature", "Now"}
    assert all(gap.start < gap.end for gap in recorder.gaps)
    assert [v for name, _, v, _ in recorder.samples if name == "Now"][-1] == 50


async def test_a_connection_that_dies_without_a_word_is_noticed_and_the_end_is_known(oven):
    async with Swallowing(oven.url) as relay, opened(relay.url, timeout_s=0.2) as resource:
        running = asyncio.create_task(run(resource, "Oven.Heat", Target=50, Duration=1))
        await until(oven.begun)
        relay.swallow()
        outcome = await running

    assert outcome.values["Reached"].value == 50
    assert oven.begun() == ["Heat 50"]


async def test_a_connection_that_does_not_come_back_leaves_the_end_unknown(oven):
    async with Relay(oven.url) as relay, opened(relay.url, reconnect_s=0.5) as resource:
        running = asyncio.create_task(run(resource, "Oven.Heat", Target=50, Duration=1))
        await until(oven.begun)
        relay.close()
        relay.cut()
        with pytest.raises(ResourceUnavailable, match=r"what came of command c1 \(Heat\) is not known"):
            await running
        answer = await ask(resource, "Oven.Heat")

    assert isinstance(answer, CannotTell)


async def test_an_unobservable_command_whose_connection_broke_is_unknown_and_not_sent_again(oven):
    async with Relay(oven.url) as relay, opened(relay.url) as resource:
        running = asyncio.create_task(run(resource, "Oven.Double", X=16))
        await until(oven.begun)
        relay.cut()
        with pytest.raises(ResourceUnavailable, match=r"it is not known whether it began"):
            await running
        with pytest.raises(ResourceUnavailable, match=r"it is not known whether it began"):
            await run(resource, "Oven.Double", X=16)
        begun = oven.begun()
        decided = await run(resource, "Oven.Double", epoch=2, X=16)  # somebody has decided that it never ran

    assert begun == ["Double 16"]
    assert decided.values["Y"].value == 32


async def test_a_server_that_is_killed_in_the_middle_leaves_the_end_unknown(tmp_path):
    oven = Oven(tmp_path)
    async with opened(oven.url, reconnect_s=15) as resource:
        running = asyncio.create_task(run(resource, "Oven.Heat", Target=50, Duration=30))
        await until(oven.begun)
        oven.kill()
        await asyncio.to_thread(oven.start)
        with pytest.raises(ResourceUnavailable, match=r"is not known: the server cannot say .* it may have restarted"):
            await running
        answer = await ask(resource, "Oven.Heat")
        outcome = await run(resource, "Oven.Double", "c2", X=1)
    oven.close()

    assert isinstance(answer, CannotTell)
    assert outcome.values["Y"].value == 2
    assert oven.begun() == ["Heat 50", "Double 1"]


async def test_the_event_loop_goes_on_while_the_server_is_silent(oven):
    async with opened(oven.url, timeout_s=1) as resource:
        oven.process.send_signal(signal.SIGSTOP)
        try:
            running = asyncio.create_task(run(resource, "Oven.Double", X=1))
            turns = 0
            async with asyncio.timeout(0.3):
                while not running.done():
                    await asyncio.sleep(0.01)
                    turns += 1
        except TimeoutError:
            pass
        finally:
            oven.process.send_signal(signal.SIGCONT)
        outcome = await running

    assert turns > 5
    assert outcome.values["Y"].value == 2


# Trust


async def test_a_connection_is_never_trusted_by_itself_and_the_certificate_is_kept_for_a_person(secured, tmp_path):
    told = await refusal(secured, ResourceUnavailable, tmp_path, insecure=False)

    [kept] = (tmp_path / "pki" / "rejected").iterdir()
    assert kept.read_text() == (secured.folder / "server.pem").read_text()
    assert "shows a certificate that nobody has trusted here: SHA-256" in told
    assert f"It is kept as {kept}" in told
    trusted = re.search(r"say `root_certificate: (\S+)`", told)[1]
    (tmp_path / "pki" / "trusted").mkdir()
    shutil.move(kept, tmp_path / trusted)
    async with opened(secured.url, tmp_path, insecure=False, root_certificate=trusted) as resource:
        assert (await run(resource, "Oven.Double", X=1)).values["Y"].value == 2


async def test_a_server_with_another_certificate_is_refused(secured, oven, tmp_path):
    other = tmp_path / "other.pem"
    with started(tmp_path, "secured"):
        shutil.copy(tmp_path / "server.pem", other)

    told = await refusal(secured, ResourceUnavailable, tmp_path, insecure=False, root_certificate="other.pem")

    assert "shows a certificate that is not that of `root_certificate`" in told
    assert len(list((tmp_path / "pki" / "rejected").iterdir())) == 1


async def test_a_certificate_for_another_host_is_refused_unless_that_host_is_named(secured, tmp_path):
    secure = {"insecure": False, "root_certificate": secured.folder / "server.pem"}
    elsewhere = type("Elsewhere", (), {"url": f"sila://localhost:{secured.port}"})

    told = await refusal(elsewhere, ResourceUnavailable, tmp_path, **secure)

    assert "does not name that host (see `certificate_name`)" in told
    async with opened(elsewhere.url, tmp_path, certificate_name="127.0.0.1", **secure) as resource:
        assert (await run(resource, "Oven.Double", X=1)).values["Y"].value == 2


async def test_an_open_server_is_not_used_by_itself(oven, tmp_path):
    told = await refusal(oven, ResourceUnavailable, tmp_path, insecure=False)
    assert "offers no protected connection (WRONG_VERSION_NUMBER). Nothing was sent." in told
    told = await refusal(oven, InvalidInput, tmp_path, insecure=False, root_certificate="nothing.pem")
    assert "nothing.pem cannot be read" in told


async def test_a_protected_server_is_not_reached_over_an_open_connection(secured):
    assert "leave `insecure` out" in await refusal(secured, ResourceUnavailable)


async def test_a_server_that_wants_to_know_its_clients_is_shown_our_certificate(tmp_path):
    with started(tmp_path, "mutual") as oven:
        secure = {"insecure": False, "root_certificate": "server.pem"}
        told = await refusal(oven, ResourceUnavailable, tmp_path, **secure)
        ours = {"certificate": "server.pem", "key": "server.key"}
        async with opened(oven.url, tmp_path, **secure, **ours) as resource:
            outcome = await run(resource, "Oven.Double", X=1)

    assert "cannot be reached" in told
    assert outcome.values["Y"].value == 2


# Telemetry


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ("Oven/Serial", "Oven/Serial is not observable"),
        ({"property": "Oven/Current", "kind": "word"}, "Oven/Current is a Real; its kind here is word"),
        ({"property": "Oven/Current", "unit": "bar"}, "the file says 'bar'"),
    ],
)
async def test_a_channel_that_cannot_be_followed_is_refused_at_the_start(oven, channel, words):
    assert words in await refusal(oven, telemetry={"channels": {"it": channel}})


async def test_an_observation_has_what_was_asked_for(oven):
    async with opened(oven.url) as resource:
        outcome = await run(resource, "Oven.Halt")

    assert outcome == Observation(values={})
