"""Plays schedules: one, all of a kind, or many that a seed draws."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from labwright.sites import patience
from labwright.testing.simulation.audit import audit
from labwright.testing.simulation.cabinet import Cabinet
from labwright.testing.simulation.loop import Stuck, VirtualLoop
from labwright.testing.simulation.naive import NaiveRuns
from labwright.testing.simulation.process import current
from labwright.testing.simulation.schedule import ANY, Blow, Schedule
from labwright.testing.simulation.setups import SETUPS, Setup
from labwright.testing.simulation.world import Tools, World

ALONE = ("queryable", "two steps", "unqueryable", "parallel")  # one process: the naive engine cannot share at all
SPAN = 120  # the last place at which a drawn blow may fall, counted from the one before
FIRST_LOOK_S = 5.0
PAUSES = (0.0, 0.0, 0.0, 5.0, 20.0, 40.0)  # none: it dies


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of one schedule. `points`: the crash points since its last blow, each with its count by then."""

    schedule: Schedule
    problems: tuple[str, ...]
    points: tuple[tuple[str, int], ...]
    blows: int
    starts: int

    def has(self, kind: str) -> bool:
        """Whether there is a problem of that kind."""
        return any(problem.startswith(f"{kind}:") for problem in self.problems)

    def __str__(self) -> str:
        return f"{self.schedule}: " + ("; ".join(self.problems) or "all is well")


class Simulator:
    """Plays schedules one after another on the same database, each from nothing."""

    def __init__(self, cabinet: Cabinet, *, tools: Tools | None = None, setups: Mapping[str, Setup] = SETUPS) -> None:
        self._cabinet = cabinet
        self._tools = tools or Tools()
        self._setups = setups

    def play(self, schedule: Schedule) -> Report:
        """Play one schedule from begin to end."""
        setup = self._setups[schedule.setup]
        setup = setup.troubled(schedule.trouble) if schedule.trouble else setup
        world = World(schedule, setup, self._cabinet, self._tools)
        problems = play_in(VirtualLoop(), world)
        return Report(
            schedule=schedule,
            problems=tuple(problems),
            points=tuple(world.seen.points),
            blows=world.seen.blows,
            starts=sum(len(d.starts) for d in world.devices.values()),
        )

    def singles(self, setup: str, *, seed: int = 0, pause_s: float = 0.0) -> Iterator[Report]:
        """Play a blow at every crash point that an undisturbed campaign comes to."""
        yield from self._after(Schedule(setup=setup, seed=seed), pause_s)

    def pairs(self, setup: str, *, seed: int = 0, every: int = 1) -> Iterator[Report]:
        """Play every first crash, and after each of them a second one at every `every`-th point that then comes."""
        for i, first in enumerate(self.singles(setup, seed=seed)):
            yield first
            yield from self._after(first.schedule, 0.0, first.points[i % every :: every])

    def _after(
        self, base: Schedule, pause_s: float, points: Iterable[tuple[str, int]] | None = None
    ) -> Iterator[Report]:
        for point, count in self.play(base).points if points is None else points:
            blow = Blow(point=point, count=count, pause_s=pause_s)
            yield self.play(Schedule(setup=base.setup, seed=base.seed, blows=(*base.blows, blow), trouble=base.trouble))

    def drawn(self, seed: int, count: int, *, setups: Iterable[str] | None = None) -> Iterator[Report]:
        """Play schedules of one to three blows, crashes and pauses, on instruments with and without troubles."""
        dice, names = Random(seed), list(setups or self._setups)  # noqa: S311
        for i in range(count):
            blows = tuple(
                Blow(point=ANY, count=dice.randint(1, SPAN), pause_s=dice.choice(PAUSES))
                for _ in range(dice.choice((1, 2, 2, 3, 3)))
            )
            trouble = dice.choice((0.0, 0.0, 0.3))
            schedule = Schedule(setup=names[i % len(names)], seed=dice.randrange(2**32), blows=blows, trouble=trouble)
            yield self.play(schedule)


def replay(text: str, *, tools: Tools | None = None) -> Report:
    """Play a schedule again, given as the line that a failure printed."""
    with Cabinet() as cabinet:
        return Simulator(cabinet, tools=tools).play(Schedule.read(text))


def play_in(loop: VirtualLoop, world: World) -> list[str]:
    """Let a world begin and end in a loop, which is closed then; return what is wrong with it."""
    loop.set_task_factory(_in_its_process)
    loop.set_exception_handler(lambda loop, context: None)
    world.cabinet.clear()
    world.cabinet.follow(loop.time)
    try:
        with _few_looks():
            return _until_end(loop, world)
    finally:
        loop.close()


def _until_end(loop: VirtualLoop, world: World) -> list[str]:
    try:
        loop.run_until_complete(world.play())
    except Stuck as error:
        return [f"stuck: {error}", *audit(world)]
    finally:
        _sweep(loop)
        world.clean()
    return audit(world)


@contextmanager
def _few_looks() -> Iterator[None]:
    """Let processes look for news seldom: they wait in no time, but each look costs some."""
    before, patience.SHORTEST_S = patience.SHORTEST_S, FIRST_LOOK_S
    try:
        yield
    finally:
        patience.SHORTEST_S = before


def _sweep(loop: VirtualLoop) -> None:
    """End what is left, so that nothing of it lives on."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left))


def _in_its_process(loop: asyncio.AbstractEventLoop, coroutine: Any, **how: Any) -> Any:
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **how)
    process = current.get()
    if process is not None:
        process.tasks.append(task)
    return task


def count_up(reports: Iterable[Report]) -> Counter[str]:
    """Return how many schedules there were, and how many had each kind of problem."""
    counts: Counter[str] = Counter()
    for report in reports:
        counts["schedules"] += 1
        counts.update({problem.partition(":")[0] for problem in report.problems})
    return counts


def survey(seed: int, count: int) -> dict[str, int]:
    """Play `count` drawn schedules on the engine, and a tenth of them on the naive one; return the figures.

    A schedule is repeated or lost if anything in it was.
    """
    with Cabinet() as cabinet:
        found = count_up(Simulator(cabinet).drawn(seed, count))
        naive = count_up(
            Simulator(cabinet, tools=Tools(runs=NaiveRuns)).drawn(seed, max(count // 10, 20), setups=ALONE)
        )
    return {
        "sim_schedules": found["schedules"],
        "sim_repeated": found["repeated"],
        "sim_lost": found["lost"],
        "naive_repeated": naive["repeated"],
    }
