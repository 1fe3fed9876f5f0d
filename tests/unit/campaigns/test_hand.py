"""A person's hand on a campaign that a conductor runs, on an instrument in memory."""

import asyncio

import pytest

from labwright.campaigns.hand import Hand
from labwright.campaigns.history import Reading
from labwright.core.errors import InvalidInput
from labwright.core.states import CampaignState
from labwright.testing import FakeInstrument, FakePlanner, Session

CAMPAIGN = """
name: squares
space: {x: {kind: continuous, low: -50, high: 50}}
objectives: {y: {goal: minimize, unit: J}}
procedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]
resources: {bench: {kind: function, call: "math:sqrt", outputs: {y: null}}}
budget: {trials: 3}
planner: {kind: sampling, seed: 3}
"""


class Handed(FakeInstrument):
    """Calls a person, to whom `act` gives a hand, in the middle of one measurement: the first."""

    act = None
    during = 0

    async def run(self, command, recorder):
        if len(self.started) == self.during:
            await asyncio.to_thread(self.act)
        return await super().run(command, recorder)


class Seeing(FakePlanner):
    """Keeps the histories that it was shown."""

    def __init__(self, *points):
        super().__init__(*points)
        self.shown = []

    def propose(self, problem, history, pending, count, *, seed):
        self.shown.append({t.number: dict(t.outcomes) for t in history})
        return super().propose(problem, history, pending, count, seed=seed)


def points(*xs):
    return Seeing(*({"x": float(x)} for x in xs))


@pytest.fixture
def study(tmp_path):
    def make(instrument, text=CAMPAIGN):
        return Session(text, {"bench": instrument}, tmp_path / "labwright.db")

    return make


def handed(session, instrument, act):
    """Have a person act while the instrument measures."""
    instrument.act = lambda: with_hand(session, act)


def with_hand(session, act):
    """Let a person act from another process: with a database connection of their own."""
    laboratory = session.laboratory()
    try:
        hand = Hand(session.file.campaign, laboratory.campaigns, laboratory.trials, laboratory.corrections)
        return act(hand)
    finally:
        laboratory.database.close()


def look(session):
    laboratory = session.laboratory()
    found = laboratory.campaigns.get(session.name), laboratory.trials.of(session.name)
    assert laboratory.verify().problems == ()
    laboratory.database.close()
    return found


async def test_a_point_added_while_the_campaign_runs_goes_before_the_planners_and_uses_budget(study):
    instrument = Handed()
    session = study(instrument)
    handed(session, instrument, lambda hand: hand.add(["x=7"], why="a hunch"))

    assert await session.conduct(planner=points(1, 2, 3, 4)) is CampaignState.FINISHED

    _, trials = look(session)
    assert [(t.proposal.source, t.point["x"]) for t in trials] == [("fake", 1), ("person", 7), ("fake", 3)]
    assert trials[1].proposal.reason == "a hunch"
    assert trials[1].outcomes == {"y": 49.0}


async def test_a_point_that_the_gate_does_not_allow_is_refused_with_the_reason_and_never_moves(study):
    instrument = Handed()
    session = study(instrument)
    handed(session, instrument, lambda hand: hand.add(["x=20"], why=None))

    await session.conduct(planner=points(1, 2, 3, 4))

    _, trials = look(session)
    assert [t.state.value for t in trials] == ["observed", "refused", "observed", "observed"]
    assert trials[1].why == "bench.measure.x = 20 is above its limit of 10"
    assert len(instrument.started) == 3


async def test_many_refused_points_of_a_person_do_not_fail_the_campaign(study):
    instrument = Handed()
    session = study(instrument, CAMPAIGN.replace("trials: 3", "trials: 20"))
    handed(session, instrument, lambda hand: hand.add(["x=20"], why=None, count=12))

    assert await session.conduct(planner=points(*[1] * 40)) is CampaignState.FINISHED

    _, trials = look(session)
    assert sum(t.state.value == "refused" for t in trials) == 12
    assert sum(t.uses_budget for t in trials) == 20


async def test_no_more_points_are_added_than_the_budget_leaves(study):
    instrument = Handed()
    session = study(instrument)
    refused = []

    def too_many(hand):
        with pytest.raises(
            InvalidInput, match=r"leaves room for 2 more, not for 3.*extend squares --trials N"
        ) as error:
            hand.add(["x=1"], why=None, count=3)
        refused.append(error)

    handed(session, instrument, too_many)
    await session.conduct(planner=points(1, 2, 3))

    assert refused
    assert len(look(session)[1]) == 3


@pytest.mark.parametrize(
    ("action", "how"), [("finish", "labwright extend squares"), ("stop", "clone squares --new NAME --with-history")]
)
async def test_nothing_is_added_to_a_campaign_that_has_ended_and_the_way_out_is_named(study, action, how):
    session = study(FakeInstrument())
    await session.conduct(planner=points(1))
    laboratory = session.laboratory()
    if action == "stop":
        with_hand(session, lambda hand: hand.extend(3))
        laboratory.campaigns.change("squares", "stop")
    laboratory.database.close()

    with pytest.raises(InvalidInput, match=how):
        with_hand(session, lambda hand: hand.add(["x=1"], why=None))


async def test_the_planner_sees_the_newest_outcomes_and_no_excluded_trial(study):
    planner = points(1, 2, 3, 4, 5)
    session = study(FakeInstrument(), CAMPAIGN.replace("trials: 3", "trials: 2"))
    await session.conduct(planner=planner)

    with_hand(session, lambda hand: hand.correct(1, ["y=500 mJ"], "a typo"))
    with_hand(session, lambda hand: hand.exclude(2, "a dirty cell"))
    with_hand(session, lambda hand: hand.extend(2))
    assert await session.conduct(planner=planner) is CampaignState.FINISHED

    assert planner.shown[-2] == {1: {"y": 0.5}}
    record, trials = look(session)
    assert record.budget == 4
    assert sum(t.uses_budget for t in trials) == 4


async def test_a_correction_while_the_campaign_runs_reaches_the_conductor(study):
    planner, instrument = points(1, 2, 3), Handed()
    instrument.during = 1
    session = study(instrument)
    handed(session, instrument, lambda hand: hand.correct(1, ["y=9"], "a typo"))

    await session.conduct(planner=planner)

    assert planner.shown == [{}, {1: {"y": 1.0}}, {1: {"y": 9.0}, 2: {"y": 4.0}}]


async def test_a_failed_trial_is_given_all_its_outcomes_or_none(study):
    text = CAMPAIGN.replace("procedure:", "constraints: {z: {at_most: 3}}\nprocedure:").replace(
        "{y: $y}}]", "{y: $y, z: $y}}]"
    )
    session = study(FakeInstrument(measure=lambda i: {"w": 0.0}), text)
    await session.conduct(planner=points(1, 2, 3))

    with pytest.raises(InvalidInput, match="z is not set; a failed trial counts as observed only with all outcomes"):
        with_hand(session, lambda hand: hand.correct(1, ["y=9"], "read off"))
    trial = with_hand(session, lambda hand: hand.correct(1, ["y=9", "z=1"], "read off"))

    assert trial.outcomes == {"y": 9.0, "z": 1.0}


async def test_earlier_results_teach_the_planner_and_use_no_budget(study, tmp_path):
    table = tmp_path / "old.csv"
    table.write_text("x,y (J)\n1,1\n2,4\n")
    planner = points(*range(9))
    session = study(FakeInstrument())
    laboratory = session.laboratory()
    laboratory.campaigns.add("squares", session.file.campaign.text, "")
    laboratory.database.close()

    first = with_hand(session, lambda hand: hand.take_in(table, Reading(renamed={})))
    again = with_hand(session, lambda hand: hand.take_in(table, Reading(renamed={})))
    laboratory = session.laboratory()
    laboratory.campaigns.change("squares", "start")
    laboratory.database.close()
    assert await session.conduct(planner=planner) is CampaignState.FINISHED

    assert (first.numbers, again.numbers) == ((1, 2), ())
    assert planner.shown[0] == {1: {"y": 1.0}, 2: {"y": 4.0}}
    _, trials = look(session)
    assert len(trials) == 5
    assert sum(t.uses_budget for t in trials) == 3


async def test_a_paused_campaign_begins_nothing_and_an_extended_one_goes_on(study):
    instrument = Handed()
    session = study(instrument)
    handed(session, instrument, lambda hand: hand.pause())

    assert await session.conduct(planner=points(1, 2, 3)) is CampaignState.PAUSED
    assert len(look(session)[1]) == 1

    with_hand(session, lambda hand: hand.resume())
    assert await session.conduct(planner=points(1, 2, 3, 4)) is CampaignState.FINISHED

    record = with_hand(session, lambda hand: hand.extend(1))
    assert (record.state, record.budget) == (CampaignState.PAUSED, 4)
    assert await session.conduct(planner=points(1, 2, 3, 4)) is CampaignState.FINISHED
    assert len(look(session)[1]) == 4


def test_a_reason_must_say_something(study):
    session = study(FakeInstrument())
    laboratory = session.laboratory()
    laboratory.campaigns.add("squares", session.file.campaign.text, "")
    laboratory.database.close()

    with pytest.raises(InvalidInput, match="--why is empty"):
        with_hand(session, lambda hand: hand.exclude(1, "  "))
