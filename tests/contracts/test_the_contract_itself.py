"""The contract finds what it is there to find: an adapter with a fault planted in it does not pass."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from labwright.core.capability import Capability, Input, Output
from labwright.core.command import (
    CannotTell,
    Done,
    Failure,
    Measurement,
    NeverStarted,
    Observation,
    Running,
)
from labwright.core.errors import ResourceUnavailable
from labwright.testing import contract
from labwright.testing.contract import ResourceContract, Stand

LOST = "test_a_lost_reply_does_not_let_it_act_twice"
DOUBLED = "test_a_reply_that_comes_twice_is_not_taken_for_that_of_the_next"
CUT = "test_after_a_cut_it_works_again_without_being_opened"
CRASH = "test_what_began_before_a_crash_is_never_said_to_have_never_started"
STOP = "test_a_stop_ends_what_is_under_way_and_it_works_on_afterwards"
BUSY = "test_two_commands_at_once_are_never_mixed_up"
TWICE = "test_a_known_command_is_taken_up_again_and_never_done_twice"


@dataclass
class Device:
    """It doubles x; 9 goes on until it is stopped. It keeps ids and their ends, and holds its replies in a queue."""

    started: list[str] = field(default_factory=list)
    ends: dict[str, Observation | Failure | None] = field(default_factory=dict)
    replies: list[Observation | Failure] = field(default_factory=list)
    fault: str = ""

    def begin(self, command_id, x):
        self.started.append(command_id)
        self.ends[command_id] = None if x == 9 else Observation(values={"y": Measurement(value=2 * x)})

    def stop(self):
        self.ends |= {one: Failure(reason="stopped") for one, end in self.ends.items() if end is None}

    def lose_power(self):
        self.ends |= {one: Failure(reason="cut") for one, end in self.ends.items() if end is None}


class Adapter:
    """An adapter that keeps every promise."""

    name = "bench"

    def __init__(self, device):
        self.device, self.is_connected = device, True

    def capabilities(self):
        return (Capability(name="double", inputs=(Input(name="x"),), outputs=(Output(name="y"),), queryable=True),)

    async def run(self, command, recorder):
        self.reach()
        if command.command_id not in self.device.ends:
            self.begin(command)
        while self.device.ends[command.command_id] is None:
            await asyncio.sleep(0.01)
        return await self.replied(self.device.ends[command.command_id])

    def begin(self, command):
        self.device.begin(command.command_id, command.inputs["x"])

    async def replied(self, end):
        fault, self.device.fault = self.device.fault, ""
        if fault == "lose":
            raise ResourceUnavailable("no reply")
        return end

    def reach(self):
        if not self.is_connected:
            self.is_connected = True
            raise ResourceUnavailable("the connection was cut")

    async def ask(self, command):
        if command.command_id not in self.device.ends:
            return NeverStarted()
        end = self.device.ends[command.command_id]
        return Running() if end is None else Done(outcome=end)

    async def stop(self):
        self.device.stop()


class Repeating(Adapter):
    """It gives the order again when the reply was lost."""

    async def run(self, command, recorder):
        try:
            return await super().run(command, recorder)
        except ResourceUnavailable:
            self.begin(command)
            return await super().run(command, recorder)


class Denying(Adapter):
    """It asks nobody but itself, and it was not there."""

    def __init__(self, device):
        super().__init__(device)
        self.mine = set()

    def begin(self, command):
        self.mine.add(command.command_id)
        super().begin(command)

    async def ask(self, command):
        return await super().ask(command) if command.command_id in self.mine else NeverStarted()


class DenyingALoss(Adapter):
    """What it heard no reply to never was, it says."""

    def __init__(self, device):
        super().__init__(device)
        self.heard = set()

    async def run(self, command, recorder):
        outcome = await super().run(command, recorder)
        self.heard.add(command.command_id)
        return outcome

    async def ask(self, command):
        return await super().ask(command) if command.command_id in self.heard else NeverStarted()


class Deaf(Adapter):
    """It accepts a stop, and goes on."""

    async def stop(self):
        return


class Slow(Adapter):
    """It accepts a stop when the run has ended."""

    async def stop(self):
        while None in self.device.ends.values():
            await asyncio.sleep(0.01)


class Hasty(Adapter):
    """It takes whatever reply lies there for its own."""

    async def replied(self, end):
        fault, self.device.fault = self.device.fault, ""
        self.device.replies += [end] * (2 if fault == "double" else 1)
        return self.device.replies.pop(0)


class Broken(Adapter):
    """It never connects again."""

    def reach(self):
        if not self.is_connected:
            raise ResourceUnavailable("the connection was cut")


class Mixing(Adapter):
    """It keeps what it was asked last, for every run."""

    async def run(self, command, recorder):
        self.last = command
        await asyncio.sleep(0.01)
        self.begin(self.last)
        return self.device.ends[self.last.command_id]


class Guessing(Adapter):
    """It cannot tell, and says that it can."""

    async def ask(self, command):
        return CannotTell(reason="it forgets")


def stand_of(kind):
    device = Device()
    adapter = kind(device)

    async def crash():
        device.lose_power()
        return kind(device)

    return Stand(
        resource=adapter,
        inputs={"x": 3.0},
        other={"x": 4.0},
        slow={"x": 9.0},
        started=lambda: device.started,
        lose_reply=lambda: setattr(device, "fault", "lose"),
        double_reply=lambda: setattr(device, "fault", "double"),
        cut=lambda: setattr(adapter, "is_connected", False),
        crash=crash,
        stop_s=0.2,
    )


async def hold(kind, promise):
    """Hold an adapter to one promise, and leave nothing under way."""
    async with AsyncExitStack() as stack:
        stand = stand_of(kind)
        stack.callback(lambda: stand.resource.device.stop())
        await getattr(ResourceContract(), promise)(stand)


@pytest.mark.parametrize("promise", [LOST, DOUBLED, CUT, CRASH, STOP, BUSY, TWICE])
async def test_one_that_keeps_its_promises_passes(promise):
    await hold(Adapter, promise)


@pytest.mark.parametrize(
    ("kind", "promise", "words"),
    [
        (Repeating, LOST, r"physically began 2 times"),
        (DenyingALoss, LOST, "it never began, it says"),
        (Hasty, DOUBLED, "after a doubled reply it gave"),
        (Broken, CUT, "it does not connect again"),
        (Denying, CRASH, "it began before the crash; it never began, it says"),
        (Deaf, STOP, "it ignores the stop"),
        (Slow, STOP, r"not accepted within 0\.2 s"),
        (Mixing, BUSY, "beside another"),
        (Mixing, TWICE, "`twice` once is right"),
        (Guessing, "test_what_has_ended_can_be_asked_about_where_it_says_so", "it says CannotTell"),
    ],
)
async def test_one_with_a_fault_planted_in_it_fails(kind, promise, words, monkeypatch):
    monkeypatch.setattr(contract, "LONG_S", 0.3)

    with pytest.raises((AssertionError, pytest.fail.Exception), match=words):
        await hold(kind, promise)


def test_one_without_a_stand_says_what_to_write(tmp_path):
    class TestMine(ResourceContract):
        pass

    with pytest.raises(NotImplementedError, match=r"TestMine gives no stand: .*stand_in"):
        TestMine.stand_in(tmp_path)
