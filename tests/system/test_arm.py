"""The arm resource, with MuJoCo's physics: where things are believed to be, and where they are."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from labwright.core.command import CannotTell, Command, Done, Failure, NeverStarted, Observation
from labwright.core.errors import InvalidInput, MissingExtra, ResourceUnavailable
from labwright.core.recorder import Silent
from labwright.resources.arm import ArmResource
from labwright.resources.arm.reach import Reach
from labwright.resources.resource import Seen
from labwright.testing.hostile import Hostile

pytest.importorskip("mujoco", reason="needs the extra 'robots'")
BACKEND = Path(__file__).parent / "arm" / "backend.py"
APPROACH, GRIP, LIFT, CARRY, LOWER, RELEASE, RETREAT = range(7)
ALL = [
    "open",
    "go above bench",
    "go to bench",
    "close",
    "go above bench",
    "go above oven",
    "go to oven",
    "open",
    "go above oven",
]
WORDS = [
    "approach bench",
    "grip vial at bench",
    "lift vial from bench",
    "carry vial to oven",
    "lower vial to oven",
    "release vial at oven",
    "retreat from oven",
]


def options(folder, faults=None, pace=50, **more):
    found = {
        "kind": "arm",
        "backend": f"{BACKEND}:Counting",
        "backend_options": {"file": str(folder / "acts"), "faults": faults or {}, "pace": pace},
        "places": ["bench", "oven", "scale", "shelf"],
        "things": {"vial": "bench", "block": "shelf"},
        "speed": "500 mm/s",
        "state": "cell.jsonl",
        "capabilities": {"move": {}},
    }
    return ArmResource.Options.model_validate(found | more)


@asynccontextmanager
async def opened(folder, faults=None, **more):
    async with ArmResource.open("arm", options(folder, faults, **more), folder) as resource:
        yield resource


def command(command_id="c1", source="bench", target="oven"):
    return Command(command_id=command_id, epoch=1, capability="move", inputs={"source": source, "target": target})


async def run(resource, command_id="c1", source="bench", target="oven", recorder=None):
    return await resource.run(command(command_id, source, target), recorder or Silent())


def acts(folder):
    file = folder / "acts"
    return file.read_text().splitlines() if file.exists() else []


def settle(folder, happened=None, said=None):
    return ArmResource.settle(
        "arm", options(folder), folder, Seen(by="ada", why="I looked", happened=happened, said=said or {})
    )


def believed(folder):
    return ArmResource.standing("arm", options(folder), folder)


def world(resource):
    return resource._arm.driver.physics


def where(resource, thing):
    return world(resource).data.body(thing).xpos


def at(resource, place):
    return pytest.approx(world(resource).model.site(place).pos, abs=3e-3)


class Told(Silent):
    """Keeps what is told of the progress."""

    def __init__(self):
        self.words = []

    def progress(self, fraction, words=""):
        self.words.append(words)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


# A move


async def test_a_move_brings_the_thing_there_and_tells_where_it_is(tmp_path):
    told = Told()
    async with opened(tmp_path) as resource:
        outcome = await run(resource, recorder=told)

        assert where(resource, "vial") == at(resource, "oven")
        assert where(resource, "block") == at(resource, "shelf")
    assert {n: m.value for n, m in outcome.values.items()} == {"place": "oven", "source": "bench", "thing": "vial"}
    assert told.words == WORDS
    assert acts(tmp_path) == ALL
    assert believed(tmp_path).lines == ("gripper: empty", "bench: empty", "oven: vial", "scale: empty", "shelf: block")


async def test_things_are_where_they_were_left_when_the_next_process_begins(tmp_path):
    async with opened(tmp_path) as resource:
        await run(resource)
    async with opened(tmp_path) as resource:
        outcome = await run(resource, "c2", "oven", "scale")

        assert where(resource, "vial") == at(resource, "scale")
    assert outcome.values["place"].value == "scale"


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("oven", "bench", "nothing is believed to be at oven"),
        ("bench", "shelf", "block is at shelf, where vial was to be brought"),
        ("bench", "bench", "vial is at bench, where vial was to be brought"),
        ("floor", "oven", "source: found 'floor', expected one of bench, oven, scale, shelf"),
    ],
)
async def test_what_does_not_fit_what_is_believed_is_a_failed_run_and_nothing_moves(tmp_path, source, target, reason):
    async with opened(tmp_path) as resource:
        outcome = await run(resource, "c1", source, target)

    assert outcome == Failure(reason=reason)
    assert acts(tmp_path) == []


async def test_places_are_fixed_or_chosen_by_the_campaigns_words_or_the_first_that_will_do(tmp_path):
    parts = {
        "load": {"source": {"input": "what", "places": {"sample": "bench", "blank": "shelf"}}, "target": "oven"},
        "clear": {"source": "oven", "target": {"first_of": ["bench", "scale"]}, "outputs": {"now_at": "place"}},
    }
    async with opened(tmp_path, capabilities=parts) as resource:
        load, clear = resource.capabilities()
        given = {"command_id": "c1", "epoch": 1, "capability": "load", "inputs": {"what": "blank"}}
        first = await resource.run(Command(**given), Silent())
        second = await resource.run(
            Command(**given | {"command_id": "c2", "capability": "clear", "inputs": {}}), Silent()
        )

    assert [(i.name, i.levels) for i in load.inputs] == [("what", ("sample", "blank"))]
    assert [o.name for o in clear.outputs] == ["now_at"]
    assert first.values["thing"].value == "block"
    assert second.values["now_at"].value == "scale"


TURNING = """
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <site name="bench" pos="-0.2 0.3 0.02"/>
    <site name="moon" pos="-0.2 0.7 0.02"/>
    <body>
      <joint name="shoulder" type="hinge" axis="0 0 1" range="-3 3"/>
      <geom size="0.01"/>
      <body pos="0.3 0 0">
        <joint name="elbow" type="hinge" axis="0 0 1" range="-2.8 2.8"/>
        <geom size="0.01"/>
        <body pos="0.3 0 0.2">
          <joint name="lift" type="slide" axis="0 0 1" range="-0.2 0.1"/>
          <joint name="wrist" type="hinge" axis="0 0 1" range="-6 6"/>
          <geom size="0.01"/>
          <site name="tcp"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <position name="shoulder" joint="shoulder"/>
    <position name="elbow" joint="elbow"/>
    <position name="lift" joint="lift"/>
    <position name="wrist" joint="wrist"/>
  </actuator>
</mujoco>
"""


def test_the_joints_of_an_arm_that_turns_are_found_within_their_limits():
    import mujoco

    model = mujoco.MjModel.from_xml_string(TURNING)
    joints = Reach("arm", model, ["shoulder", "elbow", "lift", "wrist"], "tcp").joints("bench", 0.05)
    data = mujoco.MjData(model)
    data.qpos[:] = joints
    mujoco.mj_forward(model, data)

    assert data.site("tcp").xpos == pytest.approx([-0.2, 0.3, 0.07], abs=1e-3)
    assert data.site("tcp").xmat == pytest.approx(data.site("bench").xmat, abs=0.03)
    assert np.all(np.abs(joints) <= [3, 2.8, 0.2, 6])
    with pytest.raises(InvalidInput, match="does not reach moon within the limits of its joints"):
        Reach("arm", model, ["shoulder", "elbow", "lift", "wrist"], "tcp").joints("moon", 0.0)


# What goes wrong


@pytest.mark.parametrize(
    ("faults", "step", "count"),
    [({3: "gone"}, GRIP, 4), ({4: "slippery"}, GRIP, 4), ({5: "slippery"}, LIFT, 5), ({6: "slippery"}, CARRY, 6)],
    ids=["it is not there", "it slips out of the fingers", "it slips as it is lifted", "it falls on the way"],
)
async def test_an_empty_hand_is_a_failed_run_and_nothing_moves_until_the_thing_is_found(tmp_path, faults, step, count):
    async with opened(tmp_path, faults) as resource:
        outcome = await run(resource)
        again = await run(resource)
        with pytest.raises(ResourceUnavailable, match="nobody knows where vial is"):
            await run(resource, "c2")
        with pytest.raises(ResourceUnavailable, match="nobody knows where vial is"):
            await run(resource, "c3", "shelf", "scale")  # it may lie anywhere
        answer = await resource.ask(command("c2"))

    assert outcome == again
    assert outcome.reason.startswith(f"{WORDS[step]} failed: nothing is in the fingers; nobody knows where vial is")
    assert answer == NeverStarted()
    assert len(acts(tmp_path)) == count  # the hand stays where it found it
    assert "vial: nobody knows where" in believed(tmp_path).lines
    assert "gripper: empty" in believed(tmp_path).lines
    assert believed(tmp_path).doubt == "nobody knows where vial is"

    settle(tmp_path, said={"vial": "scale"})
    async with opened(tmp_path) as resource:
        after = await run(resource, "c2", "scale", "oven")
    assert after.values["thing"].value == "vial"
    assert believed(tmp_path).doubt is None


async def test_a_thing_that_is_in_the_way_of_the_fingers_stops_it_and_a_person_looks(tmp_path):
    async with opened(tmp_path, {3: "wide"}) as resource:
        outcome = await run(resource)
        with pytest.raises(ResourceUnavailable, match="labwright settle"):
            await run(resource, "c2")

    assert "grip vial at bench failed" in outcome.reason
    assert "something is in the way" in outcome.reason
    assert "grip vial at bench (action 2 of 7 of command c1)" in believed(tmp_path).doubt


async def test_no_answer_leaves_the_run_unknown_and_nothing_is_done_again(tmp_path):
    async with opened(tmp_path, {8: "lost"}) as resource:
        with pytest.raises(ResourceUnavailable, match="nobody knows what became of release vial at oven"):
            await run(resource)
        answer = await resource.ask(command())
    async with opened(tmp_path) as resource:
        with pytest.raises(ResourceUnavailable, match="labwright settle"):
            await run(resource)

    assert isinstance(answer, CannotTell)
    assert acts(tmp_path) == ALL[:8]
    assert "gripper: vial" in believed(tmp_path).lines
    assert "oven: vial" in settle(tmp_path, happened=True).lines


async def test_what_is_in_the_gripper_when_the_process_ended_must_be_taken_out_of_it(tmp_path):
    async with opened(tmp_path, {6: "broken"}) as resource:
        outcome = await run(resource)

    assert "carry vial to oven failed: RuntimeError: the motor is too hot" in outcome.reason
    with pytest.raises(InvalidInput, match="--say gripper=none"):
        settle(tmp_path, happened=False)
    with pytest.raises(InvalidInput, match="vial and block would both be at shelf"):
        settle(tmp_path, happened=False, said={"vial": "shelf"})
    assert settle(tmp_path, happened=False, said={"gripper": "none"}).doubt == "nobody knows where vial is"
    assert settle(tmp_path, said={"vial": "gone"}).doubt is None
    async with opened(tmp_path) as resource:
        assert await run(resource, "c2") == Failure(reason="nothing is believed to be at bench")
        assert isinstance(await run(resource, "c3", "shelf", "bench"), Observation)


# Stop


@pytest.mark.parametrize("whose", ["ours", "another process'"])
async def test_a_stop_halts_it_in_the_middle_and_what_is_held_stays_held(tmp_path, whose):
    async with opened(tmp_path, pace=1) as resource, opened(tmp_path) as other:
        moving = asyncio.create_task(run(resource))
        await until(lambda: acts(tmp_path)[-1:] == ["go above oven"])
        await asyncio.sleep(0.2)
        await (resource if whose == "ours" else other).stop()
        outcome = await moving
        hand, speed = world(resource).data.site("tcp").xpos.copy(), np.abs(world(resource).data.qvel[-5:]).max()
        world(resource)._step(2)

        assert speed < 5e-3
        assert world(resource).data.site("tcp").xpos == pytest.approx(hand, abs=1e-3)
        assert -0.19 < hand[0] < -0.01  # between bench and oven
        assert await world(resource).is_holding()
    assert "carry vial to oven failed: it was stopped in the middle" in outcome.reason
    assert "carry vial to oven" in believed(tmp_path).doubt
    assert "gripper: vial" in believed(tmp_path).lines
    assert acts(tmp_path) == ALL[:6]


async def test_a_stop_between_two_steps_leaves_nothing_pending(tmp_path):
    class Stops(Told):
        def progress(self, fraction, words=""):
            super().progress(fraction, words)
            if words == WORDS[LIFT]:
                asyncio.get_running_loop().call_soon(lambda: stops.append(asyncio.ensure_future(resource.stop())))

    stops = []
    async with opened(tmp_path) as resource:
        outcome = await run(resource, recorder=Stops())
        await asyncio.gather(*stops)

    assert isinstance(outcome, Failure)
    assert "stopped" in outcome.reason
    assert len(acts(tmp_path)) <= 5


async def test_a_process_that_is_closed_in_the_middle_leaves_the_arm_at_rest(tmp_path):
    async with opened(tmp_path, pace=1) as resource:
        moving = asyncio.create_task(run(resource))
        await until(lambda: acts(tmp_path)[-1:] == ["go above oven"])
        await asyncio.sleep(0.2)

    moving.cancel()
    assert np.abs(world(resource).data.qvel[-5:]).max() < 5e-3
    assert not world(resource)._turn.locked()
    assert "carry vial to oven" in believed(tmp_path).doubt


# Crashes

CHILD = """
import asyncio, json, sys
from pathlib import Path
from labwright.core.command import Command
from labwright.core.recorder import Silent
from labwright.resources.arm import ArmResource as It
from labwright.testing.faults import kill_at
folder, point, count, options = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
async def main():
    async with It.open("arm", It.Options.model_validate(options), folder) as resource:
        with kill_at(point, count=count):
            given = Command(command_id="c1", epoch=1, capability="move", inputs={"source": "bench", "target": "oven"})
            await resource.run(given, Silent())
asyncio.run(main())
"""


def child(folder, point="never", count=1, pace=50):
    found = options(folder, pace=pace).model_dump(mode="json") | {"speed": "500 mm/s", "force": "10 N"}
    return subprocess.Popen([sys.executable, "-c", CHILD, str(folder), point, str(count), json.dumps(found)])


@pytest.mark.parametrize(
    ("point", "count", "began"),
    [
        ("before pending", 1, 0),
        ("after pending", 2, 2),
        ("before confirmed", 4, 6),
        ("after confirmed", 4, 6),
        ("after confirmed", 7, 9),
    ],
)
async def test_a_process_that_is_killed_repeats_nothing(tmp_path, point, count, began):
    with child(tmp_path, point, count) as process:
        assert process.wait(60) == -9
    assert acts(tmp_path) == ALL[:began]

    async with opened(tmp_path) as resource:
        answer = await resource.ask(command())
        if began in (0, 9):
            outcome = await run(resource)
            assert outcome.values["place"].value == "oven"
        else:
            with pytest.raises(ResourceUnavailable, match="labwright settle"):
                await run(resource)

    assert isinstance(answer, {0: NeverStarted, 9: Done}.get(began, CannotTell))
    assert acts(tmp_path) == ALL[: began or 9]


async def test_killed_in_the_middle_of_a_motion_it_waits_for_a_person_and_then_goes_on(tmp_path):
    with child(tmp_path, pace=1) as process:
        deadline = time.monotonic() + 60
        while acts(tmp_path)[-1:] != ["go above oven"] and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    done = acts(tmp_path)

    async with opened(tmp_path) as resource:
        with pytest.raises(ResourceUnavailable, match="labwright settle"):
            await run(resource, "c2", "shelf", "scale")
    assert "carry vial to oven" in believed(tmp_path).doubt
    assert acts(tmp_path) == done == ALL[:6]

    settle(tmp_path, happened=False, said={"vial": "bench"})
    async with opened(tmp_path) as resource:
        answer, after = await resource.ask(command()), await run(resource, "c2")
    assert answer == Done(outcome=Failure(reason="it was not finished; ada has looked at it: I looked"))
    assert after.values["place"].value == "oven"


# Hostile commands


async def test_of_a_thousand_hostile_commands_none_moves_the_arm(tmp_path):
    async with opened(tmp_path) as resource:
        for wrong in Hostile(right=command()).commands(1000):
            try:
                outcome = await resource.run(wrong, Silent())
            except InvalidInput as error:
                outcome = Failure(reason=str(error))
            assert isinstance(outcome, Failure)
            assert len(outcome.reason) < 300
        assert acts(tmp_path) == []
        assert world(resource).data.time == 0

        assert isinstance(await run(resource), Observation)
        with pytest.raises(InvalidInput, match="c1 was sent before with another content"):
            await run(resource, "c1", "shelf", "scale")
    assert acts(tmp_path) == ALL


# Options


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"backend": "robot"}, "arm.backend: found 'robot', expected mujoco, or file.py:Class"),
        ({"backend": "nothing.py:It"}, "arm.backend: 'nothing.py:It' cannot be imported"),
        ({"backend": "pathlib:Path", "backend_options": {}}, "arm.backend: pathlib:Path has no start()"),
        ({"backend": "mujoco", "backend_options": {"model": "no.xml"}}, "no.xml"),
        ({"backend": "mujoco", "backend_options": {"hand": "palm"}}, "the model has no site 'palm'"),
        ({"backend": "mujoco", "backend_options": {"clearance": "900 mm"}}, "does not reach 900 mm above"),
        ({"backend": "mujoco", "backend_options": {"pace": -1}}, "arm.backend_options.pace"),
        ({"backend": "mujoco", "backend_options": {}, "places": ["bench", "shelf", "moon"]}, "knows no 'moon'"),
        ({"capabilities": {"move": {"target": "moon"}}}, "arm.move.target: there is no place 'moon'"),
        ({"capabilities": {"move": {"target": {"input": "source"}}}}, "two inputs have one name"),
    ],
)
async def test_what_is_wrong_with_the_options_is_said_before_anything_moves(tmp_path, more, words):
    with pytest.raises(InvalidInput) as refused:
        async with opened(tmp_path, **more):
            pass

    assert words in str(refused.value)


@pytest.mark.parametrize(
    "more",
    [
        *({"speed": wrong} for wrong in ("0 mm/s", "-1 mm/s", "nan m/s", "inf m/s", "9 m/s", "5 mm", "5", 5, True)),
        *({"force": wrong} for wrong in ("0 N", "1e400 N", "300 N", "5 kg")),
        {"things": {"vial": "moon"}},
        {"things": {"vial": "bench", "block": "bench"}},
        {"things": {"bench": "bench"}},
        {"things": {"gripper": "bench"}},
        {"places": ["bench", "shelf", "bench"]},
        {"timeout_s": float("nan")},
    ],
)
def test_numbers_and_names_are_checked(tmp_path, more):
    with pytest.raises(ValueError, match="validation error"):
        options(tmp_path, **more)


async def test_without_its_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("labwright.resources.arm.physics.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="robots"):
        async with opened(tmp_path, backend="mujoco", backend_options={}):
            pass


async def test_the_fingers_press_with_no_more_than_their_force_and_the_hand_keeps_to_its_speed(tmp_path):
    fastest = 0.0
    async with opened(tmp_path, speed="200 mm/s", force="5 N") as resource:
        physics = world(resource)
        step = physics._step

        def watched(seconds):
            nonlocal fastest
            before = physics.data.site("tcp").xpos.copy()
            step(seconds)
            fastest = max(fastest, float(np.linalg.norm(physics.data.site("tcp").xpos - before)) / seconds)

        physics._step = watched
        outcome = await run(resource)
        assert np.abs(physics.model.actuator_forcerange[physics._grip]) == pytest.approx([5, 5])
    assert isinstance(outcome, Observation)
    assert 0.1 < fastest < 0.22


# A campaign

CAMPAIGN = """
name: films
space: {x: {kind: continuous, low: 1 mL, high: 2 mL}}
objectives: {y: {goal: minimize, unit: mL}}
procedure:
  - {use: lab.coat, with: {x: $x}, gives: {y: $y}, makes: film}
  - {use: arm.load, moves: {film: oven}}
  - {use: arm.unload, moves: {film: bench}}
resources:
  lab: {kind: function, call: "lab.py:coat", inputs: {x: {unit: mL, low: 0, high: 5}}, outputs: {y: mL}}
  arm:
    kind: arm
    backend: "%(backend)s:Counting"
    backend_options: {file: "%(folder)s/acts", faults: {21: gone}, pace: 50}
    places: [bench, oven, shelf]
    things: {vial: bench}
    speed: 500 mm/s
    state: cell.jsonl
    capabilities:
      load: {source: bench, target: oven}
      unload: {source: oven, target: bench}
budget: {trials: 3}
planner: {kind: sampling, seed: 1}
"""


def test_a_failed_grip_is_a_failed_run_and_nobody_knows_where_the_sample_is(command_line, tmp_path):
    (tmp_path / "films.yaml").write_text(CAMPAIGN % {"backend": BACKEND, "folder": tmp_path})
    (tmp_path / "lab.py").write_text("def coat(x):\n    return {'y': x}\n")
    assert command_line("check", "films.yaml")[0] == 0
    assert acts(tmp_path) == []

    code, out, error = command_line("run", "films.yaml")
    assert code in (3, 4)
    assert len(acts(tmp_path)) == 22
    assert "labwright settle FILE arm" in out + error + command_line("status")[1]
    samples = {s["id"]: s for s in json.loads(command_line("samples", "films", "--json")[1])}
    assert (samples["films/1/film"]["state"], samples["films/1/film"]["place"]) == ("made", "bench")
    assert (samples["films/2/film"]["state"], samples["films/2/film"]["place"]) == ("made", None)
    assert "grip vial at bench failed: nothing is in the fingers" in command_line("show", "films/2")[1]
    trials = json.loads(command_line("trials", "films", "--json")[1])
    assert [trial["state"] for trial in trials[:2]] == ["observed", "failed"]
    assert command_line("run", "films.yaml")[0] in (3, 4)
    assert len(acts(tmp_path)) == 22

    (tmp_path / "secret").write_text("a secret that is long enough")
    assert command_line("people", "add", "ada", "--new-secret-file", "secret")[0] == 0
    assert "vial: nobody knows where" in command_line("settle", "films.yaml", "arm")[1]
    who = ("--as", "ada", "--secret-file", "secret")
    told = command_line("settle", "films.yaml", "arm", *who, "--why", "it stood beside", "--say", "vial=bench")
    assert told[0] == 0

    assert command_line("run", "films.yaml")[0] == 5  # all trials have ended, and one of them failed
    assert len(acts(tmp_path)) == 40
    assert command_line("verify")[0] == 0
