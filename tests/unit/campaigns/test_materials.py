"""The loop with samples and lots: what is made, moved and used up, and where a campaign stops for want of material."""

import asyncio
from datetime import date

import pytest

from labwright.core.capability import Input, Output
from labwright.core.command import Failure
from labwright.core.errors import CampaignHalted, InvalidCampaign, OutOfStock
from labwright.core.material import EntryKind
from labwright.core.states import CampaignState
from labwright.testing import FakeInstrument, FakePlanner, Session

HEAD = """
name: films
space: {x: {kind: continuous, low: 0, high: 9, unit: mL}}
objectives: {y: {goal: maximize, unit: mL}}
resources:
  coater: {kind: function, call: "math:sqrt", outputs: {y: mL}}
  oven: {kind: function, call: "math:sqrt", outputs: {y: mL}}
budget: {trials: TRIALS, parallel: PARALLEL}
planner: {kind: sampling}
procedure:
"""
COAT = "  - {name: coat, use: coater.measure, with: {x: $x}, gives: {y: $y}, makes: film, takes: {ink: $x}}\n"
BAKE = "  - {name: bake, use: oven.measure, with: {x: $x}, gives: {z: $y}, moves: {film: oven}, takes: {gas: $y}}\n"
SCRAP = "  - {name: scrap, use: oven.measure, with: {x: $x}, gives: {w: $y}, uses_up: film}\n"


def instrument(**options) -> FakeInstrument:
    inputs, outputs = (Input(name="x", unit="mL", low=0, high=10),), (Output(name="y", unit="mL"),)
    return FakeInstrument(inputs=inputs, outputs=outputs, **options)


def points(*xs: float) -> FakePlanner:
    return FakePlanner(*({"x": x} for x in xs))


@pytest.fixture
def study(tmp_path):
    def make(procedure, *, trials=2, parallel=1, **instruments):
        head = HEAD.replace("TRIALS", str(trials)).replace("PARALLEL", str(parallel))
        resources = {"coater": instrument(name="coater"), "oven": instrument(name="oven")} | instruments
        return Session(head + procedure, resources, tmp_path / "labwright.db")

    return make


def on_record(session, act):
    laboratory = session.laboratory()
    try:
        return act(laboratory)
    finally:
        assert laboratory.verify().problems == ()
        laboratory.database.close()


def stock(session, **amounts):
    on_record(session, lambda lab: [lab.materials.add(name, amount, "mL") for name, amount in amounts.items()])


def samples(session):
    return [str(s) for s in on_record(session, lambda lab: lab.materials.samples("films"))]


def left(session, name="ink"):
    return on_record(session, lambda lab: lab.materials.lot(name)).left


async def test_a_sample_is_made_moved_and_used_up_in_its_place(study):
    session = study(COAT + BAKE.replace(", takes: {gas: $y}", ""), trials=1)
    stock(session, ink=10)

    await session.conduct(planner=points(2))

    assert samples(session) == ["films/1/film: made, oven"]
    assert left(session) == 8


async def test_a_sample_that_is_used_up_is_no_more(study):
    session = study(COAT + SCRAP, trials=1)
    stock(session, ink=10)

    await session.conduct(planner=points(2))

    assert samples(session) == ["films/1/film: used up"]


async def test_a_campaign_that_would_run_out_stops_before_the_step_and_goes_on_when_the_lot_is_filled(study):
    coater = instrument(name="coater")
    session = study(COAT, coater=coater)
    stock(session, ink=5)

    with pytest.raises(OutOfStock, match=r"Lot ink has 2 mL left; this trial needs 4 mL\. Add to it: labwright lots"):
        await session.conduct(planner=points(3, 4))

    assert len(coater.started) == 1
    assert on_record(session, lambda lab: lab.campaigns.get("films")).state is CampaignState.PAUSED
    stock(session, ink=2)
    assert await session.conduct(planner=points(3, 4)) is CampaignState.FINISHED
    assert left(session) == 0


async def test_a_lot_that_is_not_on_record_or_has_expired_lets_nothing_begin(study):
    session = study(COAT)

    with pytest.raises(OutOfStock, match="Lot ink is not on record, and this trial takes from it"):
        await session.conduct(planner=points(3))

    assert on_record(session, lambda lab: lab.trials.of("films")) == []


async def test_what_trials_in_flight_have_reserved_is_not_given_twice_and_they_end_first(study):
    coater = instrument(name="coater", duration_s=0.1)
    session = study(COAT, trials=3, parallel=3, coater=coater)
    stock(session, ink=9)

    with pytest.raises(OutOfStock, match="Lot ink has 1 mL left; this trial needs 4 mL"):
        await session.conduct(planner=points(4, 4, 4))

    trials = on_record(session, lambda lab: lab.trials.of("films"))
    assert [t.state.value for t in trials] == ["observed", "observed"]


async def test_a_lot_that_is_filled_while_a_run_is_in_flight_lets_the_next_trial_begin_at_once(study):
    coater = instrument(name="coater", duration_s=600)
    session = study(COAT, parallel=2, coater=coater)
    stock(session, ink=5)
    short = asyncio.Event()
    conducting = asyncio.create_task(session.conduct(planner=Telling(short, points(4, 4))))
    await short.wait()
    await asyncio.sleep(0.3)  # time enough to find that there is none, and to wait
    assert on_record(session, lambda lab: len(lab.trials.of("films"))) == 1

    stock(session, ink=5)

    try:
        async with asyncio.timeout(20):
            while on_record(session, lambda lab: len(lab.trials.of("films"))) == 1:
                await asyncio.sleep(0.05)
        assert len(coater.started) == 1
    finally:
        conducting.cancel()
        await asyncio.gather(conducting, return_exceptions=True)


class Telling:
    """A planner that says when it has been asked for a second trial."""

    def __init__(self, asked: asyncio.Event, planner: FakePlanner) -> None:
        self._asked, self._planner, self._loop = asked, planner, asyncio.get_running_loop()

    def propose(self, problem, history, pending, count, *, seed):
        if pending:
            self._loop.call_soon_threadsafe(self._asked.set)
        return self._planner.propose(problem, history, pending, count, seed=seed)


async def test_an_amount_that_only_a_result_tells_is_checked_before_its_step(study):
    oven = instrument(name="oven")
    session = study(COAT + BAKE, trials=1, oven=oven)
    stock(session, ink=10, gas=3)

    with pytest.raises(OutOfStock) as halted:
        await session.conduct(planner=points(2))

    assert "Lot gas has 3 mL left; oven.measure of trial films/1 needs 4 mL. Add to it" in str(halted.value)
    assert oven.started == []
    stock(session, gas=2)
    assert await session.conduct(planner=points(2)) is CampaignState.FINISHED
    assert left(session, "gas") == 1


async def test_a_failed_run_has_taken_what_it_takes_and_leaves_its_sample_spoilt(study):
    coater = instrument(name="coater", measure=lambda inputs: Failure(reason="clogged"))
    session = study(COAT + SCRAP, trials=1, coater=coater)
    stock(session, ink=10)

    await session.conduct(planner=points(2))

    assert samples(session) == ["films/1/film: spoilt, coater"]
    assert left(session) == 8


async def test_a_step_whose_sample_was_never_made_is_skipped(study):
    coat = COAT.replace("name: coat,", "name: coat, when: $x > 5 mL,").replace("gives: {y: $y}, makes", "makes")
    session = study(coat + SCRAP.replace("{w: $y}", "{y: $y}"), trials=1)
    stock(session, ink=10)

    await session.conduct(planner=points(2))

    (trial,) = on_record(session, lambda lab: lab.trials.of("films"))
    assert "film was not made: coat was skipped, because x > 5 mL does not hold" in (trial.why or "")
    assert left(session) == 10


@pytest.mark.parametrize(
    ("decide", "sample", "ink"),
    [
        ("decide_failed", "films/1/film: spoilt, coater", 8),
        ("decide_never_ran", "films/1/film: not made", 10),
        ("decide_done", "films/1/film: made, coater", 8),
    ],
)
async def test_an_unknown_run_marks_its_samples_unknown_until_somebody_decides(study, decide, sample, ink):
    session = study(COAT + SCRAP, trials=1)
    stock(session, ink=10)
    run = await _lose(session)

    assert samples(session) == ["films/1/film: unknown"]
    assert left(session) == 8
    said = on_record(session, lambda lab: lab.told_of_unknown(run.id))
    assert "with --done: made, coater; --failed: spoilt, coater; --never-ran: not made" in said
    assert "lot ink: 2 mL counted as taken; with --never-ran it is there again" in said

    given = ({"y": 3.0},) if decide == "decide_done" else ()
    on_record(session, lambda lab: getattr(lab, decide)(run.id, *given, why="I looked", by="ada"))

    assert samples(session) == [sample]
    assert left(session) == ink


async def test_what_was_corrected_since_stays_as_it_is_when_a_run_never_ran(study):
    session = study(COAT, trials=1)
    stock(session, ink=10)
    run = await _lose(session)
    on_record(session, lambda lab: lab.materials.correct("ink", 10, "mL", why="nothing was taken"))

    on_record(session, lambda lab: lab.decide_never_ran(run.id, why="I looked", by="ada"))

    assert left(session) == 10
    kinds = [e.kind for e in on_record(session, lambda lab: lab.materials.entries("ink"))]
    assert kinds == [EntryKind.ADDED, EntryKind.TAKEN, EntryKind.CORRECTED]


async def _lose(session):
    """Conduct until the coater's run is in flight, then let it be forgotten; return the run, which is unknown."""
    coater = session._resources["coater"]
    coater.forgetful, coater.duration_s = True, 60.0
    conducting = asyncio.create_task(session.conduct(planner=points(2)))
    while not coater.started and not conducting.done():
        await asyncio.sleep(0.01)
    conducting.cancel()
    await asyncio.gather(conducting, return_exceptions=True)
    with pytest.raises(CampaignHalted, match="Nobody can say what became of"):
        await session.conduct(planner=points(2))
    (run,) = on_record(session, lambda lab: lab.runs.of("films"))
    return run


async def test_a_gathered_run_touches_the_samples_of_each_of_its_trials(study):
    coater = instrument(name="coater", batch=2)
    session = study(COAT.replace("{name", "{batch: 2, name"), parallel=2, coater=coater)
    stock(session, ink=5)

    await session.conduct(planner=points(2, 3))

    assert samples(session) == ["films/1/film: made, coater", "films/2/film: made, coater"]
    assert left(session) == 0
    assert len(coater.started) == 1


@pytest.mark.parametrize(
    ("procedure", "line"),
    [
        (COAT.replace("makes: film, ", "measures: film, "), "no step makes film; made here: nothing"),
        (COAT + COAT.replace("name: coat", "name: again").replace("{y: $y}", "{v: $y}"), "coat makes film as well"),
        (COAT + SCRAP + BAKE.replace(", takes: {gas: $y}", ""), "scrap uses up film before this step"),
        (COAT + SCRAP + SCRAP.replace("scrap", "bin").replace("w:", "v:"), "scrap uses up film as well"),
        (
            COAT + SCRAP.replace("uses_up: film", "measures: film, after: []"),
            "film is made by coat, which does not come",
        ),
        (COAT.replace("ink: $x", "ink: $q"), "$q is not known here"),
        (COAT.replace("ink: $x", "ink: -3 mL"), "found '-3 mL'; an amount above 0"),
        (COAT + SCRAP.replace("}\n", ", takes: {ink: 3 g}}\n"), "'g' cannot be converted to 'mL'"),
        (COAT.replace("makes: film", "makes: [film, 2]"), "found"),
    ],
)
def test_what_cannot_be_is_named_with_its_line(study, procedure, line):
    with pytest.raises(InvalidCampaign) as found:
        study(procedure)

    assert line in str(found.value)
    assert "  line 1" in str(found.value)


async def test_an_expired_lot_is_not_taken_from(study):
    session = study(COAT)
    on_record(session, lambda lab: lab.materials.add("ink", 9, "mL", expires=date(2999, 1, 1)))
    on_record(session, _let_expire)

    with pytest.raises(OutOfStock, match=r"Lot ink expired at the end of 1999-12-31"):
        await session.conduct(planner=points(3))


def _let_expire(laboratory):
    from sqlalchemy import update

    from labwright.storage import lots
    from labwright.storage.database.ledger import append
    from labwright.storage.database.schema import lots as table
    from labwright.storage.lots import end_of

    with laboratory.database.write() as connection:
        connection.execute(update(table).values(expires_at=end_of(date(1999, 12, 31))))
        row = connection.execute(table.select()).one()
        told = {"lot": row.name, "unit": row.unit, "expires_at": row.expires_at, "location": row.location}
        append(connection, lots.STREAM, "lot.described", {**told, "added_at": row.added_at})
