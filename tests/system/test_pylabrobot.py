"""The PyLabRobot resource: what is believed of a deck, and what its backend physically did."""

import asyncio
import json
import math
import os
import random
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from labwright.core.command import CannotTell, Command, Done, Failure, NeverStarted, Observation, Running
from labwright.core.errors import InvalidInput, MissingExtra, ResourceUnavailable
from labwright.core.recorder import Silent
from labwright.resources.pylabrobot import LiquidHandlerResource
from labwright.resources.resource import Seen
from labwright.testing.hostile import Hostile

BACKEND = Path(__file__).parent / "pylabrobot" / "backend.py"
DECK = {
    "kind": "Deck",
    "options": {"size_x": 600, "size_y": 400, "size_z": 300},
    "labware": {
        "tips": {"kind": "hamilton_96_tiprack_300uL", "at": [0, 0, 0]},
        "plate": {"kind": "cor_96_wellplate_360uL_Fb", "at": [150, 0, 0]},
        "trash": {"kind": "Trash", "options": {"size_x": 50, "size_y": 50, "size_z": 50}, "at": [300, 0, 0]},
    },
}
DOSE = {
    "do": "transfer",
    "volume": {"input": "ink", "unit": "uL", "low": 1, "high": 100},
    "source": "plate/A1",
    "target": {"input": "well", "of": "plate"},
}
ALL = ["pick up tips_tipspot_A1", "aspirate 50 plate_well_A1", "dispense 50 plate_well_B1", "drop trash"]


def options(folder, faults=None, **more):
    found = {
        "kind": "pylabrobot",
        "backend": f"{BACKEND}:Counting",
        "backend_options": {"file": str(folder / "acts"), "faults": faults or {}},
        "deck": DECK,
        "volumes": {"plate": "0 uL", "plate/A1": "0.2 mL"},
        "tips": ["tips"],
        "state": "deck.jsonl",
        "capabilities": {"dose": DOSE},
    }
    return LiquidHandlerResource.Options.model_validate(found | more)


@asynccontextmanager
async def opened(folder, faults=None, **more):
    async with LiquidHandlerResource.open("handler", options(folder, faults, **more), folder) as resource:
        yield resource


def command(command_id="c1", capability="dose", timeout_s=None, **inputs):
    given = inputs or {"ink": 50, "well": "B1"}
    return Command(command_id=command_id, epoch=1, capability=capability, inputs=given, timeout_s=timeout_s)


async def run(resource, command_id="c1", capability="dose", timeout_s=None, **inputs):
    return await resource.run(command(command_id, capability, timeout_s, **inputs), Silent())


def acts(folder):
    file = folder / "acts"
    return file.read_text().splitlines() if file.exists() else []


def settle(folder, happened=None, **more):
    said = more.pop("said", {})
    seen = Seen(by="ada", why="I looked", happened=happened, said=said)
    return LiquidHandlerResource.settle("handler", options(folder, **more), folder, seen)


def believed(folder, **more):
    return LiquidHandlerResource.standing("handler", options(folder, **more), folder)


async def refusal(folder, kind=InvalidInput, **more):
    with pytest.raises(kind) as refused:
        async with opened(folder, **more):
            pass
    return str(refused.value)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


# What is offered


async def test_the_limits_are_the_narrower_of_the_file_and_of_tips_and_wells(tmp_path):
    wide = DOSE | {"volume": {"unit": "mL"}}
    async with opened(tmp_path, capabilities={"dose": DOSE, "wide": wide}) as resource:
        dose, most = resource.capabilities()

    assert (dose.input("ink").low, dose.input("ink").high, dose.input("ink").unit) == (1, 100, "uL")
    assert (most.input("volume").low, most.input("volume").high) == (0, pytest.approx(0.3))  # 300 uL tips
    assert dose.input("well").levels[:2] == ("A1", "B1")
    assert [o.name for o in dose.outputs] == ["volume", "source", "source_left", "target", "target_volume", "tip"]


async def test_a_transfer_takes_a_tip_moves_the_liquid_and_tells_what_is_where(tmp_path):
    async with opened(tmp_path) as resource:
        outcome = await run(resource)

    assert {n: m.value for n, m in outcome.values.items()} == {
        "volume": 50,
        "source": "plate/A1",
        "source_left": 150,
        "target": "plate/B1",
        "target_volume": 50,
        "tip": "tips/A1",
    }
    assert acts(tmp_path) == ALL
    assert set(believed(tmp_path).lines) == {
        "head: no tip, 0 uL in it",
        "tips: 95 fresh, 0 used, 1 gone tips",
        "plate: A1 150 uL, B1 50 uL",
    }


async def test_names_units_and_places_are_the_files_so_that_another_deck_takes_the_same_campaign(tmp_path):
    part = {
        "do": "transfer",
        "volume": {"input": "ink", "unit": "mL"},
        "source": {"input": "colour", "places": {"red": "plate/A1", "blue": "plate/A2"}},
        "target": {"first_empty": "plate"},
        "outputs": {"taken": "volume", "where": "target"},
    }
    volumes = {"plate": "0 uL", "plate/A1": "200 uL", "plate/A2": "200 uL"}
    async with opened(tmp_path, capabilities={"mix": part}, volumes=volumes) as resource:
        [mix] = resource.capabilities()
        first = await run(resource, "c1", "mix", ink=0.05, colour="blue")
        second = await run(resource, "c2", "mix", ink=0.05, colour="red")

    assert [(i.name, i.levels) for i in mix.inputs] == [("ink", None), ("colour", ("red", "blue"))]
    assert [(o.name, o.unit) for o in mix.outputs] == [("taken", "mL"), ("where", None)]
    assert first.values["taken"].value == pytest.approx(0.05)
    assert (first.values["where"].value, second.values["where"].value) == ("plate/B1", "plate/C1")


async def test_aspirate_and_dispense_are_two_steps_with_one_tip(tmp_path):
    parts = {
        "draw": {"do": "aspirate", "volume": "50 uL", "source": "plate/A1"},
        "fill": {"do": "dispense", "volume": "25 uL", "target": "plate/B1"},
        "let_go": {"do": "drop_tip"},
        "get": {"do": "pick_up_tip"},
    }
    nothing = {"command_id": "", "inputs": {}}
    async with opened(tmp_path, capabilities=parts) as resource:
        names = ["get", "draw", "fill", "fill", "get", "let_go", "fill"]
        outcomes = [
            await resource.run(Command(**nothing | {"command_id": f"c{i}"}, epoch=1, capability=name), Silent())
            for i, name in enumerate(names)
        ]

    assert [isinstance(outcome, Observation) for outcome in outcomes] == [True] * 6 + [False]
    assert outcomes[-1] == Failure(reason="there is no tip on the channel")
    assert [act.partition(" ")[0] for act in acts(tmp_path)] == [
        *("pick", "aspirate", "dispense", "dispense", "drop"),  # it is empty, and dropped
        *("pick", "drop"),
    ]


async def test_a_layout_that_pylabrobot_has_saved_is_a_deck(tmp_path):
    async with opened(tmp_path) as resource:
        resource._handler._layout.deck.save(str(tmp_path / "deck.json"))

    async with opened(tmp_path, deck="deck.json") as resource:
        outcome = await run(resource)

    assert outcome.values["target_volume"].value == 50
    assert acts(tmp_path) == ALL


async def test_pylabrobots_own_simulator_does_the_same_and_prints_nothing(tmp_path, capsys):
    async with opened(tmp_path, backend="LiquidHandlerChatterboxBackend", backend_options={"num_channels": 2}) as one:
        outcome = await run(one)

    assert outcome.values["source_left"].value == 150
    assert capsys.readouterr().out == ""


async def test_without_trash_a_used_tip_goes_back_and_is_not_used_again(tmp_path):
    deck = DECK | {"labware": {k: v for k, v in DECK["labware"].items() if k != "trash"}}
    async with opened(tmp_path, deck=deck) as resource:
        tips = [(await run(resource, f"c{i}", ink=10, well="B1")).values["tip"].value for i in range(2)]

    assert tips == ["tips/A1", "tips/B1"]
    assert acts(tmp_path)[3] == "drop tips_tipspot_A1"
    assert "tips: 94 fresh, 2 used, 0 gone tips" in believed(tmp_path, deck=deck).lines


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"backend": "Nothing"}, "handler.backend: 'Nothing' is no backend of PyLabRobot's. It has:"),
        ({"backend": "nothing.py:It"}, "handler.backend: 'nothing.py:It' cannot be imported"),
        ({"deck": "nothing.json"}, "nothing.json cannot be read: No such file"),
        ({"deck": DECK | {"kind": "Dekc"}}, "pylabrobot.resources has no 'Dekc'. Did you mean Deck"),
        ({"deck": DECK | {"options": {"size": 1}}}, "handler.deck: Deck cannot be made: TypeError"),
        ({"tips": ["plate"]}, "handler.tips: there is no tip rack 'plate' on the deck. It has: tips."),
        ({"trash": "bin"}, "handler.trash: expected one of trash, found 'bin'"),
        (
            {"volumes": {"plat": "1 uL"}},
            "there is no container 'plat' on the deck. It has: plate (plate/A1 to plate/H12)",
        ),
        ({"volumes": {"plate/A1": "1 mL"}}, "plate/A1 takes 360 uL at most, and not 1 mL"),
        ({"volumes": {"plate/A1": "1 mm"}}, "another dimension"),
        ({"halt": "freeze"}, "handler.halt: "),
        (
            {"capabilities": {"it": DOSE | {"source": "plate/Z1"}}},
            "handler.it.source: there is no container 'plate/Z1'",
        ),
        ({"capabilities": {"it": DOSE | {"source": "plate"}}}, "'plate' is a plate; expected one of"),
        ({"capabilities": {"it": DOSE | {"volume": "301 uL"}}}, "the tip or the well takes 300 uL at most"),
        ({"capabilities": {"it": DOSE | {"volume": {"low": 400}}}}, "no volume is allowed"),
        ({"capabilities": {"it": DOSE | {"volume": {"input": "well"}}}}, "two inputs have one name"),
    ],
)
async def test_what_does_not_fit_is_refused_before_anything_moves(tmp_path, more, words):
    assert words in await refusal(tmp_path, **more)
    assert acts(tmp_path) == []


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"do": "transfer", "source": "a"}, "transfer needs a target"),
        ({"do": "drop_tip", "volume": "1 uL"}, "drop_tip has no volume"),
        ({"do": "aspirate", "source": "a", "outputs": {"x": "target"}}, "aspirate cannot tell target; it tells volume"),
        ({"do": "aspirate", "source": {"input": "x"}}, "either `of`: a plate, or `places`"),
    ],
)
def test_what_a_capability_lacks_is_named(tmp_path, part, words):
    with pytest.raises(ValueError, match=words):
        options(tmp_path, capabilities={"it": part})


async def test_a_missing_extra_is_an_error_that_names_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pylabrobot", None)

    assert "pip install '.[robots]'" in await refusal(tmp_path, MissingExtra)


# What cannot be done is refused before anything moves


@pytest.mark.parametrize(
    ("inputs", "more", "words"),
    [
        ({"ink": 60, "well": "B1"}, {"volumes": {"plate": "0 uL", "plate/A1": "50 uL"}}, "there are 50 uL in plate/A1"),
        ({"ink": 60, "well": "B1"}, {"volumes": {"plate": "340 uL"}}, "plate/B1 has room for 20 uL more"),
        ({"ink": 60, "well": "B1"}, {"volumes": {"plate/A1": "90 uL"}}, "it is not known how much is in plate/B1"),
        ({"ink": 60, "well": "B1"}, {"tips": []}, "there is no fresh tip left in the racks"),
    ],
)
async def test_a_transfer_that_cannot_end_well_does_not_begin(tmp_path, inputs, more, words):
    async with opened(tmp_path, **more) as resource:
        outcome = await run(resource, **inputs)
        answer = await resource.ask(command(**inputs))

    assert words in outcome.reason
    assert answer == NeverStarted()
    assert acts(tmp_path) == []


async def test_a_plate_with_a_lid_is_not_pipetted_into_and_not_even_a_tip_is_picked_up(tmp_path):
    from pylabrobot.resources import Lid

    async with opened(tmp_path) as resource:
        lid = Lid("lid", size_x=127.76, size_y=85.48, size_z=10, nesting_z_height=0)
        resource._handler._layout.deck.get_resource("plate").assign_child_resource(lid)
        outcome = await run(resource)

    assert outcome == Failure(reason="plate has a lid, which is over plate/A1")
    assert acts(tmp_path) == []


HUGE = "x" * 100_000
STRANGE = [math.nan, math.inf, -math.inf, float("1e400"), 10**400, 10**5000, -1, 0, 100.001, "50", True, None, [50]]
STRANGE += [{"v": 1}, b"1", HUGE, "", "half \ud800", "plate/Z9", "tips/A1", "../A1", "B1\0", object()]


async def test_a_thousand_hostile_commands_move_nothing(tmp_path):
    dice = random.Random(1)
    async with opened(tmp_path) as resource:
        first = await run(resource)
        for i in range(1000):
            inputs = {"ink": dice.choice([50, *STRANGE]), "well": dice.choice(["B1", *STRANGE])}
            if inputs["ink"] == 50 and inputs["well"] == "B1":
                inputs = dice.choice([{}, {"ink": 50}, {"ink": 50, "well": "B1", "more": 1}, {"INK": 50, "well": "B1"}])
            capability = dice.choice(["dose", "dose", "dose", "drop", HUGE, ""])
            given = Command(command_id=f"h{i}", epoch=1, capability=capability, inputs=inputs)
            if capability != "dose":
                with pytest.raises(InvalidInput, match="has no capability"):
                    await resource.run(given, Silent())
            else:
                outcome = await resource.run(given, Silent())
                assert isinstance(outcome, Failure) and len(outcome.reason) < 300
        for other in ({"ink": 51, "well": "B1"}, {"ink": 50, "well": "C1"}):
            with pytest.raises(InvalidInput, match="c1 was sent before with another content"):
                await run(resource, **other)
            assert isinstance(await resource.ask(command(**other)), CannotTell)

    assert isinstance(first, Observation)
    assert acts(tmp_path) == ALL


# Once


async def test_a_known_command_is_never_done_twice_also_by_another_process(tmp_path):
    async with opened(tmp_path, {2: "lengthy"}) as resource:
        both = await asyncio.gather(run(resource), run(resource))
    async with opened(tmp_path) as resource:
        again = await run(resource)
        answer = await resource.ask(command())

    assert both == [again, again]
    assert answer == Done(outcome=again)
    assert acts(tmp_path) == ALL


async def test_two_commands_wait_for_each_other(tmp_path):
    async with opened(tmp_path, {2: "lengthy"}) as resource:
        first = asyncio.create_task(run(resource))
        second = asyncio.create_task(run(resource, "c2", ink=20, well="C1"))
        await until(lambda: len(acts(tmp_path)) == 2)
        asked = await resource.ask(command("c2", ink=20, well="C1"))
        await asyncio.gather(first, second)

    assert asked == Running()
    assert acts(tmp_path)[:4] == ALL
    assert second.result().values["source_left"].value == 130


async def test_while_another_process_uses_the_deck_nothing_is_begun(tmp_path):
    async with opened(tmp_path) as first, opened(tmp_path) as second:
        await run(first)
        with pytest.raises(ResourceUnavailable, match="another process uses it"):
            await run(second, "c2")
        with pytest.raises(ResourceUnavailable, match="another process uses it"):
            settle(tmp_path)

    assert acts(tmp_path) == ALL


async def test_a_device_that_cannot_be_set_up_has_begun_nothing(tmp_path):
    async with opened(tmp_path, {0: "refuses"}) as resource:
        with pytest.raises(ResourceUnavailable, match=r"cannot be set up: RuntimeError: the door is open. Nothing was"):
            await run(resource)
        answer = await resource.ask(command())

    assert answer == NeverStarted()


# What is not known


async def test_an_answer_that_is_lost_leaves_it_pending_until_a_person_has_looked(tmp_path):
    async with opened(tmp_path, {2: "lost"}) as resource:
        with pytest.raises(ResourceUnavailable, match=r"nobody knows what became of aspirate 50 uL from plate/A1"):
            await run(resource)
        answer = await resource.ask(command())
        with pytest.raises(
            ResourceUnavailable, match=r"goes on from nothing unknown: .* labwright settle FILE handler"
        ):
            await run(resource, "c2")
        assert await resource.ask(command("c2")) == NeverStarted()
    async with opened(tmp_path) as resource:  # and so it is in the next process
        with pytest.raises(ResourceUnavailable, match="labwright settle"):
            await run(resource)
        assert isinstance(await resource.ask(command()), CannotTell)

    assert isinstance(answer, CannotTell)
    assert "aspirate 50 uL from plate/A1 (action 2 of 4 of command c1)" in answer.reason
    assert "plate: A1 200 uL" in believed(tmp_path).lines  # nothing is believed that was not confirmed
    assert acts(tmp_path) == ALL[:2]


async def test_an_action_that_fails_is_a_failed_run_and_what_it_moved_is_not_known(tmp_path):
    async with opened(tmp_path, {3: "broken"}) as resource:
        outcome = await run(resource)
        with pytest.raises(ResourceUnavailable, match="labwright settle"):
            await run(resource, "c2")

    assert "dispense 50 uL into plate/B1 failed: RuntimeError: the plunger is stuck" in outcome.reason
    assert "head: tips/A1, 50 uL in it" in believed(tmp_path).lines
    assert "plate: A1 150 uL" in believed(tmp_path).lines
    assert "dispense 50 uL" in believed(tmp_path).doubt


async def test_a_device_that_has_failed_is_not_asked_for_what_a_person_must_look_at(tmp_path):
    async with opened(tmp_path, {1: "broken"}) as resource:
        outcome = await run(resource)

    assert "pick up the tip tips/A1 failed" in outcome.reason
    assert acts(tmp_path) == ALL[:1]
    assert "tips: 96 fresh, 0 used, 0 gone tips" in believed(tmp_path).lines


async def test_a_tip_that_was_on_the_channel_when_the_process_ended_is_doubtful(tmp_path):
    parts = {"draw": {"do": "aspirate", "volume": "50 uL", "source": "plate/A1"}, "let_go": {"do": "drop_tip"}}
    async with opened(tmp_path, capabilities=parts) as resource:
        await resource.run(Command(command_id="c1", epoch=1, capability="draw", inputs={}), Silent())
    drop = Command(command_id="c2", epoch=1, capability="let_go", inputs={})
    async with opened(tmp_path, capabilities=parts) as resource:
        with pytest.raises(ResourceUnavailable, match="head was tips/A1; that may have changed since"):
            await resource.run(drop, Silent())

    with pytest.raises(InvalidInput, match="Take it off, and say so: --say head=none"):
        settle(tmp_path, capabilities=parts)  # the device may drop it as it is set up
    settle(tmp_path, capabilities=parts, said={"head": "none"})
    async with opened(tmp_path, capabilities=parts) as resource:
        outcome = await resource.run(drop, Silent())

    assert outcome == Failure(reason="there is no tip on the channel")


@pytest.mark.parametrize(("happened", "left"), [(True, 150), (False, 200)])
async def test_a_person_says_whether_it_happened_and_the_command_is_not_taken_up_again(tmp_path, happened, left):
    async with opened(tmp_path, {2: "lost"}) as resource:
        with pytest.raises(ResourceUnavailable):
            await run(resource)

    standing = settle(tmp_path, happened, said={"head": "none"})
    async with opened(tmp_path) as resource:
        answer = await resource.ask(command())
        after = await run(resource, "c2", ink=10, well="C1")

    assert standing.doubt is None
    assert f"plate: A1 {left} uL" in standing.lines
    assert answer.outcome == Failure(reason="it was not finished; ada has looked at it: I looked")
    assert after.values["source_left"].value == left - 10
    assert acts(tmp_path)[:2] == ALL[:2]


async def test_a_command_whose_first_action_never_happened_never_began(tmp_path):
    async with opened(tmp_path, {1: "lost"}) as resource:
        with pytest.raises(ResourceUnavailable):
            await run(resource)

    settle(tmp_path, happened=False)
    async with opened(tmp_path) as resource:
        answer = await resource.ask(command())
        outcome = await run(resource)

    assert answer == NeverStarted()
    assert isinstance(outcome, Observation)


async def test_a_command_whose_last_action_happened_is_done(tmp_path):
    async with opened(tmp_path, {4: "lost"}) as resource:
        with pytest.raises(ResourceUnavailable):
            await run(resource)

    settle(tmp_path, happened=True)
    async with opened(tmp_path) as resource:
        answer = await resource.ask(command())

    assert answer.outcome.values["target_volume"].value == 50


async def test_what_a_person_says_must_be_said_fully_and_must_fit(tmp_path):
    async with opened(tmp_path, {2: "lost"}) as resource:
        with pytest.raises(ResourceUnavailable):
            await run(resource)

    with pytest.raises(InvalidInput, match="Say whether it happened"):
        settle(tmp_path)
    for said in ({"plate/Z1": "1 uL"}, {"plate/A1": "1 L"}, {"tips": "new"}, {"head": "thumb"}):
        with pytest.raises(InvalidInput):
            settle(tmp_path, True, said=said)
    assert believed(tmp_path).doubt is not None


async def test_a_person_fills_up_tips_and_wells(tmp_path):
    async with opened(tmp_path) as resource:
        await run(resource)

    standing = settle(tmp_path, said={"tips": "fresh", "plate": "0 uL", "plate/A1": "300 uL"})

    assert "tips: 96 fresh, 0 used, 0 gone tips" in standing.lines
    assert "plate: A1 300 uL" in standing.lines


async def test_a_campaign_that_says_otherwise_of_the_same_deck_is_refused(tmp_path):
    async with opened(tmp_path) as resource:
        await run(resource)

    told = await refusal(tmp_path, volumes={"plate": "0 uL", "plate/A1": "300 uL"})

    assert "was begun with plate/A1 = 200, and the campaign says 300" in told


async def test_a_damaged_state_is_never_guessed_at(tmp_path):
    async with opened(tmp_path) as resource:
        await run(resource)
    state = tmp_path / "deck.jsonl"
    state.write_text(state.read_text().replace('"kind":"confirmed"', '"kind":"confi', 1))

    assert "line 3, is not as Labwright wrote it" in await refusal(tmp_path, ResourceUnavailable)


async def test_a_line_that_was_being_written_when_the_power_failed_was_never_acted_on(tmp_path):
    async with opened(tmp_path) as resource:
        await run(resource)
    with (tmp_path / "deck.jsonl").open("a") as file:
        file.write('{"kind":"pending","comm')

    async with opened(tmp_path) as resource:
        await run(resource, "c2", ink=10, well="C1")
    lines = (tmp_path / "deck.jsonl").read_text().splitlines()

    assert [json.loads(line)["kind"] for line in lines] == ["declared"] + ["pending", "confirmed"] * 8


async def test_a_disk_that_is_full_lets_nothing_begin(tmp_path, monkeypatch):
    write = os.write

    def full(file, data):
        write(file, data[:20])
        raise OSError(28, "No space left on device")

    async with opened(tmp_path) as resource:
        await resource.ask(command())  # it holds the deck
        monkeypatch.setattr("labwright.resources.memory.os.write", full)
        with pytest.raises(ResourceUnavailable, match="No space left on device"):
            await run(resource)
        monkeypatch.undo()
        answer, outcome = await resource.ask(command()), await run(resource)

    assert answer == NeverStarted()
    assert isinstance(outcome, Observation)
    assert acts(tmp_path) == ALL


async def test_of_what_a_broken_program_would_send_nothing_moves_either(tmp_path):
    async with opened(tmp_path) as resource:
        await run(resource)
        for wrong in Hostile(right=command("right"), known=("c1",)).commands(1000):
            try:
                outcome = await resource.run(wrong, Silent())
            except InvalidInput as error:
                outcome = Failure(reason=str(error))
            assert isinstance(outcome, Failure), wrong
    assert acts(tmp_path) == ALL


# Crashes

CHILD = """
import asyncio, json, sys
from pathlib import Path
from labwright.core.command import Command
from labwright.core.recorder import Silent
from labwright.resources.pylabrobot import LiquidHandlerResource as It
from labwright.testing.faults import kill_at
folder, point, count, options = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
async def main():
    async with It.open("handler", It.Options.model_validate(options), folder) as resource:
        with kill_at(point, count=count):
            given = Command(command_id="c1", epoch=1, capability="dose", inputs={"ink": 50, "well": "B1"})
            await resource.run(given, Silent())
asyncio.run(main())
"""


def killed(folder, point, count):
    given = options(folder).model_dump(mode="json")
    call = [sys.executable, "-c", CHILD, str(folder), point, str(count), json.dumps(given)]
    return subprocess.run(call, check=False).returncode


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("point", ["before pending", "after pending", "before confirmed", "after confirmed"])
async def test_a_process_that_is_killed_anywhere_loses_nothing_and_repeats_nothing(tmp_path, point, count):
    assert killed(tmp_path, point, count) == -9
    done = acts(tmp_path)

    async with opened(tmp_path) as resource:
        answer = await resource.ask(command())
        if answer == NeverStarted():
            outcome = await run(resource)
        elif isinstance(answer, CannotTell):
            with pytest.raises(ResourceUnavailable, match="labwright settle"):
                await run(resource)
            with pytest.raises(ResourceUnavailable, match="labwright settle"):
                await run(resource, "c2")
            outcome = None
        else:
            outcome = await run(resource)

    assert isinstance(answer, NeverStarted | CannotTell | Done)
    assert isinstance(answer, NeverStarted) is (count == 1 and point == "before pending")
    assert isinstance(answer, Done) is (count == 4 and point == "after confirmed")
    assert acts(tmp_path) == (ALL if isinstance(answer, NeverStarted) else done)  # nothing was repeated
    assert outcome is None or outcome.values["target_volume"].value == 50
    doubt = believed(tmp_path).doubt
    assert (doubt is None) is (outcome is not None)
    if point in ("after pending", "before confirmed"):
        assert f"action {count} of 4 of command c1" in doubt


# Stop


async def test_a_stop_lets_no_further_action_begin(tmp_path):
    async with opened(tmp_path, {2: "lengthy"}) as resource:
        running = asyncio.create_task(run(resource))
        waiting = asyncio.create_task(run(resource, "c2", ink=10, well="C1"))
        await until(lambda: len(acts(tmp_path)) == 2)
        await resource.stop()
        outcome, other = await running, await waiting
        again = await run(resource)

    assert (
        outcome
        == again
        == Failure(reason="it was stopped before dispense 50 uL into plate/B1 (action 3 of 4 of command c1)")
    )
    assert other == Failure(reason="it was stopped before it began")
    assert acts(tmp_path) == ALL[:2]
    assert "head: tips/A1, 50 uL in it" in believed(tmp_path).lines


async def test_a_backend_that_can_be_halted_is_and_what_it_did_is_not_known(tmp_path):
    async with opened(tmp_path, {2: "slow"}, halt="halt") as resource:
        running = asyncio.create_task(run(resource))
        await until(lambda: len(acts(tmp_path)) == 2)
        await resource.stop()
        outcome = await running

    assert "aspirate 50 uL from plate/A1 failed: RuntimeError: it was halted" in outcome.reason
    assert "aspirate 50 uL" in believed(tmp_path).doubt


async def test_what_cannot_be_halted_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr("labwright.resources.once.STOP_S", 0.2)
    async with opened(tmp_path, {2: "slow"}) as resource:
        running = asyncio.create_task(run(resource))
        await until(lambda: len(acts(tmp_path)) == 2)
        with pytest.raises(ResourceUnavailable, match=r"has not ended within 0.2 s; nothing more is begun"):
            await resource.stop()
        running.cancel()


async def test_a_stop_from_another_process_is_heard(tmp_path):
    async with opened(tmp_path, {2: "slow"}, halt="halt") as resource, opened(tmp_path) as other:
        running = asyncio.create_task(run(resource))
        await until(lambda: len(acts(tmp_path)) == 2)
        await other.stop()
        outcome = await asyncio.wait_for(running, 5)

    assert "it was halted" in outcome.reason
    assert acts(tmp_path) == ALL[:2]


async def test_a_command_that_nobody_waited_for_goes_on_and_is_taken_up(tmp_path):
    async with opened(tmp_path, {2: "lengthy"}) as resource:
        with pytest.raises(ResourceUnavailable, match=r"has not ended within 0.1 s; it may still go on"):
            await run(resource, timeout_s=0.1)
        answer, outcome = await resource.ask(command()), await run(resource)

    assert answer == Running()
    assert isinstance(outcome, Observation)
    assert acts(tmp_path) == ALL


async def test_an_action_that_never_answers_is_unknown_within_its_time(tmp_path):
    async with opened(tmp_path, {2: "slow"}, timeout_s=0.2) as resource:
        with pytest.raises(ResourceUnavailable, match="nobody knows what became of aspirate 50 uL"):
            await run(resource)


# A campaign

CAMPAIGN = """
name: inks
space: {ink: {kind: continuous, low: 5 uL, high: 20 uL}}
objectives: {colour: {goal: maximize, unit: uL}}
procedure:
  - use: handler.dose
    with: {ink: $ink}
    gives: {colour: $volume, well: $target}
resources:
  handler:
    kind: pylabrobot
    backend: "%(backend)s:Counting"
    backend_options: {file: "%(folder)s/acts", faults: {7: %(fault)s}}
    deck:
      kind: Deck
      options: {size_x: 600, size_y: 400, size_z: 300}
      labware:
        tips: {kind: hamilton_96_tiprack_300uL, at: [0, 0, 0]}
        plate: {kind: cor_96_wellplate_360uL_Fb, at: [150, 0, 0]}
        trash: {kind: Trash, options: {size_x: 50, size_y: 50, size_z: 50}, at: [300, 0, 0]}
    volumes: {plate: 0 uL, plate/A1: 300 uL}
    tips: [tips]
    state: deck.jsonl
    capabilities:
      dose:
        do: transfer
        volume: {input: ink, low: 1, high: 50}
        source: plate/A1
        target: {first_empty: plate}
budget: {trials: 3}
planner: {kind: sampling, seed: 1}
"""


@pytest.mark.parametrize("fault", ["lost", "broken"])
def test_a_campaign_stops_at_what_is_not_known_and_goes_on_when_a_person_has_said_it(command_line, tmp_path, fault):
    text = CAMPAIGN % {"backend": BACKEND, "folder": tmp_path, "fault": fault}
    (tmp_path / "inks.yaml").write_text(text)
    assert command_line("check", "inks.yaml")[0] == 0
    assert acts(tmp_path) == []

    code, out, error = command_line("run", "inks.yaml")
    assert code in (3, 4)
    told = out + error + command_line("status")[1]
    assert "labwright settle FILE handler" in told
    assert "dispense" in told
    assert len(acts(tmp_path)) == 7
    assert command_line("run", "inks.yaml")[0] in (3, 4)
    assert len(acts(tmp_path)) == 7

    (tmp_path / "secret").write_text("a secret that is long enough")
    assert command_line("people", "add", "ada", "--new-secret-file", "secret")[0] == 0
    who = ("--as", "ada", "--secret-file", "secret")
    shown = command_line("settle", "inks.yaml", "handler")[1]
    assert "In doubt: dispense" in shown
    saw = ("--why", "C1 is dry", "--never-happened", "--say", "head=none")
    told = command_line("settle", "inks.yaml", "handler", *who, *saw)
    assert told[0] == 0
    assert "In doubt" not in told[1]

    code, out, error = command_line("run", "inks.yaml")
    assert code == 5  # all trials have ended, and one of them failed
    assert len(acts(tmp_path)) == 11
    assert command_line("verify")[0] == 0
