"""What every resource promises, as tests: subclass `ResourceContract`, and put your own resource on a `Stand`.

It needs pytest and pytest-asyncio, and nothing else of Labwright imports it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
import pytest_asyncio

from labwright.core.capability import Capability
from labwright.core.command import (
    Answer,
    CannotTell,
    Command,
    Done,
    Failure,
    Gathered,
    Measurement,
    NeverStarted,
    Observation,
    Outcome,
    Running,
)
from labwright.core.errors import HeldBack, ResourceUnavailable, StaleEpoch
from labwright.core.form import observe
from labwright.core.recorder import Silent
from labwright.core.task import Task
from labwright.core.values import Value
from labwright.resources.resource import Resource

LOOK_S = 0.01
LONG_S = 30.0  # after this what should have happened never will
Seam: TypeAlias = Callable[[], None]


class Answering(Silent):
    """A recorder with a person behind it, who reports at once."""

    async def task(self, task: Task) -> Outcome:
        """Report 1 for everything."""
        return observe(task.fields, {field.name: Measurement(value=1.0) for field in task.fields}, {})


@dataclass(kw_only=True)
class Stand:
    """A resource on a test stand: inputs that it can run, and how often it physically began, where that is counted.

    `started` gives the command id of every physical start; where the device does not know the ids, `begun` counts them.
    `other` are inputs that give another result, and `slow` those of a run that would take minutes if nobody ended it;
    `unstoppable` says why a stop does not end it, where it cannot.

    What the stand can do to the resource, where it is given: `lose_reply` (the next command is carried out, but its
    reply never comes), `double_reply` (the next reply comes twice), `cut` (the connection breaks now, the device goes
    on), and `crash` (the device dies, or only the process of the adapter, and begins again; it returns the resource,
    opened anew). `stop_s`: how soon a stop must be accepted while a run goes on. `same`: the outputs that are the same
    whenever the inputs are; None: all of them.
    """

    resource: Resource
    inputs: Mapping[str, Value]
    started: Callable[[], Sequence[str]] | None = None
    begun: Callable[[], int] | None = None
    other: Mapping[str, Value] | None = None
    slow: Mapping[str, Value] | None = None
    unstoppable: str = ""
    lose_reply: Seam | None = None
    double_reply: Seam | None = None
    cut: Seam | None = None
    crash: Callable[[], Awaitable[Resource]] | None = None
    stop_s: float = 1.0
    same: Collection[str] | None = None

    @property
    def capability(self) -> Capability:
        """What is tested: its first capability."""
        return self.resource.capabilities()[0]

    def command(
        self, command_id: str, *, epoch: int = 1, batch: int = 0, inputs: Mapping[str, Value] | None = None
    ) -> Command:
        """Return a command with the inputs of the stand, or with others."""
        inputs, name = inputs or self.inputs, self.capability.name
        return Command(command_id=command_id, epoch=epoch, capability=name, inputs=inputs, batch=(inputs,) * batch)

    async def run(
        self, command_id: str, *, epoch: int = 1, batch: int = 0, inputs: Mapping[str, Value] | None = None
    ) -> Outcome:
        """Let the resource run a command."""
        command = self.command(command_id, epoch=epoch, batch=batch, inputs=inputs)
        return await self.resource.run(command, Answering())

    async def ask(self, command_id: str, *, epoch: int = 1, inputs: Mapping[str, Value] | None = None) -> Answer:
        """Ask the resource what became of a command."""
        return await self.resource.ask(self.command(command_id, epoch=epoch, inputs=inputs))

    def values(self, outcome: Outcome) -> Mapping[str, Measurement]:
        """Return what an outcome holds that is the same whenever the inputs are; one that is none fails."""
        assert isinstance(outcome, Observation), f"{outcome} came back; an observation was expected."
        return {n: value for n, value in outcome.values.items() if self.same is None or n in self.same}

    def starts(self) -> int | None:
        """Return how often it physically began anything; None where nobody counts."""
        if self.begun is not None:
            return self.begun()
        return None if self.started is None else len(self.started())

    def check_started(self, before: int | None, most: int, what: str) -> None:
        """Fail where more has physically begun since then; doing a repeatable thing again is no harm."""
        if before is None or self.capability.repeatable:
            return
        found = (self.starts() or 0) - before
        assert found <= most, f"{what}: it physically began {found} times; at most {most} were asked for."

    async def begin_slow(self, command_id: str) -> tuple["asyncio.Task[Outcome]", bool]:
        """Begin the slow run and return once it is under way; also whether the device was seen to begin."""
        before = self.starts()
        flight = asyncio.create_task(self.run(command_id, inputs=self.slow))
        for _ in range(round(LONG_S / LOOK_S)):
            await asyncio.sleep(LOOK_S)
            if flight.done() or before is None or self.starts() != before:
                break
        if before is None:
            await asyncio.sleep(20 * LOOK_S)
        assert not flight.done(), f"`slow` is to be inputs of a run that takes minutes; it ended: {_ended(flight)}."
        assert before is None or self.starts() != before, f"the slow run has not begun within {LONG_S:g} s."
        return flight, before is not None


@pytest.mark.asyncio(loop_scope="class")
class ResourceContract:
    """The promises. A subclass gives the stand, in a folder of its own: `stand_in`, or the fixture `stand`."""

    @classmethod
    def stand_in(cls, folder: Path) -> AbstractAsyncContextManager[Stand]:
        """Open the resource on its stand."""
        raise NotImplementedError(f"{cls.__name__} gives no stand: write its class method `stand_in(cls, folder)`.")

    @pytest_asyncio.fixture(scope="class", loop_scope="class")
    @classmethod
    async def stand(cls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
        """Put the resource on its stand, once for all promises."""
        async with cls.stand_in(tmp_path_factory.mktemp("stand")) as stand:
            yield stand

    async def test_it_names_what_it_can_do_once(self, stand: Stand) -> None:
        names = [capability.name for capability in stand.resource.capabilities()]

        assert names, "it offers no capability."
        assert len(set(names)) == len(names), f"two capabilities share a name: {names}."
        missing = {i.name for i in stand.capability.inputs if i.required} - set(stand.inputs)
        assert not missing, f"the stand gives no value for {missing}."

    async def test_a_run_gives_every_output_in_its_declared_unit(self, stand: Stand) -> None:
        outcome = await stand.run("outputs")

        assert isinstance(outcome, Observation), f"{outcome} came back; an observation was expected."
        for output in stand.capability.outputs:
            assert output.name in outcome.values, f"the output {output.name} is missing in {outcome.values}."
            found = outcome.values[output.name].unit
            assert found == output.unit, f"{output.name} came in {found}; {output.unit} is declared."

    async def test_a_known_command_is_taken_up_again_and_never_done_twice(self, stand: Stand) -> None:
        before = stand.starts()

        first, again = await stand.run("twice"), await stand.run("twice")

        assert first == again, f"the same command gave {first}, and then {again}."
        if stand.started is not None and not stand.capability.repeatable:
            assert list(stand.started()).count("twice") == 1, (
                f"it began {list(stand.started())}; `twice` once is right."
            )
        if stand.capability.queryable:
            stand.check_started(before, 1, "the same command, run twice")

    async def test_what_has_ended_can_be_asked_about_where_it_says_so(self, stand: Stand) -> None:
        outcome = await stand.run("ended")
        answer = await stand.ask("ended")

        if isinstance(answer, Running):  # run again, it gives the same result at once
            answer = Done(outcome=await stand.run("ended"))
        if stand.capability.queryable:
            assert answer == Done(outcome=outcome), f"it says {answer} of a command that gave {outcome}."
        else:
            assert isinstance(answer, CannotTell), f"it is not `queryable`, and says {answer}."

    async def test_a_command_that_it_never_heard_of_is_never_said_to_be_done(self, stand: Stand) -> None:
        before = stand.starts()

        answer = await stand.ask("unheard")

        # People are no machine: whatever was begun, running it again puts the task before them once.
        assert isinstance(answer, NeverStarted | CannotTell | Running), f"it says {answer} of an unheard command."
        assert stand.started is None or "unheard" not in stand.started(), "being asked, it began."
        stand.check_started(before, 0, "a command that was only asked about")

    async def test_a_batch_gives_one_outcome_for_each(self, stand: Stand) -> None:
        count = stand.capability.batch
        if count == 1:
            pytest.skip("it takes one at a time")

        outcome, alone = await stand.run("batch", batch=count), await stand.run("alone")

        assert isinstance(outcome, Gathered), f"{outcome} came back from a batch; Gathered was expected."
        assert len(outcome.outcomes) == count, f"{len(outcome.outcomes)} outcomes came back from a batch of {count}."
        assert all(isinstance(one, Observation | Failure) for one in outcome.outcomes), f"found {outcome.outcomes}."
        first, wanted = stand.values(outcome.outcomes[0]), stand.values(alone)
        assert first == wanted, f"in a batch it gives {first}, alone {wanted}."
        if stand.started is not None:
            assert list(stand.started()).count("batch") == 1, "the batch was not begun once."

    @pytest.mark.parametrize("first", ["asked", "run"])
    async def test_a_fenced_resource_refuses_an_older_epoch_after_a_newer_one(self, stand: Stand, first: str) -> None:
        if not stand.capability.fenced:
            pytest.skip("it holds no epochs")
        name = f"fenced-{first}"
        if first == "asked":
            answer = await stand.ask(name, epoch=5)
            assert answer == NeverStarted(), f"it says {answer} of a command that it never heard of."
        else:
            await stand.run(name, epoch=5)

        with pytest.raises(StaleEpoch):
            await stand.run(name, epoch=4)
        if stand.started is not None:
            assert list(stand.started()).count(name) == (first == "run"), "it began by the older epoch."
        outcome = await stand.run(name, epoch=5)
        assert isinstance(outcome, Observation), f"{outcome} came back of the newer epoch."

    async def test_stop_is_always_accepted_and_it_works_on_afterwards(self, stand: Stand) -> None:
        await stand.resource.stop()
        await stand.resource.stop()

        outcome = await stand.run("afterwards")
        assert isinstance(outcome, Observation), f"{outcome} came back after a stop; an observation was expected."

    async def test_two_commands_at_once_are_never_mixed_up(self, stand: Stand) -> None:
        given = {"one": stand.inputs, "two": stand.other or stand.inputs}
        alone = {n: await stand.run(f"{n}-alone", inputs=inputs) for n, inputs in given.items()}
        before = stand.starts()

        flights = [stand.run(f"{n}-at-once", inputs=inputs) for n, inputs in given.items()]
        found = dict(zip(given, await asyncio.gather(*flights, return_exceptions=True), strict=True))

        for name, outcome in found.items():
            assert isinstance(outcome, Outcome | ResourceUnavailable | HeldBack), f"{outcome!r} came of one of two."
            if isinstance(outcome, Observation):
                wanted = stand.values(alone[name])
                assert stand.values(outcome) == wanted, f"alone it gave {wanted}, beside another {outcome.values}."
        assert any(isinstance(one, Observation) for one in found.values()), f"of two at once none was done: {found}."
        stand.check_started(before, 2, "two commands at once")

    async def test_a_lost_reply_does_not_let_it_act_twice(self, stand: Stand) -> None:
        if stand.lose_reply is None:
            pytest.skip("the stand can lose no reply")
        before = stand.starts()

        stand.lose_reply()
        with contextlib.suppress(ResourceUnavailable):
            await stand.run("lost")
        answer = await stand.ask("lost")

        assert not isinstance(answer, NeverStarted), (
            "it was carried out and its reply was lost; it never began, it says."
        )
        if not isinstance(answer, CannotTell):
            again = await stand.run("lost")
            assert isinstance(again, Observation), f"taken up again, {again} came back; an observation was expected."
            assert answer in (Running(), Done(outcome=again)), f"it said {answer}, and then gave {again}."
        stand.check_started(before, 1, "one command whose reply was lost")
        await stand.resource.stop()  # where nobody could tell, it may still go on

    async def test_a_reply_that_comes_twice_is_not_taken_for_that_of_the_next(self, stand: Stand) -> None:
        if stand.double_reply is None:
            pytest.skip("the stand can double no reply")
        other = stand.other or stand.inputs
        alone, before = await stand.run("next-alone", inputs=other), stand.starts()

        stand.double_reply()
        first, following = await stand.run("doubled"), await stand.run("next", inputs=other)

        assert isinstance(first, Observation), f"{first} came back with a doubled reply; an observation was expected."
        wanted, found = stand.values(alone), stand.values(following)
        assert found == wanted, f"after a doubled reply it gave {found}; alone it gave {wanted}."
        stand.check_started(before, 2, "two commands with a doubled reply")

    async def test_after_a_cut_it_works_again_without_being_opened(self, stand: Stand) -> None:
        if stand.cut is None:
            pytest.skip("the stand can cut no connection")
        assert isinstance(await stand.run("before-the-cut"), Observation)
        before = stand.starts()

        stand.cut()
        try:
            outcome: Outcome | None = await stand.run("after-the-cut")
        except ResourceUnavailable:
            outcome = None
        try:
            later = await stand.run("later")
        except ResourceUnavailable as error:
            pytest.fail(f"after a cut even the next but one fails; it does not connect again: {error}")

        assert outcome is None or isinstance(outcome, Observation | Failure), f"{outcome} came back after a cut."
        assert isinstance(later, Observation), f"{later} came back of the next but one; an observation was expected."
        stand.check_started(before, 2, "two commands after a cut")

    async def test_what_began_before_a_crash_is_never_said_to_have_never_started(self, stand: Stand) -> None:
        if stand.crash is None or stand.slow is None:
            pytest.skip("the stand can let nothing crash in the middle of a slow run")
        flight, is_seen = await stand.begin_slow("crashed")
        before = stand.starts()

        flight.cancel()
        await asyncio.gather(flight, return_exceptions=True)
        stand.resource = await stand.crash()
        answer = await stand.ask("crashed", inputs=stand.slow)

        assert not (is_seen and isinstance(answer, NeverStarted)), "it began before the crash; it never began, it says."
        stand.check_started(before, 0, "after the crash, being asked")
        await stand.resource.stop()
        outcome = await stand.run("after-the-crash")
        assert isinstance(outcome, Observation), f"{outcome} came back after a crash; an observation was expected."

    async def test_a_stop_ends_what_is_under_way_and_it_works_on_afterwards(self, stand: Stand) -> None:
        if stand.slow is None:
            pytest.skip("the stand has no slow run to stop")
        flight, is_seen = await stand.begin_slow("stopped")
        try:
            async with asyncio.timeout(stand.stop_s):
                await stand.resource.stop()
            if stand.unstoppable:
                pytest.skip(stand.unstoppable)
            ended, _ = await asyncio.wait({flight}, timeout=LONG_S)
            assert ended, f"{LONG_S:g} s after the stop was accepted the run still goes on: it ignores the stop."
            assert isinstance(flight.result(), Observation | Failure), f"a stopped run ended with {flight.result()}."
        except TimeoutError:
            pytest.fail(f"a stop while a run goes on was not accepted within {stand.stop_s:g} s.")
        finally:
            flight.cancel()
            await asyncio.gather(flight, return_exceptions=True)

        answer = await stand.ask("stopped", inputs=stand.slow)
        assert not (is_seen and isinstance(answer, NeverStarted)), "it was stopped in the act; it never began, it says."
        outcome = await stand.run("after-the-stop")
        assert isinstance(outcome, Observation), f"{outcome} came back after a stop; an observation was expected."


def _ended(flight: "asyncio.Task[Outcome]") -> object:
    return flight.exception() or flight.result()
