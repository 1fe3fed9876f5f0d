"""The MADSci resource against a real node in a process and an environment of its own."""

import asyncio
import math
import signal
import socket
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from labwright.core.command import CannotTell, Command, Done, Failure, NeverStarted, Observation, Running
from labwright.core.errors import InvalidInput, InvalidUnit, NotFound, ResourceUnavailable
from labwright.core.recorder import Silent
from labwright.resources.madsci import MadsciResource
from labwright.testing import Relay, ServerProcess

SCRIPT = Path(__file__).parent / "madsci" / "server.py"
DOUBLE, HEAT, TUNE, PROGRAM = ({"action": name} for name in ("double", "heat", "tune", "program"))


@contextmanager
def started(folder, *how):
    try:
        oven = ServerProcess(SCRIPT, folder, *how)
    except NotFound as missing:
        pytest.skip(f"needs a MADSci node: {missing}")
    with oven:
        yield oven


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with started(tmp_path_factory.mktemp("oven")) as oven:
        yield oven


@pytest.fixture
def oven(shared):
    post(shared, "/admin/reset")
    post(shared, "/admin/unlock")
    for _ in range(100):
        if httpx.get(f"{url(shared)}/status").json()["ready"]:
            break
    (shared.folder / "begun").unlink(missing_ok=True)
    return shared


def url(oven):
    return f"http://127.0.0.1:{oven.port}"


def post(oven, path):
    assert httpx.post(f"{url(oven)}{path}", timeout=10).json()["success"]


@asynccontextmanager
async def opened(oven, folder, capabilities=None, **options):
    if capabilities is not None:
        options["capabilities"] = capabilities
    options = {"kind": "madsci", "url": oven if isinstance(oven, str) else url(oven)} | options
    async with MadsciResource.open("oven", MadsciResource.Options.model_validate(options), folder) as resource:
        yield resource


def order(capability, command_id="c1", epoch=1, timeout_s=None, **inputs):
    return Command(command_id=command_id, epoch=epoch, capability=capability, inputs=inputs, timeout_s=timeout_s)


async def run(resource, capability, *args, recorder=None, **more):
    return await resource.run(order(capability, *args, **more), recorder or Silent())


async def ask(resource, capability, command_id="c1"):
    return await resource.ask(order(capability, command_id))


def named(resource, name):
    return next(c for c in resource.capabilities() if c.name == name)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def refusal(oven, folder, kind=InvalidInput, **options):
    with pytest.raises(kind) as refused:
        async with opened(oven, folder, **options):
            pass
    return str(refused.value)


# What is offered


async def test_every_action_is_offered_with_types_limits_and_levels_as_the_node_says_them(oven, tmp_path):
    async with opened(oven, tmp_path) as resource:
        double, heat, tune, halt = (named(resource, name) for name in ("double", "heat", "tune", "halt"))

    [x] = double.inputs
    assert (x.low, x.high, x.required) == (0, 200, True)
    assert [o.name for o in double.outputs] == ["json_result"]
    assert {i.name: i.required for i in heat.inputs} == {"target": True, "seconds": False}
    assert [o.name for o in heat.outputs] == ["reached", "steps"]  # what may be missing is no output by itself
    assert {i.name: i.levels for i in tune.inputs} == {
        "speed": None,
        "mode": ("slow", "fast"),
        "quiet": (0, 1),
        "note": None,
    }
    assert halt.inputs == ()
    assert all(c.queryable for c in (double, heat, tune))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("program", ("the parameter ramp is list[float];", "Give it under `fixed`")),
        ("read", ("the parameter protocol is a file;", "Give it under `files`")),
    ],
)
async def test_an_action_that_takes_what_cannot_be_chosen_is_not_offered_and_whoever_names_it_is_told_why(
    oven, tmp_path, action, words
):
    async with opened(oven, tmp_path) as resource:
        offered = {c.name for c in resource.capabilities()}

    assert action not in offered
    told = await refusal(oven, tmp_path, capabilities={"it": action})
    assert all(part in told for part in words)


async def test_the_file_names_narrows_and_fixes_and_what_it_does_not_name_keeps_its_name(oven, tmp_path):
    part = DOUBLE | {
        "inputs": {"volume": {"parameter": "x", "low": 50, "high": 500, "unit": "uL"}},
        "outputs": {"twice": {"result": "json_result", "unit": "uL"}},
    }
    outputs = {"height": "peak.height", "name": {"result": "peak.name"}}
    ramp = PROGRAM | {"fixed": {"ramp": [1, 4, 2]}, "outputs": outputs}

    async with opened(oven, tmp_path, {"dose": part, "ramp": ramp}) as resource:
        [volume] = named(resource, "dose").inputs
        dosed, ramped = await run(resource, "dose", volume=60), await run(resource, "ramp", "c2")

    assert (volume.name, volume.unit, volume.low, volume.high) == ("volume", "uL", 50, 200)
    assert [(n, m.value, m.unit) for n, m in dosed.values.items()] == [("twice", 120, "uL")]
    assert {name: m.value for name, m in ramped.values.items()} == {"height": 4, "name": "top"}
    assert oven.begun() == ["double 60", "program [1.0, 4.0, 2.0]"]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("bake", "oven.it: the server has no 'bake'. It has: double, halt, heat, program, read, tune."),
        (DOUBLE | {"inputs": {"z": {"low": 1}}}, "double has no parameter 'z'. It has: x."),
        (DOUBLE | {"inputs": {"x": {"low": 300}}}, "the file says 300 to any, the server 0 to 200"),
        (DOUBLE | {"fixed": {"x": 300}}, "oven.it.fixed.x = 300 is not within 0 to 200"),
        (DOUBLE | {"fixed": {"x": 1}, "inputs": {"x": {}}}, "'x' is given by the file, and an input as well"),
        (TUNE | {"inputs": {"mode": {"levels": ["off"]}}}, "no value is allowed: the file says ['off']"),
        (TUNE | {"inputs": {"note": {"high": 3}}}, "note is a word, which has no unit, low or high"),
        (TUNE | {"inputs": {"mode": {"parameter": "note"}}}, "two inputs are named 'mode'"),
        (PROGRAM | {"fixed": {"ramp": [math.nan]}}, "cannot be sent"),
    ],
)
async def test_what_does_not_fit_the_node_is_refused_before_anything_moves(oven, tmp_path, part, words):
    assert words in await refusal(oven, tmp_path, capabilities={"it": part})
    assert oven.begun() == []


async def test_a_unit_that_nobody_knows_is_refused(oven, tmp_path):
    await refusal(oven, tmp_path, InvalidUnit, capabilities={"it": DOUBLE | {"inputs": {"x": {"unit": "nonesuch"}}}})


# Commands


async def test_words_and_yes_or_no_are_sent_as_the_node_takes_them(oven, tmp_path):
    async with opened(oven, tmp_path, {"tune": TUNE | {"outputs": {"where": {}}}}) as resource:
        outcome = await run(resource, "tune", speed=5, mode="fast", quiet=1, note="µ")

    assert {name: m.value for name, m in outcome.values.items()} == {"where": "fast", "reached": 1.5, "steps": 5}
    assert oven.begun() == ["tune 5 fast True µ"]


async def test_files_are_uploaded_and_what_the_action_makes_is_kept(oven, tmp_path):
    (tmp_path / "wash.txt").write_text("rinse")
    read = {"action": "read", "files": {"protocol": "wash.txt"}}

    async with opened(oven, tmp_path, {"read": read, "heat": HEAT}) as resource:
        outcome = await run(resource, "read")
        heated = await run(resource, "heat", "c2", target=199, seconds=0.01)

    assert outcome == Observation(values={}, objects=(f"sha256:{sha256(b'RINSE').hexdigest()}",))
    assert set(heated.objects) == {f"sha256:{sha256(d).hexdigest()}" for d in (b"t,T\n" * 200_000, b"warm")}
    assert oven.begun() == ["read rinse", "heat 199"]


async def test_a_file_that_is_not_there_fails_before_anything_moves(oven, tmp_path):
    async with opened(oven, tmp_path, {"read": {"action": "read", "files": {"protocol": "wash.txt"}}}) as resource:
        outcome = await run(resource, "read")

    assert "the file for protocol cannot be read" in outcome.reason
    assert oven.begun() == []


async def test_the_state_of_the_node_is_streamed_while_it_works_and_what_it_lacks_is_a_gap(oven, tmp_path):
    recorder = Silent()
    channels = {"temperature": "oven.temperature", "door": {"state": "door", "kind": "word"}, "nothing": "no.such"}

    async with opened(oven, tmp_path, telemetry={"channels": channels, "every_s": 0.05}) as resource:
        await run(resource, "heat", recorder=recorder, target=100, seconds=1)

    told = {name: [v for n, _, v, _ in recorder.samples if n == name] for name in channels}
    assert len({float(v) for v in told["temperature"]} & {10.0 * step for step in range(1, 11)}) > 2
    assert set(told["door"]) == {"closed"}
    assert told["nothing"] == []
    assert [(g.channel, g.why) for g in recorder.gaps] == [("nothing", "the node's state has no no.such")]


async def test_a_known_command_is_taken_up_and_never_started_twice(oven, tmp_path):
    async with opened(oven, tmp_path) as resource:
        both = await asyncio.gather(*(run(resource, "heat", target=50, seconds=0.8) for _ in range(2)))
        again = await run(resource, "heat", epoch=2, target=50, seconds=0.8)

    assert both == [again, again]
    assert oven.begun() == ["heat 50"]


async def test_another_process_takes_up_what_one_that_was_killed_has_begun(oven, tmp_path):
    async with opened(oven, tmp_path) as resource:
        with pytest.raises(ResourceUnavailable, match=r"has not ended within 0.8 s; it may still go on"):
            await run(resource, "heat", timeout_s=0.8, target=50, seconds=2)
    async with opened(oven, tmp_path) as another:
        going = await ask(another, "heat")
        outcome = await run(another, "heat", target=50, seconds=2)
        ended = await ask(another, "heat")  # it has files, so the result is fetched by running it again
        never = await ask(another, "heat", "c9")

    assert (going, ended) == (Running(), Running())
    assert outcome.values["reached"].value == 50
    assert isinstance(never, CannotTell)
    assert oven.begun() == ["heat 50"]


async def test_another_folder_cannot_tell_unless_it_is_the_only_one(oven, tmp_path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    async with opened(oven, tmp_path / "here") as here, opened(oven, tmp_path / "there") as there:
        await run(here, "double", x=1)
        answers = await ask(here, "double"), await ask(there, "double")
    async with opened(oven, tmp_path / "here", exclusive=True) as alone:
        never = await ask(alone, "double", "c9")

    assert isinstance(answers[0], Done)
    assert isinstance(answers[1], CannotTell)
    assert never == NeverStarted()


@pytest.mark.parametrize(("x", "words"), [(13, "the door is open"), (14, "the fuse")])
async def test_an_error_of_the_node_is_a_failure_in_its_words(oven, tmp_path, x, words):
    async with opened(oven, tmp_path) as resource:
        assert await run(resource, "double", x=x) == Failure(reason=words)
        assert await ask(resource, "double") == Done(outcome=Failure(reason=words))


async def test_a_result_that_is_no_number_is_a_failure(oven, tmp_path):
    async with opened(oven, tmp_path) as resource:
        outcome = await run(resource, "double", x=17)

    assert isinstance(outcome, Failure)
    assert "json_result" in outcome.reason


# Hostile commands

TUNED = {"speed": 1, "mode": "slow", "quiet": 0}
WRONG = (math.nan, math.inf, -math.inf, 10**400, -1, 200.1, "20", True, None, [1], {"value": 1}, b"1")
HOSTILE = [("double", {"x": value}) for value in WRONG]
HOSTILE += [("double", inputs) for inputs in ({}, {"x": 1, "y": 1}, {"X": 1}, {"x": 1, "__class__": 1})]
HOSTILE += [
    ("tune", TUNED | changed)
    for changed in (
        {"speed": 1.5},
        {"speed": 2**63},
        {"speed": "1; drop"},
        {"mode": "Slow"},
        {"mode": 1},
        {"quiet": 2},
        {"quiet": "yes"},
        {"note": "n" * (2**20 + 1)},
        {"note": "half \ud800"},
        {"note": "zero \0"},
    )
]


async def test_of_a_thousand_hostile_commands_the_node_acts_on_none(oven, tmp_path):
    async with opened(oven, tmp_path) as resource:
        outcomes = [
            await run(resource, *[HOSTILE[i % len(HOSTILE)][0], f"h{i}"], **HOSTILE[i % len(HOSTILE)][1])
            for i in range(1000)
        ]

    assert [outcome for outcome in outcomes if not isinstance(outcome, Failure)] == []
    assert all(len(outcome.reason) < 250 for outcome in outcomes)
    assert oven.begun() == []
    assert httpx.get(f"{url(oven)}/status").json()["running_actions"] == []


async def test_the_limits_of_the_file_hold_at_the_device_as_well(oven, tmp_path):
    async with opened(oven, tmp_path, {"it": DOUBLE | {"inputs": {"x": {"high": 30}}}}) as resource:
        outcome = await run(resource, "it", x=31)

    assert outcome == Failure(reason="x = 31 is not within 0 to 30")


# Busy, locked, errored


async def test_a_busy_node_is_waited_for(oven, tmp_path):
    async with opened(oven, tmp_path) as resource:
        first = asyncio.create_task(run(resource, "heat", target=50, seconds=1.2))
        await until(oven.begun)
        second = await run(resource, "double", "c2", x=2)
        await first

    assert second.values["json_result"].value == 4
    assert oven.begun() == ["heat 50", "double 2"]


async def test_a_node_that_stays_locked_has_begun_nothing_and_says_so(oven, tmp_path):
    post(oven, "/admin/lock")
    async with opened(oven, tmp_path, busy_s=0.2) as resource:
        with pytest.raises(ResourceUnavailable, match=r"does not accept double now \(it is locked\): not begun"):
            await run(resource, "double", x=2)
        answer = await ask(resource, "double")
        post(oven, "/admin/unlock")
        outcome = await run(resource, "double", x=2)

    assert answer == NeverStarted()
    assert outcome.values["json_result"].value == 4
    assert oven.begun() == ["double 2"]


async def test_a_node_in_an_error_state_is_not_waited_for(oven, tmp_path):
    async with opened(oven, tmp_path) as resource:
        await run(resource, "double", x=14)
        with pytest.raises(
            ResourceUnavailable, match=r"it is in an error state: see to it, then reset it. Nothing was"
        ):
            await run(resource, "double", "c2", x=2)
        answer = await ask(resource, "double", "c2")

    assert answer == NeverStarted()
    assert oven.begun() == ["double 14"]


# Stop


@pytest.mark.parametrize("options", [{}, {"stop": "cancel"}])
async def test_stop_is_accepted_during_a_run_which_then_has_failed(oven, tmp_path, options):
    async with opened(oven, tmp_path, **options) as resource:
        running = asyncio.create_task(run(resource, "heat", target=50, seconds=30))
        await until(oven.begun)
        await resource.stop()
        outcome = await running

    assert outcome == Failure(reason="it was halted")
    assert oven.begun() == ["heat 50", "cancel"]


async def test_what_waits_for_the_node_is_not_started_after_a_stop(oven, tmp_path):
    post(oven, "/admin/lock")
    async with opened(oven, tmp_path) as resource:
        waiting = asyncio.create_task(run(resource, "double", x=1))
        await asyncio.sleep(0.2)
        await resource.stop()
        post(oven, "/admin/unlock")
        outcome = await waiting

    assert outcome == Failure(reason="it was stopped before it was begun")
    assert oven.begun() == ["cancel"]


async def test_a_safety_stop_is_preferred_and_the_node_then_takes_nothing(tmp_path):
    with started(tmp_path, "safe") as oven:
        async with opened(oven, tmp_path) as resource:
            await resource.stop()
            with pytest.raises(ResourceUnavailable, match=r"it was stopped for safety: see to it, then reset it"):
                await run(resource, "double", x=1)

    assert oven.begun() == ["safety_stop"]


async def test_a_node_that_cannot_stop_or_will_not_says_so(oven, tmp_path):
    (oven.folder / "stubborn").touch()
    async with opened(oven, tmp_path) as resource:
        with pytest.raises(ResourceUnavailable, match=r"oven refused to stop: .*Stop it at the device"):
            await resource.stop()
    (oven.folder / "stubborn").unlink()
    with started(tmp_path, "bare") as bare:
        async with opened(bare, tmp_path) as resource:
            with pytest.raises(ResourceUnavailable, match=r"neither of the admin commands safety_stop and cancel"):
                await resource.stop()
        told = await refusal(bare, tmp_path, stop="cancel")

    assert "oven.stop: the node has no admin command 'cancel'. It has: lock, reset, shutdown, unlock." in told


# What breaks


async def test_a_node_that_is_not_there_is_named_within_seconds(tmp_path):
    told = await refusal("http://127.0.0.1:9", tmp_path, ResourceUnavailable)

    assert "oven: the server at http://127.0.0.1:9 cannot be used: it cannot be reached" in told


async def test_a_server_that_never_answers_is_named_within_the_time_limit(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        told = await refusal(
            f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path, ResourceUnavailable, timeout_s=0.3
        )

    assert "ReadTimeout" in told


class Lossy(Relay):
    """Loses the answer to the next request that begins so, after the server has got it; or hands that on twice."""

    loses = twice = b""

    async def _pump(self, reader, writer):
        first = await reader.read(65536)
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


async def test_where_the_answer_to_a_start_is_lost_the_nodes_history_tells_that_it_began(oven, tmp_path):
    async with Lossy(url(oven)) as relay, opened(relay.url, tmp_path) as resource:
        relay.loses = b"/start"
        outcome = await run(resource, "heat", target=50, seconds=1)

    assert relay.loses == b""
    assert outcome.values["reached"].value == 50
    assert oven.begun() == ["heat 50"]


async def test_where_the_answer_to_a_create_is_lost_it_is_created_again_and_started_once(oven, tmp_path):
    async with Lossy(url(oven)) as relay, opened(relay.url, tmp_path) as resource:
        relay.loses = b"POST /action/double HTTP"
        outcome = await run(resource, "double", x=4)

    assert relay.loses == b""
    assert outcome.values["json_result"].value == 8
    assert oven.begun() == ["double 4"]


async def test_a_start_that_arrives_twice_begins_once(oven, tmp_path):
    async with Lossy(url(oven)) as relay, opened(relay.url, tmp_path) as resource:
        relay.twice = b"/start"
        outcome = await run(resource, "double", x=4)

    assert relay.twice == b""
    assert outcome.values["json_result"].value == 8
    assert oven.begun() == ["double 4"]


class Swallowing(Relay):
    """Swallows the next request that begins so: the server never gets it, and nobody is told."""

    swallows = b""

    async def _pump(self, reader, writer):
        first = await reader.read(65536)
        if self.swallows and self.swallows in first:
            return
        writer.write(first)
        await writer.drain()
        await super()._pump(reader, writer)


async def test_a_start_that_never_arrived_is_unknown_and_not_sent_again_until_somebody_decides(oven, tmp_path):
    async with Swallowing(url(oven)) as relay, opened(relay.url, tmp_path, timeout_s=1) as resource:
        relay.swallows = b"/start"
        with pytest.raises(ResourceUnavailable, match=r"it is not known whether it began. Look at the device"):
            await run(resource, "double", x=4)
        relay.swallows = b""
        answer = await ask(resource, "double")
        with pytest.raises(ResourceUnavailable, match=r"it never got the order, or has restarted"):
            await run(resource, "double", x=4)
        begun = oven.begun()
        decided = await run(resource, "double", epoch=2, x=4)

    assert isinstance(answer, CannotTell)
    assert begun == []
    assert decided.values["json_result"].value == 8


async def test_a_connection_lost_in_the_middle_is_made_again_and_the_end_is_known(oven, tmp_path):
    recorder = Silent()
    telemetry = {"channels": {"temperature": "oven.temperature"}, "every_s": 0.05}
    async with Relay(url(oven)) as relay, opened(relay.url, tmp_path, telemetry=telemetry) as resource:
        running = asyncio.create_task(run(resource, "heat", recorder=recorder, target=50, seconds=2))
        await until(oven.begun)
        await asyncio.sleep(0.7)
        for _ in range(20):
            relay.cut()
            await asyncio.sleep(0.02)
        outcome = await running

    assert outcome.values["reached"].value == 50
    assert oven.begun() == ["heat 50"]


async def test_a_connection_that_does_not_come_back_leaves_the_end_to_be_asked_about(oven, tmp_path):
    async with Relay(url(oven)) as relay, opened(relay.url, tmp_path, reconnect_s=0.5) as resource:
        running = asyncio.create_task(run(resource, "heat", target=50, seconds=2))
        await until(oven.begun)
        await asyncio.sleep(0.7)
        relay.close()
        relay.cut()
        with pytest.raises(
            ResourceUnavailable, match=r"what came of command c1 \(heat\) is not known: .* cannot be used"
        ):
            await running
        with pytest.raises(ResourceUnavailable, match=r"cannot be used"):
            await ask(resource, "heat")


async def test_a_node_that_is_killed_in_the_middle_leaves_the_end_unknown(tmp_path):
    with started(tmp_path) as oven:
        async with opened(oven, tmp_path) as resource:
            running = asyncio.create_task(run(resource, "heat", target=50, seconds=30))
            await until(oven.begun)
            await asyncio.sleep(0.8)
            oven.kill()
            await asyncio.to_thread(oven.start)
            with pytest.raises(ResourceUnavailable, match=r"or has restarted and forgotten it"):
                await running
            answer = await ask(resource, "heat")
            outcome = await run(resource, "double", "c2", x=1)

        assert isinstance(answer, CannotTell)
        assert outcome.values["json_result"].value == 2
        assert oven.begun() == ["heat 50", "double 1"]


async def test_the_event_loop_goes_on_while_the_node_is_silent(oven, tmp_path):
    async with opened(oven, tmp_path, timeout_s=1) as resource:
        oven.process.send_signal(signal.SIGSTOP)
        try:
            running = asyncio.create_task(run(resource, "double", x=1))
            turns = 0
            for _ in range(20):
                await asyncio.sleep(0.01)
                turns += not running.done()
        finally:
            oven.process.send_signal(signal.SIGCONT)
        outcome = await running

    assert turns == 20
    assert outcome.values["json_result"].value == 2
