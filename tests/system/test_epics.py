"""The EPICS resource against a real IOC in a process of its own, over Channel Access and PVAccess."""

import asyncio
import contextlib
import math
import os
import random
import signal
import socket
import struct
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from labwright.core.command import CannotTell, Command, Done, Failure, Observation, Running
from labwright.core.errors import InvalidInput, InvalidUnit, MissingExtra, ResourceUnavailable
from labwright.core.recorder import Silent
from labwright.core.telemetry import Quality
from labwright.resources.epics import EpicsResource
from labwright.resources.epics.wire import Lost
from labwright.testing import Relay

SCRIPT = Path(__file__).parent / "epics" / "ioc.py"
STATES = {"running": ["running"]}
HEAT = {
    "inputs": {"x": "SP", "steps": "COUNT"},
    "start": "START",
    "command_id": "ID",
    "state": "STATE",
    "states": {"idle": ["idle", "asleep"]},
    "reason": "WHY",
    "progress": "PROGRESS",
    "outputs": {"y": "Y"},
}
NAMELESS = {k: v for k, v in HEAT.items() if k != "command_id"} | {"start": "GO"}
SET = {"inputs": {"x": {"pv": "SP", "readback": "RBV", "tolerance": 0.1}}, "outputs": {"y": "RBV"}}
ONLY_SET = {"inputs": {"x": "SP"}}


class Ioc:
    """A process with an IOC, and what was put to it."""

    def __init__(self, folder: Path, device: str, ports: list[str]) -> None:
        self.folder, self.device, self.ports = folder, device, ports
        self.start()

    def start(self) -> None:
        call = [sys.executable, str(SCRIPT), str(self.folder), self.device, *self.ports]
        self.process = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.wait_for(b"ready\n")

    def wait_for(self, said: bytes) -> None:
        while line := self.process.stdout.readline():
            if line == said:
                return
        raise AssertionError("the IOC has ended")

    def kill(self) -> None:
        self.process.kill()
        self.close()

    def close(self) -> None:
        with self.process:  # its input ends, and so does it
            pass

    def put(self) -> list[str]:
        if self.process.poll() is None:
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()
            self.wait_for(b"written\n")
        file = self.folder / "begun"
        return file.read_text().splitlines() if file.exists() else []


def listed(number: int) -> list[str]:
    """Ports at which the clients of this process search."""
    lists = [os.environ[f"EPICS_{name}_ADDR_LIST"].split()[number] for name in ("CA", "PVA")]
    return [found.rpartition(":")[2] for found in lists]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    ioc = Ioc(tmp_path_factory.mktemp("ioc"), "LAB", listed(0))
    yield ioc
    ioc.close()


@pytest.fixture
def ioc(shared):
    shared.put()
    (shared.folder / "begun").unlink(missing_ok=True)
    return shared


@pytest.fixture
def own(tmp_path):
    """An IOC that a test may kill."""
    ioc = Ioc(tmp_path, "OWN", listed(1))
    yield ioc
    ioc.kill()


both = pytest.mark.parametrize("protocol", ["ca", "pva"])


@asynccontextmanager
async def opened(ioc, capabilities, **options):
    options = {"kind": "epics", "prefix": f"{ioc.device}:", "capabilities": capabilities, "timeout_s": 2} | options
    async with EpicsResource.open("oven", EpicsResource.Options.model_validate(options), Path()) as resource:
        yield resource


async def run(resource, capability, command_id="c1", epoch=1, recorder=None, timeout_s=None, **inputs):
    command = Command(command_id=command_id, epoch=epoch, capability=capability, inputs=inputs, timeout_s=timeout_s)
    return await resource.run(command, recorder or Silent())


async def ask(resource, capability, command_id="c1"):
    return await resource.ask(Command(command_id=command_id, epoch=1, capability=capability, inputs={}))


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def refusal(ioc, capabilities, kind=InvalidInput, **options):
    with pytest.raises(kind) as refused:
        async with opened(ioc, capabilities, **options):
            pass
    return str(refused.value)


# What is offered


@both
async def test_units_limits_and_choices_are_those_of_the_ioc(ioc, protocol):
    part = {"inputs": {"x": "SP", "n": "COUNT", "mode": "MODE", "name": "NAME", "free": "FREE"}, "outputs": {"y": "Y"}}

    async with opened(ioc, {"set": part}, protocol=protocol) as resource:
        [capability] = resource.capabilities()

    told = {i.name: (i.unit, i.low, i.high, i.levels) for i in capability.inputs}
    assert told == {
        "x": ("degC", 0, 200, None),
        "n": (None, 1, 50, None),
        "mode": (None, None, None, ("slow", "fast", "idle")),
        "name": (None, None, None, None),
        "free": (None, None, None, None),
    }
    assert [(o.name, o.unit) for o in capability.outputs] == [("y", "degC")]
    assert not capability.queryable
    assert ioc.put() == []


async def test_the_file_may_narrow_what_the_ioc_says_and_never_widens_it(ioc):
    inputs = {"x": {"pv": "SP", "low": -5, "high": 60}, "mode": {"pv": "MODE", "levels": ["fast"]}}

    async with opened(ioc, {"set": {"inputs": inputs}}) as resource:
        [capability] = resource.capabilities()

    assert (capability.input("x").low, capability.input("x").high) == (0, 60)
    assert capability.input("mode").levels == ("fast",)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"inputs": {"x": {"pv": "SP", "low": 300}}}, "the file says 300 to any, the IOC 0 to 200"),
        (
            {"inputs": {"x": {"pv": "MODE", "levels": ["Fast"]}}},
            "the file says Fast; ca://LAB:MODE is slow, fast, idle",
        ),
        ({"inputs": {"x": {"pv": "MODE", "high": 1}}}, "is an enum, which has no low, high or tolerance"),
        ({"inputs": {"x": {"pv": "NAME", "unit": "mm"}}}, "is a text, which has no unit"),
        ({"inputs": {"x": "WAVE"}}, "ca://LAB:WAVE is an array or a structure; an input is a number or a word"),
        ({"outputs": {"y": "WAVE"}}, "ca://LAB:WAVE is an array or a structure; an output is a number or a word"),
        ({"inputs": {"x": {"pv": "SP", "readback": "MODE"}}}, "is a number, and its readback ca://LAB:MODE an enum"),
        ({"start": {"pv": "MODE", "value": "off"}}, "found 'off', expected one of slow, fast, idle"),
        ({"start": {"pv": "SP", "value": 900}}, "900 is not within 0 to 200"),
        (HEAT | {"start": "GO"}, "oven.it.start: ca://LAB:GO is an enum; the command's id is a text"),
        (HEAT | {"states": {}}, "ca://LAB:STATE may say 'asleep', and nothing says what that means"),
    ],
)
async def test_what_does_not_fit_the_ioc_is_refused_before_anything_moves(ioc, part, words):
    assert words in await refusal(ioc, {"it": part})
    assert ioc.put() == []


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({}, "nothing would be done"),
        ({"inputs": {"x": "SP"}, "progress": "P"}, "progress: needs state:"),
        ({"inputs": {"x": "SP"}, "command_id": "ID"}, "command_id: needs start:"),
        (HEAT | {"start": {"pv": "START", "value": 1}}, "the id is put to start:"),
        (HEAT | {"command_id": "START"}, "must be another PV than start:"),
        ({"outputs": {"y": "Y"}, "state": "STATE"}, "needs start: or inputs:"),
        ({"inputs": {"x": "with space"}}, "String should match pattern"),
        ({"inputs": {"x": {"pv": "SP", "high": True}}}, "it is read as true or false"),
    ],
)
async def test_a_file_that_makes_no_sense_is_refused_without_a_connection(part, words):
    with pytest.raises(ValueError, match=words):
        EpicsResource.Options.model_validate({"capabilities": {"it": part}})


@pytest.mark.parametrize(
    ("pv", "unit", "words"),
    [
        ("SP", "K", "the file says 'K', but the IOC says 'degC'. Write 'degC'"),
        ("COULOMB", None, "is 'C', which is the coulomb, and may be meant for degrees Celsius"),
        ("ODD", None, "the unit (EGU) of ca://LAB:ODD is 'blinks'"),
    ],
)
async def test_a_unit_that_differs_or_cannot_be_read_is_refused(ioc, pv, unit, words):
    assert words in await refusal(ioc, {"it": {"inputs": {"x": {"pv": pv, "unit": unit}}}}, InvalidUnit)


async def test_a_person_may_say_what_the_iocs_unit_means(ioc):
    async with opened(ioc, {"it": {"inputs": {"x": {"pv": "COULOMB", "unit": "degC"}}}}) as resource:
        assert resource.capabilities()[0].inputs[0].unit == "degC"


@both
async def test_a_pv_that_is_not_there_is_named_within_the_time_limit(ioc, protocol):
    told = await refusal(ioc, {"it": {"outputs": {"y": "NOPE"}}}, ResourceUnavailable, protocol=protocol, timeout_s=0.5)

    assert f"no IOC answered for {protocol}://LAB:NOPE within 0.5 s, searched as the environment says" in told
    assert f"EPICS_{protocol.upper()}_ADDR_LIST=127.0.0.1:" in told


async def test_a_missing_extra_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "aioca", None)
    nowhere = type("Nowhere", (), {"device": "NOWHERE"})

    assert "pip install '.[epics]'" in await refusal(nowhere, {"it": ONLY_SET}, MissingExtra)


# Where IOCs are searched


async def test_pvaccess_is_searched_at_the_addresses_of_the_file_and_nowhere_else(ioc):
    there, elsewhere = (f"pva://127.0.0.1:{port}" for port in (ioc.ports[1], 9))
    async with opened(ioc, {"set": ONLY_SET}, protocol="pva", addresses=[there]) as resource:
        outcome = await run(resource, "set", x=20)
    told = await refusal(
        ioc, {"set": ONLY_SET}, ResourceUnavailable, protocol="pva", addresses=[elsewhere], timeout_s=0.5
    )

    assert outcome == Observation(values={})
    assert "searched at 127.0.0.1:9 (`addresses`)" in told


async def test_channel_access_is_searched_at_one_list_in_a_process_and_another_is_refused(ioc):
    same = [f"ca://{address}" for address in os.environ["EPICS_CA_ADDR_LIST"].split()]
    async with opened(ioc, {"set": ONLY_SET}, addresses=same) as resource:
        outcome = await run(resource, "set", x=20)
    told = await refusal(ioc, {"set": ONLY_SET}, addresses=["ca://192.0.2.1"])

    assert outcome == Observation(values={})
    assert "Channel Access is to search at 192.0.2.1, but this process searches at 127.0.0.1:" in told


async def test_a_pv_of_a_protocol_without_an_address_is_refused(ioc):
    told = await refusal(ioc, {"set": {"inputs": {"x": "ca://LAB:SP"}}}, addresses=["pva://127.0.0.1"])

    assert "addresses: there is none with ca://, so its PVs cannot be found" in told


CAMPAIGN = """
name: anneal
question: Which temperature is best?
space:
  t: {kind: continuous, low: 20, high: 90, unit: degC}
objectives:
  reached: {goal: match, target: 60, unit: degC}
procedure:
  - use: oven.heat
    with: {temperature: $t}
    gives: {reached: $reached}
budget: {trials: 2}
planner: {kind: sampling, seed: 7}
safety: {limits: from_resources}
"""
SIMULATED = (
    "{kind: function, call: oven.py:heat, inputs: {temperature: {low: 0, high: 99, unit: degC}},"
    " outputs: {reached: degC}}"
)
REAL = (
    "{kind: epics, prefix: 'LAB:', capabilities: {heat: {inputs: {temperature:"
    " {pv: SP, readback: RBV, tolerance: 0.1}}, outputs: {reached: RBV}}}}"
)


def test_a_campaign_is_the_same_with_a_simulation_and_with_an_ioc_but_for_its_resources(ioc, tmp_path):
    answers = []
    for name, oven in (("simulated", SIMULATED), ("real", REAL)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "oven.py").write_text("def heat(temperature):\n    return {'reached': temperature}\n")
        (tmp_path / name / "campaign.yaml").write_text(f"{CAMPAIGN}resources:\n  oven: {oven}\n")
        call = [sys.executable, "-m", "labwright", "run", "campaign.yaml"]
        ran = subprocess.run(call, cwd=tmp_path / name, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        answers.append((ran.stdout, ran.stderr))

    assert answers[0] == answers[1]
    assert len(ioc.put()) == 2


# Commands


@both
async def test_inputs_are_put_and_the_end_is_when_the_readback_agrees(ioc, protocol):
    async with opened(ioc, {"set": SET}, protocol=protocol) as resource:
        outcome = await run(resource, "set", x=60.5)

    assert isinstance(outcome, Observation)
    assert outcome.values["y"].value == pytest.approx(60.5, abs=0.1)
    assert outcome.values["y"].unit == "degC"
    assert ioc.put() == ["SP 60.5"]


@both
async def test_a_put_is_waited_for_until_the_ioc_has_completed_it(ioc, protocol):
    loop = asyncio.get_running_loop()
    async with opened(ioc, {"move": {"inputs": {"x": "SLOW"}}}, protocol=protocol) as resource:
        began = loop.time()
        outcome = await run(resource, "move", x=0.5)

    assert outcome == Observation(values={})
    assert loop.time() - began >= 0.5


@both
async def test_words_whole_numbers_and_texts_are_put_as_they_are(ioc, protocol):
    part = {"inputs": {"n": "COUNT", "mode": "MODE", "name": "NAME"}, "outputs": {"mode_now": "MODE", "n_now": "COUNT"}}
    async with opened(ioc, {"set": part}, protocol=protocol) as resource:
        outcome = await run(resource, "set", n=3.0, mode="fast", name="µ")

    assert ioc.put() == ["COUNT 3", "MODE 1", "NAME µ"]
    assert {name: m.value for name, m in outcome.values.items()} == {"mode_now": "fast", "n_now": 3}


@both
async def test_a_started_command_is_followed_by_its_state_and_tells_how_far_it_is(ioc, protocol):
    recorder, seen = Silent(), []
    recorder.progress = lambda fraction, text="": seen.append((fraction, text))

    async with opened(ioc, {"heat": HEAT}, protocol=protocol) as resource:
        outcome = await run(resource, "heat", f"followed-{protocol}", recorder=recorder, x=40, steps=4)
        answer = await ask(resource, "heat", f"followed-{protocol}")

    assert outcome.values["y"].value == 80
    assert ioc.put() == ["SP 40.0", "COUNT 4", f"START followed-{protocol}"]
    assert (0.5, "running") in seen
    assert answer == Done(outcome=outcome)


async def test_a_state_without_an_id_is_believed_when_it_has_changed(ioc):
    async with opened(ioc, {"heat": NAMELESS}) as resource:
        first = await run(resource, "heat", x=40, steps=2)
        second = await run(resource, "heat", "c2", x=50, steps=2)
        answer = await ask(resource, "heat")

    assert [o.values["y"].value for o in (first, second)] == [80, 100]
    assert isinstance(answer, CannotTell)


async def test_a_failed_command_is_a_failure_in_the_iocs_words(ioc):
    async with opened(ioc, {"heat": HEAT}) as resource:
        assert await run(resource, "heat", "failed", x=99, steps=1) == Failure(reason="the fuse")


async def test_an_id_that_is_too_long_for_a_record_is_known_by_digits_made_of_it(ioc):
    name = "lw-a-campaign-with-a-long-name-0123456789abcdef"
    async with opened(ioc, {"heat": HEAT}) as resource:
        outcome = await run(resource, "heat", name, x=41, steps=1)
    async with opened(ioc, {"heat": HEAT}) as another:
        answer = await ask(another, "heat", name)

    assert answer == Done(outcome=outcome)


@both
async def test_a_known_command_is_taken_up_and_never_put_twice(ioc, protocol):
    async with opened(ioc, {"set": SET}, protocol=protocol) as resource:
        two = await asyncio.gather(*(run(resource, "set", x=30) for _ in range(2)))
        again = await run(resource, "set", epoch=2, x=30)

    assert two == [again, again]
    assert ioc.put() == ["SP 30.0"]


async def test_two_commands_that_put_to_one_pv_wait_for_each_other(ioc):
    async with opened(ioc, {"set": SET}) as resource:
        outcomes = await asyncio.gather(*(run(resource, "set", f"c{x}", x=x) for x in (30, 90, 50)))

    assert [round(o.values["y"].value) for o in outcomes] == [30, 90, 50]


async def test_an_input_that_its_readback_does_not_show_is_a_failure(ioc):
    async with opened(ioc, {"set": SET}, settle_s=0.3) as resource:
        outcome = await run(resource, "set", x=13)

    assert "x was put as 13, but after 0.3 s ca://LAB:RBV shows" in outcome.reason


async def test_an_ioc_that_clips_a_value_is_found_out(ioc):
    from aioca import caput

    async with opened(ioc, {"clip": {"inputs": {"x": "CLIPPED"}}}, settle_s=0.3) as resource:
        await caput("LAB:CLIPPED.DRVH", 50, wait=True)  # its limits were read before
        outcome = await run(resource, "clip", x=70)
        await caput("LAB:CLIPPED.DRVH", 100, wait=True)

    assert outcome.reason.startswith("x was put as 70, but after 0.3 s ca://LAB:CLIPPED shows 50")


@both
async def test_an_alarm_makes_an_output_suspect_and_an_invalid_one_is_no_value(ioc, protocol):
    part = {"inputs": {"x": "JUDGE"}, "outputs": {"y": "JUDGED"}, "repeatable": True}
    async with opened(ioc, {"judge": part}, protocol=protocol) as resource:
        outcomes = [await run(resource, "judge", f"c{x}", x=x) for x in (10, 60, 95, -1)]

    assert [o.quality for o in outcomes[:3]] == ["good", "suspect", "suspect"]
    assert "the output y" in outcomes[3].reason
    assert "has no valid value: INVALID" in outcomes[3].reason


# Hostile values


def hostile(count):
    """Values that no IOC must see: of each kind that there is, and drawn."""
    draw = random.Random(7)
    bad = {
        "x": [math.nan, math.inf, -math.inf, 10**400, -1e-9, 200.0000001, "20", True, None, [1], b"1", 2 + 3j, ""],
        "n": [0, 51, 1.5, 2**31, -(2**63), 10**40, math.nan, "3", False, "slow"],
        "mode": ["Slow", "slow ", "", 1, 0.0, None, "slow\0", "half \ud800", "fast;idle"],
        "name": ["n" * 40, "µ" * 20, "a\0b", "half \ud800", 5, None, math.nan],
    }
    good = {"x": 20, "n": 3, "mode": "slow", "name": "ok"}
    cases = [good | {name: value} for name, values in bad.items() for value in values]
    cases += [{"x": 20}, {}, good | {"more": 1}]
    while len(cases) < count:
        wrong = draw.choice(
            [draw.uniform(200.01, 1e300), -draw.uniform(1e-6, 1e300), "".join(draw.choices("azAZ09", k=9))]
        )
        cases.append(good | {draw.choice(["x", "n", "mode"]): wrong})
    return cases


@both
async def test_a_thousand_hostile_commands_are_refused_and_nothing_is_put(ioc, protocol):
    part = {"inputs": {"x": "SP", "n": "COUNT", "mode": "MODE", "name": {"pv": "NAME"}}}
    if protocol == "pva":
        part = {"inputs": {"x": "SP", "n": "COUNT", "mode": "MODE"}}
    async with opened(ioc, {"set": part}, protocol=protocol) as resource:
        outcomes = []
        for number, inputs in enumerate(hostile(1000)):
            if protocol == "pva" and inputs.pop("name", "ok") != "ok":
                continue  # PVAccess has no longest text
            outcomes.append(await run(resource, "set", f"h{number}", **inputs))

    assert len(outcomes) > 990
    assert [outcome for outcome in outcomes if not isinstance(outcome, Failure)] == []
    assert all(len(outcome.reason) < 200 for outcome in outcomes)
    assert ioc.put() == []


# Stop


@both
async def test_stop_puts_the_declared_values_at_once_also_while_an_input_is_set(ioc, protocol):
    part = {"inputs": {"x": "SLOW", "n": "COUNT"}}
    async with opened(ioc, {"move": part}, protocol=protocol, stop={"SAFE": "closed"}) as resource:
        running = asyncio.create_task(run(resource, "move", x=2, n=3))
        await until(ioc.put)
        await resource.stop()
        outcome = await asyncio.wait_for(running, 2)
        again = await run(resource, "move", x=2, n=3)

    assert outcome == again == Failure(reason="it was stopped")
    assert ioc.put() == ["SLOW 2.0", "SAFE 1"]


@both
async def test_whenever_stop_comes_nothing_more_of_the_command_is_put(ioc, protocol):
    part = {"inputs": {"n": "COUNT", "x": "SP", "mode": "MODE"}, "start": "GO"}
    async with opened(ioc, {"set": part}, protocol=protocol, stop={"SAFE": "closed"}) as resource:
        await asyncio.sleep(0.3)
        for number in range(25):
            (ioc.folder / "begun").unlink(missing_ok=True)
            running = asyncio.create_task(run(resource, "set", f"c{number}", n=3, x=20, mode="fast"))
            for _ in range(3 * number):
                await asyncio.sleep(0.0005)
            await resource.stop()
            outcome = await running
            await asyncio.sleep(0.02)
            put = ioc.put()
            assert put[-1] == "SAFE 1" or outcome == Observation(values={})
            assert put.count("SAFE 1") == 1
            assert isinstance(outcome, Observation) or "it was stopped" in outcome.reason


async def test_stop_during_a_run_fails_it_and_the_next_one_goes(ioc):
    async with opened(ioc, {"heat": HEAT}, stop="SAFE") as resource:
        running = asyncio.create_task(run(resource, "heat", "stopped", x=40, steps=50))
        await until(lambda: "START stopped" in ioc.put())
        await resource.stop()
        outcome = await running
        after = await run(resource, "heat", "after", x=40, steps=1)

    assert outcome == Failure(reason="it was stopped")
    assert after.values["y"].value == 80


async def test_what_waits_for_its_turn_is_not_put_after_a_stop(ioc):
    async with opened(ioc, {"move": {"inputs": {"x": "SLOW"}}}, stop={"SAFE": 1}) as resource:
        first = asyncio.create_task(run(resource, "move", x=1))
        await until(ioc.put)
        second = asyncio.create_task(run(resource, "move", "c2", x=2))
        await asyncio.sleep(0.05)
        await resource.stop()
        outcomes = await asyncio.gather(first, second)

    assert outcomes == [Failure(reason="it was stopped"), Failure(reason="it was stopped before it was sent")]
    assert ioc.put() == ["SLOW 1.0", "SAFE 1"]


@both
async def test_over_a_dead_connection_stop_finds_a_new_one(ioc, protocol, monkeypatch):
    async def dead(*_, **__):
        raise Lost("no answer")

    stop = {"SAFE": "closed", "SP": 20.5, "NAME": "safe"}
    async with opened(ioc, {"set": ONLY_SET}, protocol=protocol, stop=stop) as resource:
        monkeypatch.setattr(resource._connection, "put", dead)
        await resource.stop()

    await until(lambda: len(ioc.put()) == 3)
    assert sorted(ioc.put()) == ["NAME safe", "SAFE 1", "SP 20.5"]


async def test_a_resource_without_a_stop_says_so(ioc):
    async with opened(ioc, {"set": ONLY_SET}) as resource:
        with pytest.raises(ResourceUnavailable, match="declares no stop"):
            await resource.stop()


async def test_a_stop_that_cannot_be_put_is_refused_at_the_start(ioc):
    assert "oven.stop: ca://LAB:SAFE: found 'shut'" in await refusal(ioc, {"set": ONLY_SET}, stop={"SAFE": "shut"})


# What breaks


async def killed_while(own, resource, capability, condition, **inputs):
    running = asyncio.create_task(run(resource, capability, **inputs))
    await until(condition)
    own.kill()
    await asyncio.to_thread(own.start)
    return running


@both
async def test_an_ioc_that_is_killed_while_it_carries_out_a_put_leaves_the_end_unknown_and_is_not_put_to_again(
    own, protocol
):
    async with opened(own, {"move": {"inputs": {"x": "SLOW"}}}, protocol=protocol, answer_s=15) as resource:
        running = await killed_while(own, resource, "move", own.put, x=5)
        with pytest.raises(ResourceUnavailable, match=r"5 was put to .*it is not known what came of it"):
            await running
        with pytest.raises(ResourceUnavailable, match="it is not known what came of it"):
            await run(resource, "move", x=5)
        answer = await ask(resource, "move")
        put = own.put()
        decided = await run(resource, "move", epoch=2, x=0.1)  # somebody has decided that it never ran

    assert isinstance(answer, CannotTell)
    assert put == ["SLOW 5.0"]
    assert decided == Observation(values={})
    assert own.put() == ["SLOW 5.0", "SLOW 0.1"]


@both
@pytest.mark.parametrize("part", [HEAT, NAMELESS], ids=["with an id", "without"])
async def test_an_ioc_that_is_killed_in_the_middle_leaves_the_end_unknown(own, protocol, part):
    async with opened(own, {"heat": part}, protocol=protocol, start_s=1) as resource:
        begun = lambda: any("START" in line for line in own.put())  # noqa: E731
        running = await killed_while(own, resource, "heat", begun, x=40, steps=40)
        with pytest.raises(ResourceUnavailable, match="what came of it is not known"):
            await running
        answer = await ask(resource, "heat")

    assert isinstance(answer, CannotTell)
    assert sum("START" in line for line in own.put()) == 1


async def test_a_fresh_process_asks_the_ioc_and_takes_the_command_up(ioc):
    async with opened(ioc, {"heat": HEAT}) as resource:
        first = asyncio.create_task(run(resource, "heat", "fresh", x=44, steps=20))
        await until(lambda: "START fresh" in ioc.put())
        await asyncio.sleep(0.1)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    async with opened(ioc, {"heat": HEAT}) as another:
        answer = await ask(another, "heat", "fresh")
        outcome = await run(another, "heat", "fresh", x=44, steps=20)
        other = await ask(another, "heat", "c0")

    assert answer == Running()
    assert outcome.values["y"].value == 88
    assert isinstance(other, CannotTell)
    assert ioc.put().count("START fresh") == 1


async def test_a_command_that_the_ioc_never_takes_up_is_unknown_and_not_sent_again(ioc):
    async with opened(ioc, {"heat": HEAT}, start_s=0.5) as resource:
        for _ in range(2):
            with pytest.raises(ResourceUnavailable, match=r"is not known"):
                await run(resource, "heat", "ignored", x=14, steps=1)

    assert ioc.put().count("START ignored") == 1


async def test_a_busy_ioc_is_waited_for_and_one_that_stays_busy_was_not_begun(ioc):
    async with opened(ioc, {"heat": HEAT}) as resource, opened(ioc, {"heat": HEAT}, busy_s=0.2) as impatient:
        first = asyncio.create_task(run(resource, "heat", "b1", x=40, steps=30))
        await until(lambda: "START b1" in ioc.put())
        await asyncio.sleep(0.1)
        with pytest.raises(
            ResourceUnavailable, match=r"\(b1\): it is busy with another command; this one is not begun"
        ):
            await run(impatient, "heat", "b2", x=50, steps=1)
        async with opened(ioc, {"heat": HEAT}) as patient:
            second = await run(patient, "heat", "b3", x=60, steps=1)

    assert (await first).values["y"].value == 80
    assert second.values["y"].value == 120
    assert [line for line in ioc.put() if "START" in line] == ["START b1", "START b3"]


async def test_a_late_answer_is_picked_up_by_whoever_asks_again(ioc):
    async with opened(ioc, {"move": {"inputs": {"x": "SLOW"}}}) as resource:
        with pytest.raises(ResourceUnavailable, match=r"has not ended within 0.2 s; it may still go on"):
            await run(resource, "move", timeout_s=0.2, x=1)
        answer = await ask(resource, "move")
        outcome = await run(resource, "move", x=1)

    assert answer == Running()
    assert outcome == Observation(values={})
    assert ioc.put() == ["SLOW 1.0"]


async def test_what_nobody_waits_for_any_more_is_not_put(ioc):
    async with opened(ioc, {"move": {"inputs": {"x": "SLOW", "n": "COUNT"}}}) as resource:
        with pytest.raises(ResourceUnavailable, match=r"it may still go on"):
            await run(resource, "move", timeout_s=0.2, x=0.5, n=3)
        await asyncio.sleep(0.6)
        again = await run(resource, "move", x=0.5, n=3)

    assert again == Failure(reason="it was stopped while its inputs were put")
    assert ioc.put() == ["SLOW 0.5"]


@both
async def test_a_second_word_of_the_end_is_not_taken_for_the_next_commands(ioc, protocol):
    async with opened(ioc, {"heat": NAMELESS}, protocol=protocol) as resource:
        first = await run(resource, "heat", x=40, steps=1)
        second = await run(resource, "heat", "c2", x=98, steps=1)

    assert [o.values["y"].value for o in (first, second)] == [80, 196]


async def test_a_state_from_before_is_not_taken_for_that_of_an_id_that_came_first(ioc):
    async with opened(ioc, {"heat": HEAT}) as resource:
        first = await run(resource, "heat", "e1", x=40, steps=1)
        second = await run(resource, "heat", "e2", x=97, steps=1)

    assert [o.values["y"].value for o in (first, second)] == [80, 194]


class Searched(asyncio.DatagramProtocol):
    """Hands searches on to an IOC, and tells who asked that it is to be found at the relay."""

    def __init__(self, ioc_port: int, relay_port: int) -> None:
        self._ioc, self._relay, self._asked = ("127.0.0.1", ioc_port), relay_port, None

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, data, sender) -> None:
        if sender != self._ioc:
            self._asked = sender
            self._transport.sendto(data, self._ioc)
            return
        message, at = bytearray(data), 0
        while at < len(message):
            command, size = struct.unpack_from(">HH", message, at)
            if command == 6:  # CA_PROTO_SEARCH, answered
                struct.pack_into(">H", message, at + 4, self._relay)
            at += 16 + size
        self._transport.sendto(bytes(message), self._asked)


class Swallowing(Relay):
    """Once it swallows, what comes over the connections that there are is lost, and nobody is told."""

    def swallow(self) -> None:
        for pump in self._pumps:
            pump.cancel()


@asynccontextmanager
async def relayed(folder, device):
    """An IOC that Channel Access reaches over a relay only."""
    with socket.socket() as one, socket.socket() as two:
        for probe in (one, two):
            probe.bind(("127.0.0.1", 0))
        ports = [str(probe.getsockname()[1]) for probe in (one, two)]
    ioc = await asyncio.to_thread(Ioc, folder, device, ports)
    loop = asyncio.get_running_loop()
    try:
        async with Swallowing(f"ca://127.0.0.1:{ports[0]}") as relay:
            made = lambda: Searched(int(ports[0]), int(relay.url.rpartition(":")[2]))  # noqa: E731
            searched, _ = await loop.create_datagram_endpoint(made, local_addr=("127.0.0.1", int(listed(2)[0])))
            try:
                yield ioc, relay
            finally:
                searched.close()
    finally:
        ioc.kill()


@pytest.mark.parametrize("part", [HEAT, NAMELESS], ids=["with an id", "without"])
async def test_a_connection_that_is_cut_in_the_middle_is_made_again_and_only_an_id_tells_whose_state_it_is(
    tmp_path, part
):
    async with relayed(tmp_path, "CUT") as (ioc, relay), opened(ioc, {"heat": part}) as resource:
        running = asyncio.create_task(run(resource, "heat", x=40, steps=40))
        await until(lambda: any("START" in line for line in ioc.put()))
        await asyncio.sleep(0.2)
        relay.cut()
        if part is HEAT:
            assert (await running).values["y"].value == 80
        else:
            with pytest.raises(ResourceUnavailable, match="the connection was lost meanwhile; what came of it"):
                await running

    assert sum("START" in line for line in ioc.put()) == 1


async def test_a_put_whose_reply_is_lost_is_unknown_and_not_put_again(tmp_path):
    async with relayed(tmp_path, "LOST") as (ioc, relay):
        async with opened(ioc, {"move": {"inputs": {"x": "SLOW"}}}) as resource:
            running = asyncio.create_task(run(resource, "move", x=1))
            await until(ioc.put)
            relay.cut()
            with pytest.raises(ResourceUnavailable, match="it is not known what came of it"):
                await running
            with pytest.raises(ResourceUnavailable, match="it is not known what came of it"):
                await run(resource, "move", x=1)
            await asyncio.sleep(1)

        assert ioc.put() == ["SLOW 1.0"]


async def test_when_the_connection_is_dead_without_a_word_stop_goes_over_a_new_one(tmp_path):
    async with relayed(tmp_path, "DEAD") as (ioc, relay):
        part = {"inputs": {"x": "SLOW"}}
        async with opened(ioc, {"move": part}, stop={"SAFE": "closed"}, timeout_s=0.5) as resource:
            running = asyncio.create_task(run(resource, "move", x=3))
            await until(ioc.put)
            relay.swallow()
            await resource.stop()
            outcome = await running

        assert outcome == Failure(reason="it was stopped")
        assert ioc.put() == ["SLOW 3.0", "SAFE 1"]


@both
async def test_an_ioc_that_hangs_is_waited_for_and_its_late_answer_counts(ioc, protocol):
    turns = 0
    async with opened(ioc, {"set": SET}, protocol=protocol, timeout_s=0.3, reconnect_s=10) as resource:
        running = asyncio.create_task(run(resource, "set", x=70))
        await until(ioc.put)
        ioc.process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(50):
                await asyncio.sleep(0.01)
                turns += 1
        finally:
            ioc.process.send_signal(signal.SIGCONT)
        outcome = await running

    assert turns == 50
    assert outcome.values["y"].value == pytest.approx(70, abs=0.1)
    assert ioc.put() == ["SP 70.0"]


async def test_an_ioc_that_is_away_when_a_command_comes_has_not_begun_it(own):
    async with opened(own, {"set": SET}, reconnect_s=0.3, timeout_s=0.3) as resource:
        own.kill()
        with pytest.raises(ResourceUnavailable, match="set is not begun"):
            await run(resource, "set", x=20)
        own.start()
        await asyncio.sleep(0.5)
        assert own.put() == []  # it is not sent later
    async with opened(own, {"set": SET}, reconnect_s=20) as resource:
        outcome = await run(resource, "set", x=20)

    assert outcome.values["y"].value == pytest.approx(20, abs=0.1)


# Telemetry


@both
async def test_pvs_are_sampled_with_the_iocs_time_and_alarm(ioc, protocol):
    recorder = Silent()
    channels = {"t": {"pv": "RBV", "high": 60}, "state": {"pv": "STATE", "kind": "word"}, "judged": "JUDGED"}
    part = {"inputs": {"x": "SP", "j": "JUDGE"}, "start": {"pv": "SEND", "value": 3}, "outputs": {"y": "RBV"}}
    part["inputs"]["x"] = SET["inputs"]["x"]
    async with opened(ioc, {"set": part}, protocol=protocol, telemetry={"channels": channels}) as resource:
        await run(resource, "set", recorder=recorder, x=20, j=95)
        ioc.put()
        recorder.samples.clear()
        await run(resource, "set", "c2", recorder=recorder, x=70, j=-1)

    temperatures = [v for name, _, v, _ in recorder.samples if name == "t"]
    assert temperatures == pytest.approx([20, 30, 40, 50, 60, 70], abs=0.1)
    times = [at for name, at, _, _ in recorder.samples if name == "t"]
    assert times == sorted(times)
    assert len(set(times)) == 6  # each is the IOC's own
    assert {v for name, _, v, _ in recorder.samples if name == "state"} <= {"idle", "done", "failed", "running"}
    judged = [(v, q) for name, _, v, q in recorder.samples if name == "judged"]
    assert judged == [(95, Quality.SUSPECT), (-1, Quality.BAD)]
    assert recorder.gaps == []


@both
async def test_every_change_is_kept_also_when_they_come_fast(ioc, protocol):
    recorder = Silent()
    part = {"start": {"pv": "SEND", "value": 200}, "outputs": {"y": "SENT"}}
    async with opened(ioc, {"send": part}, protocol=protocol, telemetry={"channels": {"sent": "SENT"}}) as resource:
        outcome = await run(resource, "send", recorder=recorder)

    assert outcome.values["y"].value == 200
    assert [v for _, _, v, _ in recorder.samples][-200:] == list(range(1, 201))


@both
async def test_a_connection_that_is_lost_leaves_a_gap_up_to_the_next_sample(own, protocol):
    recorder = Silent()
    options = {"telemetry": {"channels": {"t": "RBV", "y": "Y"}}, "start_s": 1, "protocol": protocol}
    async with opened(own, {"heat": HEAT}, **options) as resource:
        begun = lambda: any("START" in line for line in own.put())  # noqa: E731
        command = Command(command_id="c1", epoch=1, capability="heat", inputs={"x": 40, "steps": 40})
        running = asyncio.create_task(resource.run(command, recorder))
        await until(begun)
        own.kill()
        await asyncio.to_thread(own.start)
        with contextlib.suppress(ResourceUnavailable):
            await running

    assert {gap.channel for gap in recorder.gaps} == {"t", "y"}
    assert all(gap.start < gap.end and "not connected" in gap.why for gap in recorder.gaps)


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ("WAVE", "is an array or a structure; its kind here is number"),
        ("STATE", "is an enum; its kind here is number"),
        ({"pv": "RBV", "kind": "word"}, "is a number; its kind here is word"),
        ({"pv": "RBV", "unit": "bar"}, "the file says 'bar'"),
    ],
)
async def test_a_channel_that_cannot_be_sampled_is_refused_at_the_start(ioc, channel, words):
    assert words in await refusal(ioc, {"set": ONLY_SET}, telemetry={"channels": {"it": channel}})
