"""The blueapi resource against a real server in processes and an environment of its own."""

import asyncio
import json
import math
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from labwright.core.command import CannotTell, Command, Done, Failure, NeverStarted, Running
from labwright.core.errors import InvalidInput, NotFound, ResourceUnavailable
from labwright.core.recorder import Silent
from labwright.resources.blueapi import BlueapiResource
from labwright.testing import Relay, ServerProcess

SCRIPT = Path(__file__).parent / "blueapi" / "server.py"
DOUBLE = {"plan": "double", "inputs": {"x": {"low": 0, "high": 200}}, "outputs": {"y": {"unit": "mm"}}}
HEAT = {"plan": "heat", "outputs": {"reached": {}, "peak": "fit.peak"}}
TUNE, PROGRAM = {"plan": "tune"}, {"plan": "program"}
INTERRUPTED = Failure(reason="it was interrupted: paused, stopped or aborted before its end")


@contextmanager
def started(folder):
    try:
        oven = ServerProcess(SCRIPT, folder)
    except NotFound as missing:
        pytest.skip(f"needs a blueapi server: {missing}")
    with oven:
        yield oven


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with started(tmp_path_factory.mktemp("oven")) as oven:
        yield oven


@pytest.fixture
def oven(shared):
    (shared.folder / "begun").unlink(missing_ok=True)
    assert get(shared, "/worker/state") == "IDLE"
    return shared


def url(oven):
    return f"http://127.0.0.1:{oven.port}"


def get(oven, path):
    return httpx.get(f"{url(oven)}/api/v1{path}", timeout=10).json()


def put(oven, path, **body):
    return httpx.put(f"{url(oven)}/api/v1{path}", json=body, timeout=10)


def pending(oven):
    return [task["task_id"] for task in get(oven, "/tasks")["tasks"] if task["is_pending"]]


def begin_theirs(oven, plan, **params):
    body = {"name": plan, "params": params, "instrument_session": "theirs"}
    task = httpx.post(f"{url(oven)}/api/v1/tasks", json=body, timeout=10).json()["task_id"]
    put(oven, "/worker/task", task_id=task).raise_for_status()


@asynccontextmanager
async def opened(oven, folder, capabilities=None, **options):
    if capabilities is not None:
        options["capabilities"] = capabilities
    there = oven if isinstance(oven, str) else url(oven)
    options = {"kind": "blueapi", "url": there, "instrument_session": "cm12345-1"} | options
    async with BlueapiResource.open("oven", BlueapiResource.Options.model_validate(options), folder) as resource:
        yield resource


def order(capability, command_id="c1", epoch=1, timeout_s=None, **inputs):
    return Command(command_id=command_id, epoch=epoch, capability=capability, inputs=inputs, timeout_s=timeout_s)


async def run(resource, capability, *args, **more):
    return await resource.run(order(capability, *args, **more), Silent())


async def ask(resource, capability, command_id="c1"):
    return await resource.ask(order(capability, command_id))


async def until(condition):
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.01)


async def refusal(oven, folder, kind=InvalidInput, **options):
    with pytest.raises(kind) as refused:
        async with opened(oven, folder, **options):
            pass
    return str(refused.value)


# What is offered


async def test_every_plan_is_offered_with_types_and_levels_as_the_server_says_them(oven, tmp_path):
    async with opened(oven, tmp_path) as resource:
        offered = {c.name: {i.name: i for i in c.inputs} for c in resource.capabilities()}

    assert set(offered) == {"double", "heat", "tune"}  # a list cannot be chosen
    assert {name: i.required for name, i in offered["heat"].items()} == {"target": True, "seconds": False}
    levels = {name: i.levels for name, i in offered["tune"].items()}
    assert levels == {"speed": None, "mode": ("slow", "fast"), "quiet": (0, 1), "note": None}


async def test_the_file_names_narrows_and_fixes_and_what_the_plan_returns_is_kept(oven, tmp_path):
    heat = HEAT | {"inputs": {"temperature": {"parameter": "target", "low": 50, "high": 500, "unit": "degC"}}}
    ramp = PROGRAM | {"fixed": {"ramp": [1, 4]}, "outputs": {"top": {}}}

    async with opened(oven, tmp_path, {"heat": heat, "ramp": ramp}) as resource:
        temperature = resource.capabilities()[0].inputs[0]
        heated, ramped = await run(resource, "heat", temperature=60), await run(resource, "ramp", "c2")

    assert (temperature.name, temperature.unit, temperature.low, temperature.high) == ("temperature", "degC", 50, 500)
    assert {n: m.value for n, m in heated.values.items()} == {"reached": 60, "peak": 120}
    whole = json.dumps({"reached": 60.0, "fit": {"peak": 120.0}, "curve": [1, 2]}).encode()
    assert heated.objects == (f"sha256:{sha256(whole).hexdigest()}",)
    assert {n: m.value for n, m in ramped.values.items()} == {"top": 4}
    assert oven.begun() == ["heat 60", "program [1.0, 4.0]"]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("bake", "oven.it: the server has no 'bake'. It has: double, heat, program, tune."),
        (DOUBLE | {"inputs": {"z": {"low": 1}}}, "double has no parameter 'z'. It has: x."),
        (TUNE | {"inputs": {"mode": {"levels": ["off"]}}}, "no value is allowed: the file says ['off']"),
        ("program", "the parameter ramp is a value of the type array"),
    ],
)
async def test_what_does_not_fit_the_server_is_refused_before_anything_moves(oven, tmp_path, part, words):
    assert words in await refusal(oven, tmp_path, capabilities={"it": part})
    assert oven.begun() == []


# Commands


async def test_words_and_yes_or_no_are_sent_as_the_plan_takes_them(oven, tmp_path):
    async with opened(oven, tmp_path) as resource:
        outcome = await run(resource, "tune", speed=5, mode="fast", quiet=1, note="µ")

    assert outcome.values == {}
    assert oven.begun() == ["tune 5 fast True µ"]
    assert get(oven, "/tasks")["tasks"][-1]["task"]["metadata"]["instrument_session"] == "cm12345-1"


async def test_a_known_command_is_taken_up_and_never_begun_twice(oven, tmp_path):
    async with opened(oven, tmp_path, {"heat": HEAT}) as resource:
        both = await asyncio.gather(*(run(resource, "heat", target=50, seconds=0.8) for _ in range(2)))
        again = await run(resource, "heat", epoch=2, target=50, seconds=0.8)

    assert both == [again, again]
    assert oven.begun() == ["heat 50"]


async def test_another_process_takes_up_what_one_that_was_killed_has_begun(oven, tmp_path):
    plans = {"heat": HEAT, "double": DOUBLE}
    async with opened(oven, tmp_path, plans) as resource:
        await run(resource, "double", "c0", x=1)
        with pytest.raises(ResourceUnavailable, match=r"has not ended within 0.8 s; it may still go on"):
            await run(resource, "heat", timeout_s=0.8, target=50, seconds=2)
    async with opened(oven, tmp_path, plans) as another:
        going = await ask(another, "heat")
        outcome = await run(another, "heat", target=50, seconds=2)
        ended = await ask(another, "double", "c0")
    (tmp_path / "there").mkdir()
    async with opened(oven, tmp_path / "there", plans) as there:
        elsewhere = await ask(there, "heat")
    async with opened(oven, tmp_path, plans, exclusive=True) as alone:
        never = await ask(alone, "heat", "c9")

    assert going == Running()
    assert outcome.values["reached"].value == 50
    assert ended.outcome.values["y"].value == 2
    assert isinstance(elsewhere, CannotTell)
    assert never == NeverStarted()
    assert oven.begun() == ["double 1", "heat 50"]


async def test_an_error_of_a_plan_is_a_failure_in_its_words(oven, tmp_path):
    async with opened(oven, tmp_path, {"double": DOUBLE}) as resource:
        assert await run(resource, "double", x=13) == Failure(reason="the door is open")
        assert await ask(resource, "double") == Done(outcome=Failure(reason="the door is open"))


async def test_a_result_that_is_no_number_is_a_failure(oven, tmp_path):
    async with opened(oven, tmp_path, {"double": DOUBLE, "tune": TUNE | {"outputs": {"y": {}}}}) as resource:
        outcomes = await run(resource, "double", x=17), await run(resource, "tune", "c2", speed=1, mode="slow", quiet=0)

    assert all("the output y" in outcome.reason for outcome in outcomes)


async def test_what_only_the_server_refuses_is_a_failure(oven, tmp_path):
    async with opened(oven, tmp_path, {"ramp": PROGRAM | {"fixed": {"ramp": ["a"]}}}) as resource:
        outcome = await run(resource, "ramp")

    assert "ramp.0: Input should be a valid number" in outcome.reason
    assert oven.begun() == []


# Hostile commands

TUNED = {"speed": 1, "mode": "slow", "quiet": 0}
WRONG = (math.nan, math.inf, -math.inf, 10**400, -1, 200.1, "20", True, None, [1], {"value": 1}, b"1")
HOSTILE = [("double", {"x": value}) for value in WRONG]
HOSTILE += [("double", inputs) for inputs in ({}, {"x": 1, "y": 1}, {"X": 1}, {"x": 1, "md": 1})]
HOSTILE += [
    ("tune", TUNED | changed)
    for changed in (
        {"speed": 1.5},
        {"speed": 2**63},
        {"mode": "Slow"},
        {"mode": 1},
        {"quiet": 2},
        {"note": 1},
        {"note": "half \ud800"},
        {"note": "zero \0"},
    )
]


async def test_of_a_thousand_hostile_commands_the_server_acts_on_none(oven, tmp_path):
    before = len(get(oven, "/tasks")["tasks"])
    async with opened(oven, tmp_path, {"double": DOUBLE, "tune": TUNE}) as resource:
        outcomes = [
            await run(resource, HOSTILE[i % len(HOSTILE)][0], f"h{i}", **HOSTILE[i % len(HOSTILE)][1])
            for i in range(1000)
        ]

    assert [outcome for outcome in outcomes if not isinstance(outcome, Failure)] == []
    assert oven.begun() == []
    assert len(get(oven, "/tasks")["tasks"]) == before


# Busy, paused


async def test_a_task_of_somebody_else_is_waited_for(oven, tmp_path):
    async with opened(oven, tmp_path) as resource, opened(oven, tmp_path, busy_s=0.2) as impatient:
        begin_theirs(oven, "heat", target=1, seconds=1.5)
        with pytest.raises(ResourceUnavailable, match=r"its worker is running\): not begun"):
            await run(impatient, "double", x=1)
        answer = await ask(impatient, "double")
        await run(resource, "double", x=1)

    assert answer == NeverStarted()
    assert oven.begun() == ["heat 1", "double 1"]


async def test_a_plan_that_somebody_pauses_has_not_ended_and_then_its_result_is_not_told(oven, tmp_path):
    async with opened(oven, tmp_path, {"heat": HEAT}) as resource:
        running = asyncio.create_task(run(resource, "heat", target=50, seconds=2))
        await until(oven.begun)
        put(oven, "/worker/state", new_state="PAUSED").raise_for_status()
        await until(lambda: get(oven, "/worker/state") == "PAUSED")
        await asyncio.sleep(0.3)
        answer = await ask(resource, "heat")
        put(oven, "/worker/state", new_state="ABORTING")
        outcome = await running

    assert answer == Running()
    assert outcome == INTERRUPTED


# Stop


@pytest.mark.parametrize("how", ["abort", "stop"])
async def test_stop_is_accepted_during_a_run_which_then_has_failed(oven, tmp_path, how):
    async with opened(oven, tmp_path, {"heat": HEAT}, stop=how) as resource:
        running = asyncio.create_task(run(resource, "heat", target=50, seconds=30))
        await until(oven.begun)
        await resource.stop()
        outcome = await running
        await resource.stop()  # where nothing goes on, it has stopped

    assert outcome == INTERRUPTED
    assert oven.begun() == ["heat 50"]


async def test_what_waits_for_the_server_is_not_begun_after_a_stop(oven, tmp_path):
    async with opened(oven, tmp_path, {"double": DOUBLE}) as resource:
        begin_theirs(oven, "heat", target=1, seconds=30)
        await until(oven.begun)
        waiting = asyncio.create_task(run(resource, "double", x=1))
        await asyncio.sleep(0.3)
        await resource.stop()
        outcome = await waiting

    assert outcome == Failure(reason="it was stopped before it was begun")
    assert oven.begun() == ["heat 1"]


# What breaks


async def test_a_server_that_is_not_there_is_named_within_seconds(tmp_path):
    told = await refusal("http://127.0.0.1:9", tmp_path, ResourceUnavailable)

    assert "oven: the server at http://127.0.0.1:9 cannot be used: it cannot be reached" in told


class Faulty(Relay):
    """Loses the answer to the next request that holds these words, or hands it on twice, or swallows it."""

    loses = twice = swallows = b""

    async def _pump(self, reader, writer):
        first = await reader.read(65536)
        if self.swallows and self.swallows in first:
            return
        if self.twice and self.twice in first:
            self.twice = b""
            other_reader, other = await asyncio.open_connection("127.0.0.1", self._port)
            other.write(first)
            await other_reader.read(65536)
            other.close()
        lost = bool(self.loses) and self.loses in first
        writer.write(first)
        await writer.drain()
        if lost:
            self.loses = b""
            await asyncio.sleep(0.2)
            self.cut()
        await super()._pump(reader, writer)


BEGIN, SUBMIT = b"PUT /api/v1/worker/task", b"POST /api/v1/tasks"


@pytest.mark.parametrize("lost", [BEGIN, SUBMIT])
async def test_where_an_answer_is_lost_the_task_is_begun_once(oven, tmp_path, lost):
    async with Faulty(url(oven)) as relay, opened(relay.url, tmp_path, {"heat": HEAT}) as resource:
        relay.loses = lost
        outcome = await run(resource, "heat", target=50, seconds=1)

    assert relay.loses == b""
    assert outcome.values["reached"].value == 50
    assert oven.begun() == ["heat 50"]


@pytest.mark.parametrize("seconds", [0.01, 1])
async def test_an_order_that_arrives_twice_begins_once(oven, tmp_path, seconds):
    async with Faulty(url(oven)) as relay, opened(relay.url, tmp_path, {"heat": HEAT}) as resource:
        relay.twice = BEGIN
        outcome = await run(resource, "heat", target=50, seconds=seconds)

    assert relay.twice == b""
    assert outcome.values["reached"].value == 50
    assert oven.begun() == ["heat 50"]


async def test_an_order_that_never_arrived_is_withdrawn_and_given_anew(oven, tmp_path):
    before = set(pending(oven))
    async with Faulty(url(oven)) as relay, opened(relay.url, tmp_path, {"double": DOUBLE}, timeout_s=1) as resource:
        relay.swallows = BEGIN
        running = asyncio.create_task(run(resource, "double", x=4))
        await until(lambda: set(pending(oven)) - before)
        await asyncio.sleep(0.5)
        relay.swallows = b""
        outcome = await running

    assert outcome.values["y"].value == 8
    assert oven.begun() == ["double 4"]
    assert set(pending(oven)) == before


async def test_a_task_that_was_never_begun_is_withdrawn_when_it_is_asked_about(oven, tmp_path):
    before = set(pending(oven))
    async with Faulty(url(oven)) as relay, opened(relay.url, tmp_path, {"double": DOUBLE}) as resource:
        relay.swallows = BEGIN
        with pytest.raises(ResourceUnavailable, match=r"has not ended within 0.5 s; it may still go on"):
            await run(resource, "double", timeout_s=0.5, x=4)
        answer = await ask(resource, "double")

    assert answer == NeverStarted()
    assert set(pending(oven)) == before
    assert oven.begun() == []


async def test_a_connection_lost_in_the_middle_is_made_again_and_the_end_is_known(oven, tmp_path):
    async with Relay(url(oven)) as relay, opened(relay.url, tmp_path, {"heat": HEAT}) as resource:
        running = asyncio.create_task(run(resource, "heat", target=50, seconds=2))
        await until(oven.begun)
        await asyncio.sleep(0.5)
        for _ in range(20):
            relay.cut()
            await asyncio.sleep(0.02)
        outcome = await running

    assert outcome.values["reached"].value == 50
    assert oven.begun() == ["heat 50"]


async def test_a_server_that_is_killed_in_the_middle_leaves_the_end_unknown(tmp_path):
    with started(tmp_path) as oven:
        async with opened(oven, tmp_path, {"heat": HEAT, "double": DOUBLE}, reconnect_s=30) as resource:
            running = asyncio.create_task(run(resource, "heat", target=50, seconds=30))
            await until(oven.begun)
            await asyncio.sleep(0.5)
            oven.kill()
            await asyncio.to_thread(oven.start)
            with pytest.raises(ResourceUnavailable, match=r"or has restarted and forgotten it"):
                await running
            answer = await ask(resource, "heat")
            outcome = await run(resource, "double", "c2", x=1)

        assert isinstance(answer, CannotTell)
        assert outcome.values["y"].value == 2
        assert oven.begun() == ["heat 50", "double 1"]
