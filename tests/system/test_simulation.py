"""The engine in simulated laboratories whose processes die and pause wherever that can matter."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from labwright.core.command import NeverStarted
from labwright.core.errors import InvalidInput
from labwright.sites.worker import Worker
from labwright.storage import runs as runs_module
from labwright.storage.transitions import Held
from labwright.testing.simulation import (
    ALONE,
    SETUPS,
    Blow,
    Cabinet,
    Device,
    Kind,
    LateRuns,
    NaiveRuns,
    Report,
    Schedule,
    Setup,
    Simulator,
    Tools,
    count_up,
    replay,
    survey,
)

SHARED = ("fenced", "two runners", "repeatable", "unfenced pair")
LONG_S = 40.0  # well past the lease
HERE_EVERY = 6  # the soak plays every crash point, `make test` one in so many


@pytest.fixture(scope="module")
def cabinet() -> Iterator[Cabinet]:
    with Cabinet() as opened:
        yield opened


def fine(reports: Iterable[Report]) -> int:
    """Count the schedules; the first that goes wrong is printed, to be given to `replay`."""
    played = 0
    for report in reports:
        assert report.problems == (), f"replay({str(report.schedule)!r})"
        played += 1
    return played


def first_bad(reports: Iterable[Report]) -> Report | None:
    return next((report for report in reports if report.problems), None)


def some(simulator: Simulator, setup: str, pause_s: float = 0.0) -> Iterator[Report]:
    """Play a blow at one in so many of the crash points, at others for each set-up."""
    base = Schedule(setup=setup)
    points = simulator.play(base).points
    for point, count in points[sorted(SETUPS).index(setup) % HERE_EVERY :: HERE_EVERY]:
        yield simulator.play(replace(base, blows=(Blow(point=point, count=count, pause_s=pause_s),)))


@pytest.mark.parametrize("setup", SETUPS)
def test_a_crash_loses_nothing_and_repeats_nothing(cabinet, setup):
    assert fine(some(Simulator(cabinet), setup)) > 10


@pytest.mark.parametrize("setup", SHARED)
def test_a_process_that_pauses_past_its_lease_does_no_harm_when_it_wakes(cabinet, setup):
    assert fine(some(Simulator(cabinet), setup, LONG_S)) > 10


def test_up_to_three_crashes_and_pauses_anywhere_on_instruments_with_troubles_do_no_harm(cabinet):
    assert fine(Simulator(cabinet).drawn(seed=1, count=120)) == 120


BENCH, OVEN, SCALE = Kind(name="bench"), Kind(name="oven"), Kind(name="scale", repeatable=True, queryable=False)
DIAMOND = """
{name: a, use: bench.measure, with: {x: $x}, gives: {p: $y}, after: [], timeout: 60 s},
{name: b, use: oven.measure, with: {x: $p}, gives: {q: $y}, after: [a], timeout: 60 s},
{name: c, use: scale.measure, with: {x: $p}, gives: {r: $y}, after: [a], retries: 2, timeout: 60 s},
{name: d, use: bench.measure, with: {x: $q}, gives: {y: $y}, after: [b, c], timeout: 60 s},
{name: clean, use: oven.measure, with: {x: 0}, after: [d], always: true, timeout: 60 s}"""
SKIPPING = """
{name: a, use: bench.measure, with: {x: $x}, gives: {y: $y}, after: [], timeout: 60 s},
{name: b, use: oven.measure, with: {x: $y}, gives: {q: $y}, after: [a], when: $y > 3, timeout: 60 s},
{name: c, use: scale.measure, with: {x: $q}, after: [b], retries: 1, timeout: 60 s},
{name: clean, use: scale.measure, with: {x: 0}, after: [a], always: true, timeout: 60 s},
{name: park, use: oven.measure, with: {x: 0}, after: [c, clean], always: true, timeout: 60 s}"""
GATHERING = """
{name: a, use: bench.measure, with: {x: $x}, gives: {p: $y}, after: [], timeout: 60 s},
{name: g, use: oven.measure, with: {x: $p}, gives: {q: $y}, after: [a], batch: 2, wait: 5 s, timeout: 60 s},
{name: h, use: scale.measure, with: {x: $p}, gives: {r: $y}, after: [a], retries: 2, timeout: 60 s},
{name: d, use: bench.measure, with: {x: $q}, gives: {y: $y}, after: [g, h], when: $r > 1, timeout: 60 s},
{name: clean, use: scale.measure, with: {x: 0}, after: [g], always: true, timeout: 60 s}"""
FENCED = tuple(replace(kind, fenced=True) for kind in (BENCH, OVEN))
ODD = {
    setup.name: setup
    for setup in (
        Setup("diamond", (BENCH, replace(OVEN, queryable=False), SCALE), DIAMOND, parallel=2),
        Setup("diamond of two", (*FENCED, SCALE), DIAMOND, parallel=2, runners=2),
        Setup("skipping", (BENCH, OVEN, SCALE), SKIPPING, trials=3, parallel=2, servers=1),
        Setup("gathering", (BENCH, replace(OVEN, batch=2), SCALE), GATHERING, trials=3, parallel=3),
    )
}


def test_branches_that_join_are_skipped_tried_again_gather_or_clean_up_survive_crashes_too(cabinet):
    assert fine(Simulator(cabinet, setups=ODD).drawn(seed=1, count=40)) == 40


def test_the_same_schedule_goes_the_same_way_again(cabinet):
    schedule = Schedule(setup="gathered", seed=7, blows=(Blow(point="after claim"), Blow(point="any", count=31)))

    one, two = (Simulator(cabinet).play(schedule) for _ in range(2))

    assert one == two
    assert one.blows == 2
    assert replay(str(schedule)) == one


def test_a_line_that_is_no_schedule_is_refused():
    with pytest.raises(InvalidInput, match="is no schedule"):
        replay("queryable/1/0/after claim")


def test_an_engine_that_acts_before_it_records_repeats(cabinet):
    naive = Simulator(cabinet, tools=Tools(runs=NaiveRuns))

    counts = count_up(naive.drawn(seed=1, count=40, setups=ALONE))

    assert counts["repeated"] > 0


def test_recording_the_intent_after_the_act_is_found(cabinet):
    late = Simulator(cabinet, tools=Tools(runs=LateRuns))

    found = first_bad(some(late, "unqueryable"))

    assert found is not None
    assert found.has("unrecorded")


def test_guessing_instead_of_asking_is_found(cabinet, monkeypatch):
    async def guess(self, run):
        return NeverStarted()

    monkeypatch.setattr(Worker, "_answer", guess)

    found = [first_bad(some(Simulator(cabinet), setup)) for setup in ("queryable", "unqueryable")]

    assert all(report is not None and report.has("guessed") for report in found)
    assert count_up(some(Simulator(cabinet), "unqueryable"))["repeated"] > 0


def sleeping(*, first: tuple[Blow, ...], at: str, last: tuple[Blow, ...]) -> Iterator[Schedule]:
    """Let a process of the fenced set-up sleep somewhere past its lease, for longer and longer."""
    for half_seconds in range(30, 100):
        yield Schedule(setup="fenced", blows=(*first, Blow(point=at, pause_s=half_seconds / 2), *last))


def test_a_change_without_the_check_of_its_epoch_is_found(cabinet, monkeypatch):
    woken_in_the_act_of_another = sleeping(first=(Blow(point="after claim"),), at="after ask", last=())
    simulator = Simulator(cabinet)

    with monkeypatch.context() as broken:
        broken.setattr(runs_module, "Held", lambda **held: Held(**{**held, "epoch": None}))
        found = first_bad(map(simulator.play, woken_in_the_act_of_another))

    assert found is not None
    assert found.has("stale")
    assert simulator.play(found.schedule).problems == ()


def test_a_device_that_does_not_check_the_epoch_is_found(cabinet):
    class Unfenced(Device):
        def is_stale(self, command):
            return False

    # Another process takes the run over, and dies when it has queued it again.
    woken_in_between = sleeping(first=(), at="before send", last=(Blow(point="after Runs.requeue"),))
    broken, whole = Simulator(cabinet, tools=Tools(device=Unfenced)), Simulator(cabinet)

    found = first_bad(map(broken.play, woken_in_between))

    assert found is not None
    assert found.has("unrecorded")
    assert whole.play(found.schedule).problems == ()


@pytest.mark.soak
@pytest.mark.parametrize("setup", SETUPS)
def test_a_crash_at_every_point_and_a_second_at_many_do_no_harm(cabinet, setup, capsys):
    count = fine(Simulator(cabinet).pairs(setup, every=7))

    with capsys.disabled():
        print(f"\n{setup}: {count} schedules of one and two crashes")


@pytest.mark.soak
@pytest.mark.parametrize("setup", SHARED)
def test_a_pause_past_the_lease_at_every_point_does_no_harm(cabinet, setup):
    assert fine(Simulator(cabinet).singles(setup, pause_s=LONG_S)) > 50


@pytest.mark.soak
def test_thousands_of_drawn_schedules_do_no_harm(capsys):
    figures = survey(seed=2, count=3000)

    with capsys.disabled():
        print("\n" + "\n".join(f"{name} {value}" for name, value in figures.items()))
    assert figures["sim_schedules"] == 3000
    assert figures["sim_repeated"] == figures["sim_lost"] == 0
    assert figures["naive_repeated"] > 0
