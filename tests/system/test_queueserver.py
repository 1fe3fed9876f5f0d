"""The queueserver resource against a real RE Manager in processes and an environment of their own."""

import asyncio
import json
import math
import socket
import sys
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from labwright.core.command import CannotTell, Command, Done, Failure, NeverStarted, Running
from labwright.core.errors import InvalidInput, MissingExtra, NotFound, ResourceUnavailable
from labwright.core.recorder import Silent
from labwright.resources.queueserver import QueueserverResource
from labwright.testing import Relay, ServerProcess

zmq = pytest.importorskip("zmq", reason="needs the extra 'bluesky'")
SCRIPT = Path(__file__).parent / "queueserver" / "server.py"
DOUBLE = {"plan": "double", "results": "last_values", "outputs": {"y": {"unit": "mm"}, "peak": "shape.peak"}}
HEAT = {"plan": "heat", "outputs": {"runs": {}, "run_uid": {}}}
TUNE, PROGRAM = {"plan": "tune"}, {"plan": "program"}


@contextmanager
def started(folder, *how):
    try:
        oven = ServerProcess(SCRIPT, folder, *how)
    except NotFound as missing:
        pytest.skip(f"needs an RE Manager: {missing}")
    with oven:
        yield oven


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with started(tmp_path_factory.mktemp("oven")) as oven:
        yield oven


@pytest.fixture
def oven(shared):
    (shared.folder / "begun").unlink(missing_ok=True)
    (shared.folder / "mute").unlink(missing_ok=True)
    assert tell(shared, "history_clear")["success"]
    return shared


def url(oven):
    return f"tcp://127.0.0.1:{oven.port}"


def tell(oven, method, **params):
    with zmq.Context() as context, context.socket(zmq.REQ) as sender:
        sender.linger = 0
        sender.connect(url(oven))
        sender.send_json({"method": method, "params": params})
        assert sender.poll(5000)
        return sender.recv_json()


@asynccontextmanager
async def opened(oven, folder, capabilities=None, **options):
    if capabilities is not None:
        options["capabilities"] = capabilities
    options = {"kind": "queueserver", "url": oven if isinstance(oven, str) else url(oven)} | options
    options = QueueserverResource.Options.model_validate(options)
    async with QueueserverResource.open("oven", options, folder) as resource:
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


async def test_every_plan_is_offered_with_types_limits_and_levels_as_the_manager_says_them(oven, tmp_path):
    async with opened(oven, tmp_path) as resource:
        offered = {c.name: {i.name: i for i in c.inputs} for c in resource.capabilities()}

    assert set(offered) == {"double", "heat", "tune"}  # a list cannot be chosen
    assert (offered["double"]["x"].low, offered["double"]["x"].high) == (0, 200)
    assert {name: i.required for name, i in offered["heat"].items()} == {"target": True, "seconds": False}
    assert {name: i.levels for name, i in offered["tune"].items()} == {
        "speed": None,
        "mode": ("slow", "fast"),
        "quiet": (0, 1),
        "anything": None,
        "note": None,
    }


async def test_the_file_names_narrows_and_fixes_and_a_function_says_what_was_measured(oven, tmp_path):
    dose = DOUBLE | {"inputs": {"volume": {"parameter": "x", "low": 50, "high": 500, "unit": "uL"}}}
    ramp = PROGRAM | {"fixed": {"ramp": [1, 4], "rest": [7, "a"]}, "inputs": {"factor": {"levels": [2, 3]}}}
    kept = {}

    class Keeping(Silent):
        async def keep(self, name, data):
            kept[name] = json.loads(data)
            return await super().keep(name, data)

    async with opened(oven, tmp_path, {"dose": dose, "ramp": ramp}) as resource:
        [volume] = resource.capabilities()[0].inputs
        dosed = await resource.run(order("dose", volume=60), Keeping())
        ramped = await run(resource, "ramp", "c2", factor=2)

    assert (volume.unit, volume.low, volume.high) == ("uL", 50, 200)
    assert {n: (m.value, m.unit) for n, m in dosed.values.items()} == {"y": (120, "mm"), "peak": (60, None)}
    assert kept == {"last_values.json": {"runs": 0, "y": 120, "shape": {"peak": 60}}}
    assert dosed.objects == (f"sha256:{sha256(json.dumps(kept['last_values.json']).encode()).hexdigest()}",)
    assert ramped.values == {}
    assert oven.begun() == ["double 60", "program [1, 4] (7, 'a') 2"]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("bake", "oven.it: the server has no 'bake'. It has: double, heat, program, tune."),
        (DOUBLE | {"inputs": {"z": {"low": 1}}}, "double has no parameter 'z'. It has: x."),
        (DOUBLE | {"inputs": {"x": {"low": 300}}}, "the file says 300 to any, the server 0 to 200"),
        (TUNE | {"inputs": {"mode": {"levels": ["off"]}}}, "no value is allowed: the file says ['off']"),
        ("program", "the parameter ramp is typing.List[float]"),
    ],
)
async def test_what_does_not_fit_the_manager_is_refused_before_anything_moves(oven, tmp_path, part, words):
    assert words in await refusal(oven, tmp_path, capabilities={"it": part})
    assert oven.begun() == []


# Commands


async def test_our_id_stands_in_the_metadata_and_the_result_names_the_run(oven, tmp_path):
    async with opened(oven, tmp_path, {"heat": HEAT, "tune": TUNE}) as resource:
        outcome = await run(resource, "heat", target=50)
        tuned = await run(resource, "tune", "c2", speed=5, mode="fast", quiet=1, anything="x", note="µ")

    [heated, _] = tell(oven, "history_get")["items"]
    assert heated["meta"] == {"labwright_command": "c1"}
    assert {n: m.value for n, m in outcome.values.items()} == {"runs": 1, "run_uid": heated["result"]["run_uids"][0]}
    assert tuned.values == {}
    assert oven.begun() == ["heat 50", "tune 5 fast True x µ"]


async def test_a_known_command_is_taken_up_and_never_executed_twice(oven, tmp_path):
    async with opened(oven, tmp_path, {"heat": HEAT}) as resource:
        both = await asyncio.gather(*(run(resource, "heat", target=50, seconds=0.8) for _ in range(2)))
        again = await run(resource, "heat", epoch=2, target=50, seconds=0.8)

    assert both == [again, again]
    assert oven.begun() == ["heat 50"]


async def test_any_process_in_any_folder_takes_up_what_another_has_begun(oven, tmp_path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    async with opened(oven, tmp_path / "here", {"heat": HEAT}) as here:
        with pytest.raises(ResourceUnavailable, match=r"has not ended within 1 s; it may still go on"):
            await run(here, "heat", timeout_s=1, target=50, seconds=2)
    async with opened(oven, tmp_path / "there", {"heat": HEAT}) as there:
        going = await ask(there, "heat")
        outcome = await run(there, "heat", target=50, seconds=2)
        ended = await ask(there, "heat")
        unheard = await ask(there, "heat", "c9")
    async with opened(oven, tmp_path / "there", {"heat": HEAT}, exclusive=True) as alone:
        never = await ask(alone, "heat", "c9")

    assert going == Running()
    assert ended == Done(outcome=outcome)
    assert isinstance(unheard, CannotTell)
    assert never == NeverStarted()
    assert oven.begun() == ["heat 50"]


async def test_a_plan_of_ours_that_somebody_repeats_is_not_taken_for_ours(oven, tmp_path):
    async with opened(oven, tmp_path, {"double": DOUBLE | {"results": None, "outputs": {"run_uids": {}}}}) as resource:
        first = await run(resource, "double", x=1)
        [item] = tell(oven, "history_get")["items"]
        copied = {k: item[k] for k in ("name", "args", "kwargs", "meta", "item_type")} | {"kwargs": {"x": 13}}
        assert tell(oven, "queue_item_execute", item=copied, user="somebody", user_group="primary")["success"]
        await until(lambda: len(tell(oven, "history_get")["items"]) == 2)
        again = await ask(resource, "double")

    assert again == Done(outcome=first)


async def test_an_error_of_a_plan_is_a_failure_in_its_words(oven, tmp_path):
    async with opened(oven, tmp_path, {"double": DOUBLE}) as resource:
        outcome = await run(resource, "double", x=13)
        answer = await ask(resource, "double")

    assert "the door is open" in outcome.reason
    assert answer == Done(outcome=outcome)


async def test_a_function_that_cannot_say_what_was_measured_makes_a_failure(oven, tmp_path):
    (oven.folder / "mute").touch()
    async with opened(oven, tmp_path, {"double": DOUBLE}) as resource:
        outcome = await run(resource, "double", x=1)

    assert "it has ended, but its result cannot be fetched" in outcome.reason
    assert "the detector is mute" in outcome.reason


async def test_what_only_the_manager_refuses_is_a_failure(oven, tmp_path):
    part = PROGRAM | {"fixed": {"ramp": ["a"]}}
    async with opened(oven, tmp_path, {"ramp": part}) as resource:
        outcome = await run(resource, "ramp")

    assert "Plan validation failed" in outcome.reason
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
        {"anything": math.nan},
        {"anything": [1]},
        {"note": 1},
        {"note": "half \ud800"},
    )
]


async def test_of_a_thousand_hostile_commands_the_manager_acts_on_none(oven, tmp_path):
    async with opened(oven, tmp_path) as resource:
        outcomes = [
            await run(resource, HOSTILE[i % len(HOSTILE)][0], f"h{i}", **HOSTILE[i % len(HOSTILE)][1])
            for i in range(1000)
        ]

    assert [outcome for outcome in outcomes if not isinstance(outcome, Failure)] == []
    assert oven.begun() == []
    assert tell(oven, "status")["items_in_history"] == 0


# Busy, locked, closed


async def test_a_plan_of_somebody_else_is_waited_for_and_named(oven, tmp_path):
    theirs = {"item_type": "plan", "name": "heat", "kwargs": {"target": 1, "seconds": 1.5}}
    async with opened(oven, tmp_path) as resource, opened(oven, tmp_path, busy_s=0.2) as impatient:
        assert tell(oven, "queue_item_execute", item=theirs, user="somebody", user_group="primary")["success"]
        await until(oven.begun)
        with pytest.raises(ResourceUnavailable, match=r"executing queue the plan heat of somebody\): not begun"):
            await run(impatient, "double", x=1)
        answer = await ask(impatient, "double")
        outcome = await run(resource, "double", x=1)

    assert answer == NeverStarted()
    assert outcome.values == {}
    assert oven.begun() == ["heat 1", "double 1"]


async def test_a_lock_is_waited_for(oven, tmp_path):
    assert tell(oven, "lock", lock_key="k", environment=True, user="somebody")["success"]
    try:
        async with opened(oven, tmp_path, busy_s=0.2) as resource:
            with pytest.raises(ResourceUnavailable, match=r"its environment is locked by somebody\): not begun"):
                await run(resource, "double", x=1)
    finally:
        assert tell(oven, "unlock", lock_key="k")["success"]

    assert oven.begun() == []


async def test_a_closed_environment_is_not_opened_by_itself(tmp_path):
    with started(tmp_path, "closed") as oven:
        async with opened(oven, tmp_path) as resource:
            with pytest.raises(ResourceUnavailable, match=r"its environment is closed. Open it; nothing was begun"):
                await run(resource, "double", x=1)
            answer = await ask(resource, "double")
        told = await refusal(oven, tmp_path, user_group="nobody")

    assert answer == NeverStarted()
    assert "does not say its plans: Unknown user group: 'nobody'" in told


# Stop


@pytest.mark.parametrize(("how", "words"), [("abort", "aborted"), ("stop", "stopped"), ("halt", "halted")])
async def test_stop_is_accepted_during_a_run_which_then_has_failed(oven, tmp_path, how, words):
    async with opened(oven, tmp_path, stop=how) as resource:
        running = asyncio.create_task(run(resource, "heat", target=50, seconds=30))
        await until(oven.begun)
        await resource.stop()
        outcome = await running
        await resource.stop()  # where nothing goes on, it has stopped

    assert isinstance(outcome, Failure)
    assert tell(oven, "history_get")["items"][0]["result"]["exit_status"] == words
    assert oven.begun() == ["heat 50"]


async def test_what_waits_for_the_manager_is_not_executed_after_a_stop(oven, tmp_path):
    assert tell(oven, "lock", lock_key="k", environment=True, user="somebody")["success"]
    async with opened(oven, tmp_path) as resource:
        waiting = asyncio.create_task(run(resource, "double", x=1))
        await asyncio.sleep(0.3)
        await resource.stop()
        assert tell(oven, "unlock", lock_key="k")["success"]
        outcome = await waiting

    assert outcome == Failure(reason="it was stopped before it was begun")
    assert oven.begun() == []


# What breaks


async def test_a_missing_extra_is_an_error_that_names_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "zmq", None)

    assert "pip install '.[bluesky]'" in await refusal("tcp://127.0.0.1:9", tmp_path, MissingExtra)


async def test_a_manager_that_is_not_there_is_named_within_seconds(tmp_path):
    told = await refusal("tcp://127.0.0.1:9", tmp_path, ResourceUnavailable, timeout_s=0.3)

    assert "oven: the RE Manager at tcp://127.0.0.1:9 cannot be used: it cannot be reached" in told


async def test_a_server_that_never_answers_is_named_within_the_time_limit(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        told = await refusal(there, tmp_path, ResourceUnavailable, timeout_s=0.3)

    assert "cannot be reached" in told


class Faulty(Relay):
    """Loses the answer to the next request that holds these words, or hands it on twice, or swallows it."""

    loses = twice = swallows = b""

    async def _pump(self, reader, writer):
        try:
            while data := await reader.read(65536):
                if self.swallows and self.swallows in data:
                    return
                repeat = bool(self.twice) and self.twice in data
                lost = bool(self.loses) and self.loses in data
                writer.write(data)
                await writer.drain()
                if repeat:
                    self.twice = b""
                    writer.write(data)
                if lost:
                    self.loses = b""
                    await asyncio.sleep(0.2)
                    self.cut()
        except ConnectionError:
            pass
        writer.close()


async def test_where_the_answer_is_lost_the_manager_itself_tells_that_it_began(oven, tmp_path):
    async with Faulty(url(oven)) as relay, opened(relay.url, tmp_path, {"heat": HEAT}, timeout_s=1) as resource:
        relay.loses = b"queue_item_execute"
        outcome = await run(resource, "heat", target=50, seconds=1)

    assert relay.loses == b""
    assert outcome.values["runs"].value == 1
    assert oven.begun() == ["heat 50"]


async def test_an_order_that_arrives_twice_begins_once(oven, tmp_path):
    async with Faulty(url(oven)) as relay, opened(relay.url, tmp_path, {"heat": HEAT}) as resource:
        relay.twice = b"queue_item_execute"
        outcome = await run(resource, "heat", target=50, seconds=1)

    assert relay.twice == b""
    assert outcome.values["runs"].value == 1
    assert oven.begun() == ["heat 50"]


async def test_an_order_that_never_arrived_is_unknown_and_not_sent_again_until_somebody_decides(oven, tmp_path):
    async with Faulty(url(oven)) as relay, opened(relay.url, tmp_path, timeout_s=1) as resource:
        relay.swallows = b"queue_item_execute"
        with pytest.raises(ResourceUnavailable, match=r"it is not known whether it began. Look at the device"):
            await run(resource, "double", x=4)
        relay.swallows = b""
        answer = await ask(resource, "double")
        with pytest.raises(ResourceUnavailable, match=r"it never got the order, or has restarted"):
            await run(resource, "double", x=4)
        begun = oven.begun()
        await run(resource, "double", epoch=2, x=4)

    assert isinstance(answer, CannotTell)
    assert begun == []
    assert oven.begun() == ["double 4"]


async def test_a_connection_lost_in_the_middle_is_made_again_and_the_end_is_known(oven, tmp_path):
    async with Relay(url(oven)) as relay, opened(relay.url, tmp_path, {"heat": HEAT}, timeout_s=0.5) as resource:
        running = asyncio.create_task(run(resource, "heat", target=50, seconds=2))
        await until(oven.begun)
        await asyncio.sleep(0.5)
        for _ in range(20):
            relay.cut()
            await asyncio.sleep(0.02)
        outcome = await running

    assert outcome.values["runs"].value == 1
    assert oven.begun() == ["heat 50"]


async def test_an_environment_that_is_destroyed_in_the_middle_ends_the_plan(tmp_path):
    with started(tmp_path) as oven:
        async with opened(oven, tmp_path, {"heat": HEAT, "double": DOUBLE}) as resource:
            running = asyncio.create_task(run(resource, "heat", target=50, seconds=30))
            await until(oven.begun)
            assert tell(oven, "environment_destroy")["success"]
            outcome = await running
            await until(lambda: tell(oven, "status")["manager_state"] == "idle")
            with pytest.raises(ResourceUnavailable, match=r"its environment is closed"):
                await run(resource, "double", "c2", x=1)

    assert isinstance(outcome, Failure)
    assert oven.begun() == ["heat 50"]


async def test_a_manager_that_is_killed_and_forgets_leaves_the_end_unknown(tmp_path):
    with started(tmp_path) as oven:
        async with opened(oven, tmp_path, {"heat": HEAT, "double": DOUBLE}, timeout_s=1) as resource:
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


async def test_the_event_loop_goes_on_while_the_manager_is_silent(oven, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        opening = asyncio.create_task(refusal(there, tmp_path, ResourceUnavailable, timeout_s=1))
        turns = 0
        for _ in range(20):
            await asyncio.sleep(0.01)
            turns += not opening.done()
        await opening

    assert turns == 20
