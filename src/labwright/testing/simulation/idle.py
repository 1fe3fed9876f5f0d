"""How much longer a busy laboratory takes than it must.

A flow shop: 200 trials of three steps, on three instruments for the first step, three for the second and two for the
third. Those of one step are alike, and are one resource with that capacity; each step takes a drawn time, such that no
step is much busier than the others.
"""

from collections import defaultdict
from collections.abc import Sequence

from labwright.testing.simulation.cabinet import Cabinet
from labwright.testing.simulation.device import Kind
from labwright.testing.simulation.loop import VirtualLoop
from labwright.testing.simulation.schedule import Schedule
from labwright.testing.simulation.setups import Setup
from labwright.testing.simulation.simulate import play_in
from labwright.testing.simulation.world import NAME, Tools, World

STEPS = (
    "{use: mixer.measure, with: {x: $x}, gives: {a: $y}}, "
    "{use: oven.measure, with: {x: $x}, gives: {b: $y}}, "
    "{use: scope.measure, with: {x: $x}, gives: {y: $y}}"
)
SHOP = Setup(
    "shop",
    (
        Kind(name="mixer", capacity=3, act_s=(60.0, 240.0)),
        Kind(name="oven", capacity=3, act_s=(60.0, 240.0)),
        Kind(name="scope", capacity=2, act_s=(40.0, 160.0)),
    ),
    STEPS,
    trials=200,
    parallel=48,
)


def idle_over_bound(seed: int) -> float:
    """Return how much longer the shop takes than its bound, as a part of that.

    The bound is the work of the busiest instrument, with the shortest way to it and from it that any trial has.
    """
    with Cabinet() as cabinet:
        loop = VirtualLoop()
        world = World(Schedule(setup="shop", seed=seed), SHOP, cabinet, Tools())
        problems = play_in(loop, world)
        assert not problems, problems[0]
        return world.ended_at / bound(durations(world), [kind.capacity for kind in SHOP.kinds]) - 1.0


def durations(world: World) -> list[list[float]]:
    """Return how long each step of each trial took."""
    trial_of = {run.command_id: run.trials[0] for run in world.runs.of(NAME)}
    found: dict[int, list[float]] = defaultdict(list)
    for device in world.devices.values():  # in the order of the steps
        for job in device.starts:
            found[trial_of[job.command.command_id]].append(job.takes_s)
    return list(found.values())


def bound(trials: Sequence[Sequence[float]], instruments: Sequence[int]) -> float:
    """Return the least time in which trials (n, steps) can be done on so many instruments for each step."""
    steps = range(len(instruments))
    busiest = max(
        sum(t[k] for t in trials) / instruments[k]
        + min(sum(t[:k]) for t in trials)
        + min(sum(t[k + 1 :]) for t in trials)
        for k in steps
    )
    return max(busiest, max(sum(t) for t in trials))
