import asyncio
from pathlib import Path

import pytest

from labwright.core.command import Command, Failure, Observation
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.recorder import Silent
from labwright.resources.function import FunctionResource
from labwright.resources.plain import InputOptions

BENCH = """
import numpy as np
from dataclasses import dataclass


@dataclass
class Cup:
    taste: float


def brew(t, grams=18.0):
    return {"taste": np.float64(t) * grams, "note": "fine"}


def odd(t):
    return 3.0


def broken(t):
    raise KeyError("lamp")
"""


def options(call: str, **more) -> FunctionResource.Options:
    return FunctionResource.Options(call=call, outputs={"taste": None}, **more)


async def call(folder: Path, name: str, **inputs):
    (folder / "bench.py").write_text(BENCH)
    async with FunctionResource.open("bench", options(f"bench.py:{name}"), folder) as function:
        return await function.run(Command(command_id="c", epoch=1, capability=name, inputs=inputs), Silent())


async def test_what_the_function_returns_is_observed_as_plain_values(tmp_path):
    observation = await call(tmp_path, "brew", t=2.0)

    assert isinstance(observation, Observation)
    assert type(observation.values["taste"].value) is float
    assert observation.values["taste"].value == 36.0
    assert observation.values["note"].value == "fine"


async def test_what_it_raises_is_a_failure_with_its_words(tmp_path):
    assert await call(tmp_path, "broken", t=1) == Failure(reason="bench.py:broken raised KeyError: 'lamp'")


async def test_what_is_no_dict_is_a_failure(tmp_path):
    assert await call(tmp_path, "odd", t=1) == Failure(
        reason="bench.py:odd returned 3.0; a dict with taste was expected."
    )


async def test_its_arguments_are_the_inputs_with_the_declared_limits(tmp_path):
    (tmp_path / "bench.py").write_text(BENCH)
    declared = options("bench.py:brew", inputs={"t": InputOptions(unit="degC", low=0, high=100)})

    async with FunctionResource.open("bench", declared, tmp_path) as function:
        [brew] = function.capabilities()

    assert brew.name == "brew"
    assert [(i.name, i.unit, i.low, i.high, i.required) for i in brew.inputs] == [
        ("t", "degC", 0, 100, True),
        ("grams", None, None, None, False),
    ]


@pytest.mark.parametrize(
    ("called", "words"),
    [
        ("bench.py", "has no function; expected file.py:function"),
        ("absent.py:f", "cannot be imported"),
        ("bench.py:absent", "has no function 'absent'"),
        ("no_such_package.module:f", "cannot be imported"),
    ],
)
async def test_a_function_that_is_not_there_is_refused(tmp_path, called, words):
    (tmp_path / "bench.py").write_text(BENCH)

    with pytest.raises(InvalidInput, match=words):
        async with FunctionResource.open("bench", options(called), tmp_path):
            pass


async def test_limits_for_an_argument_that_is_not_there_are_refused(tmp_path):
    (tmp_path / "bench.py").write_text(BENCH)
    declared = options("bench.py:brew", inputs={"temp": InputOptions()})

    with pytest.raises(InvalidInput, match="has no argument temp; it has t, grams"):
        async with FunctionResource.open("bench", declared, tmp_path):
            pass


STRANGE = """
import asyncio
import sys


class Odd:
    def __repr__(self):
        raise RuntimeError("no words")


class OddError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def leaves(t): sys.exit(0)
def interrupts(t): raise KeyboardInterrupt
def ends(t): raise StopIteration
async def gives_up(t): raise asyncio.CancelledError
def speechless(t): raise OddError
def surrogate(t): raise ValueError("\\ud800")
def mixed(t): return {"taste": 1j, "odd": Odd(), 3: b"x", "big": 10**400, "flag": True, "text": "\\ud800", "y": 2}
"""


@pytest.mark.parametrize("name", ["leaves", "interrupts", "ends", "gives_up", "speechless", "surrogate"])
async def test_whatever_it_raises_the_call_has_ended_and_failed(tmp_path, name):
    (tmp_path / "odd.py").write_text(STRANGE)

    async with FunctionResource.open("bench", options(f"odd.py:{name}"), tmp_path) as function:
        outcome = await function.run(Command(command_id="c", epoch=1, capability=name, inputs={"t": 1}), Silent())

    assert isinstance(outcome, Failure)
    assert f"odd.py:{name} raised" in outcome.reason
    outcome.reason.encode()


async def test_what_is_no_plain_value_is_kept_as_its_text(tmp_path):
    (tmp_path / "odd.py").write_text(STRANGE)

    async with FunctionResource.open("bench", options("odd.py:mixed"), tmp_path) as function:
        outcome = await function.run(Command(command_id="c", epoch=1, capability="mixed", inputs={"t": 1}), Silent())

    assert isinstance(outcome, Observation)
    values = {name: m.value for name, m in outcome.values.items()}
    assert values.pop("big").startswith("1000")
    assert values == {"taste": "1j", "odd": "a Odd", "3": "b'x'", "flag": "True", "text": "\\ud800", "y": 2}


@pytest.mark.parametrize("text", ["import sys; sys.exit(0)", "raise ValueError('no')", "1 +"])
async def test_a_file_that_cannot_be_imported_is_refused(tmp_path, text):
    (tmp_path / "bad.py").write_text(text)

    with pytest.raises(InvalidInput, match="cannot be imported"):
        async with FunctionResource.open("bench", options("bad.py:f"), tmp_path):
            pass


PLATE = """
import asyncio

import numpy as np


def mix(x, t):
    assert isinstance(x, list) and isinstance(t, float), (x, t)
    return {"taste": np.array(x) * t, "oven": "A", "note": [str(v) for v in x]}


def short(x, t):
    return {"taste": [1.0]}


async def slow(x, t=1.0):
    await asyncio.sleep(0.01)
    return {"taste": x * t}


async def leaves(x):
    raise SystemExit(3)
"""


async def call_plate(folder: Path, name: str, *rows, batch=None):
    (folder / "plate.py").write_text(PLATE)
    shared = {"t": InputOptions(shared=True)} if batch else {}
    async with FunctionResource.open("bench", options(f"plate.py:{name}", inputs=shared, batch=batch), folder) as bench:
        gathered = tuple(rows) if len(rows) > 1 else ()
        command = Command(command_id="c", epoch=1, capability=name, inputs=rows[0], batch=gathered)
        return bench.capabilities()[0], await bench.run(command, Silent())


async def test_a_batch_is_one_call_with_a_list_for_each_input_that_is_not_shared(tmp_path):
    mix, gathered = await call_plate(tmp_path, "mix", {"x": 1.0, "t": 3.0}, {"x": 2.0, "t": 3.0}, batch=8)

    found = [{name: m.value for name, m in outcome.values.items()} for outcome in gathered.outcomes]
    assert (mix.batch, mix.input("t").shared) == (8, True)
    assert found == [{"taste": 3.0, "oven": "A", "note": "1.0"}, {"taste": 6.0, "oven": "A", "note": "2.0"}]


async def test_a_function_of_batches_gets_lists_for_one_trial_too(tmp_path):
    _, outcome = await call_plate(tmp_path, "mix", {"x": 2.0, "t": 3.0}, batch=8)

    assert outcome.values["taste"].value == 6.0


async def test_a_batch_with_too_few_results_fails(tmp_path):
    _, outcome = await call_plate(tmp_path, "short", {"x": 1.0, "t": 3.0}, {"x": 2.0, "t": 3.0}, batch=8)

    assert outcome == Failure(
        reason="plate.py:short returned 1 values of taste; 2 were expected, or one value for all."
    )


async def test_an_async_function_is_awaited(tmp_path):
    _, outcome = await call_plate(tmp_path, "slow", {"x": 2.0})

    assert outcome.values["taste"].value == 2.0


async def test_an_async_function_that_leaves_has_failed(tmp_path):
    _, outcome = await call_plate(tmp_path, "leaves", {"x": 2.0})

    assert outcome == Failure(reason="plate.py:leaves raised SystemExit: 3")


WAITS = """
import asyncio
import threading
import time

meeting = threading.Barrier(40, timeout=20)


def meet(t):
    meeting.wait()
    return {"taste": t}


def sleep(t):
    time.sleep(t)
    return {"taste": t}


async def rest(t):
    await asyncio.sleep(t)
    return {"taste": t}


def late(t):
    raise TimeoutError("no answer")
"""


def waits(folder: Path, name: str, **more):
    (folder / "waits.py").write_text(WAITS)
    return FunctionResource.open("bench", options(f"waits.py:{name}", **more), folder)


def timed(name: str, t: float, timeout_s: float | None = 0.05) -> Command:
    return Command(command_id="c", epoch=1, capability=name, inputs={"t": t}, timeout_s=timeout_s)


async def test_as_many_calls_go_on_at_once_as_are_asked_for(tmp_path):
    async with waits(tmp_path, "meet") as bench:
        outcomes = await asyncio.gather(*(bench.run(timed("meet", 1.0, None), Silent()) for _ in range(40)))

    assert all(isinstance(outcome, Observation) for outcome in outcomes)


@pytest.mark.parametrize(("name", "repeatable"), [("rest", False), ("sleep", True)])
async def test_a_call_that_takes_too_long_has_failed_where_nothing_can_go_on(tmp_path, name, repeatable):
    async with waits(tmp_path, name, repeatable=repeatable) as bench:
        outcome = await bench.run(timed(name, 0.4), Silent())

    assert outcome == Failure(reason=f"waits.py:{name} has not ended within 0.05 s")


async def test_of_a_call_that_may_still_go_on_nobody_knows_the_end(tmp_path):
    async with waits(tmp_path, "sleep") as bench:
        with pytest.raises(ResourceUnavailable, match=r"has not ended within 0\.05 s; it may still go on"):
            await bench.run(timed("sleep", 0.4), Silent())


async def test_a_timeout_of_its_own_is_the_functions_failure(tmp_path):
    async with waits(tmp_path, "late") as bench:
        outcome = await bench.run(timed("late", 0.0, 5.0), Silent())

    assert outcome == Failure(reason="waits.py:late raised TimeoutError: no answer")
