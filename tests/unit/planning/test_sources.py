"""Sources: they save experiments where they are right, and cost little where they are wrong."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.core.errors import InvalidInput
from labwright.core.problem import Goal, Objective, OutcomeConstraint, Problem
from labwright.core.source import Answer, Source
from labwright.core.space import Categorical, Continuous, Pool, Space
from labwright.planning.gp import GaussianProcessPlanner
from labwright.planning.learning import Fits
from labwright.planning.model import learn
from labwright.planning.refusals import refuse_unknown
from labwright.planning.sampling import even
from labwright.planning.sources import FEWEST, Sources

LEVELS = ("water", "ethanol", "hexane", "toluene")
SPACE = Space(
    parameters=(
        Continuous(name="heat", low=20, high=80, unit="degC"),
        Continuous(name="dose", low=1, high=1000, log=True),
        Categorical(name="solvent", levels=LEVELS),
    )
)
PROBLEM = Problem(space=SPACE, objectives=(Objective(name="y", goal=Goal.MAXIMIZE),))


def worth(point):
    solvent = {"water": 1, "ethanol": 3, "hexane": 0, "toluene": 2}[point["solvent"]]
    return {"y": solvent - ((point["heat"] - 62) / 12) ** 2 - 2 * (np.log10(point["dose"]) - 1.2) ** 2}


def biased(point):
    """What an older instrument shows: another scale, and an optimum not far off."""
    return {"y": 500 + 40 * worth({**point, "heat": min(point["heat"] + 3, 80)})["y"]}


def misleading(point):
    return {"y": -worth(point)["y"]}


def points(count):
    unit = even(3, 64, 7)[:count]
    return [
        {"heat": 20 + 60 * float(u[0]), "dose": float(10 ** (3 * u[1])), "solvent": LEVELS[int(4 * u[2])]} for u in unit
    ]


def source(ask=biased, count=60, shuffled=None, name="bench"):
    known = points(count)
    outcomes = [ask(point) for point in known]
    if shuffled is not None:
        outcomes = [outcomes[i] for i in np.random.default_rng(shuffled).permutation(count)]
    answers = zip(known, outcomes, strict=True)
    return Source(name=name, answers=tuple(Answer(point=p, outcomes=o) for p, o in answers))


def simulator(ask=biased, cost=0.02):
    return Source(name="twin", ask=ask, cost=cost)


def with_sources(*sources):
    return replace(PROBLEM, sources=sources)


def needed(play, problem, seed, good=2.9):
    history = play(GaussianProcessPlanner(), problem, worth, 30, seed=seed)
    return next((t.number for t in history if t.outcomes["y"] > good), 31)


def mean_needed(play, problem, seeds=4):
    return np.exp(np.mean([np.log(needed(play, problem, seed)) for seed in range(seeds)]))


def chosen(history):
    return [dict(t.point) for t in history]


def test_an_earlier_campaign_saves_half_of_the_experiments_and_a_misleading_one_costs_few(play):
    none = mean_needed(play, PROBLEM)

    assert mean_needed(play, with_sources(source())) < none / 2
    assert mean_needed(play, with_sources(source(misleading))) < 1.25 * none


def test_with_its_outcomes_shuffled_a_source_changes_no_choice(play):
    planner = GaussianProcessPlanner

    with_noise = play(planner(), with_sources(source(shuffled=1)), worth, 9)

    assert chosen(with_noise) == chosen(play(planner(), PROBLEM, worth, 9))


@pytest.mark.parametrize("count", [8, 20, 60])
def test_answers_by_chance_are_hardly_ever_trusted(count):
    sources = Sources(Fits())

    trusted = [bool(sources.voices(with_sources(source(count=count, shuffled=seed)))) for seed in range(40)]

    assert sum(trusted) <= 4


@given(count=st.integers(1, FEWEST - 1))
def test_a_few_answers_are_too_few_to_be_trusted(count):
    assert not Sources(Fits()).voices(with_sources(source(count=count)))


def test_without_sources_nothing_of_them_enters_a_choice(play):
    history = play(GaussianProcessPlanner(), PROBLEM, worth, 7)

    model = learn(PROBLEM, history)
    assert not model.voices
    assert not model.outcomes["y"].data.hints
    assert not {"sources", "asked", "unanswered"} & set(history[-1].proposal.grounds)
    assert [t.proposal.reason.split(":")[0] for t in history[:2]] == ["first design, 1 of 5", "first design, 2 of 5"]
    assert history[0].proposal.source == "gp"


def test_the_first_trials_are_where_the_source_expects_the_best_and_not_side_by_side(play):
    first, second = play(GaussianProcessPlanner(), with_sources(source()), worth, 2)

    assert first.proposal.reason == "first design, 1 of 5: where bench expects the best"
    assert worth(first.point)["y"] > 2
    assert chosen([first]) != chosen([second])


def test_a_pool_is_begun_with_its_candidate_that_the_source_expects_the_best(play):
    pool = [p for p in points(40) if p["solvent"] != "ethanol"]
    columns = {name: [p[name] for p in pool] for name in SPACE.names}
    space = replace(SPACE, pool=Pool(columns=columns))

    (first,) = play(GaussianProcessPlanner(), replace(with_sources(source()), space=space), worth, 1)

    best = sorted((worth(p)["y"] for p in pool), reverse=True)
    assert worth(first.point)["y"] >= best[2]


def test_it_says_how_much_a_source_counts(play):
    history = play(GaussianProcessPlanner(), with_sources(source(), source(shuffled=2, name="rumour")), worth, 8)

    weighed = history[-1].proposal.grounds["sources"]
    assert weighed["bench"] > 0.5
    assert weighed["rumour"] == 0
    assert f"following bench ({weighed['bench']:.0%})" in history[-1].proposal.reason


def test_it_says_that_a_source_is_not_heeded(play):
    history = play(GaussianProcessPlanner(), with_sources(source(shuffled=2, name="rumour")), worth, 7)

    assert "not heeding rumour" in history[-1].proposal.reason


def test_a_source_that_knows_a_constraint_alone_is_used_for_that(play):
    constraint = OutcomeConstraint(name="z", high=60)
    problem = replace(PROBLEM, constraints=(constraint,), sources=(source(lambda p: {"z": p["heat"] * 2}),))

    history = play(GaussianProcessPlanner(), problem, lambda p: {**worth(p), "z": p["heat"]}, 7)

    assert history[0].outcomes["z"] < 35


def test_several_objectives_begin_where_the_source_expects_both_good(play):
    objectives = (Objective(name="y", goal=Goal.MAXIMIZE), Objective(name="z", goal=Goal.MINIMIZE))
    problem = Problem(
        space=SPACE, objectives=objectives, sources=(source(lambda p: {**worth(p), "z": abs(p["heat"] - 60)}),)
    )

    history = play(GaussianProcessPlanner(), problem, lambda p: {**worth(p), "z": abs(p["heat"] - 60)}, 6)

    assert history[0].outcomes["y"] > 2
    assert history[0].outcomes["z"] < 10
    assert "sources" in history[-1].proposal.grounds


def test_a_simulator_is_asked_and_saves_experiments(play):
    assert mean_needed(play, with_sources(simulator())) < 0.6 * mean_needed(play, PROBLEM)


def test_no_more_is_spent_on_asking_than_on_trials(play):
    asked = []

    def ask(point):
        asked.append(point)
        return biased(point)

    planner = GaussianProcessPlanner()
    for cost, most in ((0.5, 2), (0.1, 10)):
        asked.clear()
        play(planner, with_sources(simulator(ask, cost=cost)), worth, 1)
        assert 0 < len(asked) <= most


def test_asking_stops_when_the_trials_do_not_bear_it_out(play):
    noise = np.random.default_rng(0)

    history = play(GaussianProcessPlanner(), with_sources(simulator(lambda p: {"y": noise.normal()})), worth, 12)

    counts = [t.proposal.grounds["asked"]["twin"] for t in history]
    assert counts[-1] == counts[0] == 24


def test_a_planner_that_starts_afresh_asks_again_and_chooses_the_same(play):
    problem = with_sources(simulator())
    history = play(GaussianProcessPlanner(), problem, worth, 11)

    (again,) = GaussianProcessPlanner().propose(problem, history[:10], [], 1, seed=1)

    assert again == history[10].proposal


@pytest.mark.parametrize("answer", [{}, {"y": float("nan")}, {"y": "much"}, {"other": 1.0}, None])
def test_an_answer_that_is_nonsense_is_left_out(play, answer):
    nonsense = play(GaussianProcessPlanner(), with_sources(simulator(lambda p: answer)), worth, 7)

    assert chosen(nonsense) == chosen(play(GaussianProcessPlanner(), PROBLEM, worth, 7))
    assert nonsense[-1].proposal.grounds["unanswered"]["twin"] == 24
    assert "twin gave no answer 24 of 24 times (last: " in nonsense[-1].proposal.reason


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"other": 1.0}, "it says other where y was expected"),
        ({"y": "much"}, "it says y = 'much' where a finite number was expected"),
        ({}, "it says nothing where y was expected"),
    ],
)
def test_why_a_source_gave_no_answer_is_kept_with_the_count(play, answer, why):
    (first,) = play(GaussianProcessPlanner(), with_sources(simulator(lambda p: answer)), worth, 1)

    assert first.proposal.grounds["failures"] == {f"twin: {why}": 24}
    assert first.proposal.reason.endswith(f"; twin gave no answer 24 of 24 times (last: {why})")


def test_a_source_that_raises_now_and_then_is_used_where_it_answers(play):
    def ask(point):
        if point["solvent"] == "hexane":
            raise RuntimeError("no parameters for hexane")
        return biased(point)

    history = play(GaussianProcessPlanner(), with_sources(simulator(ask)), worth, 7)

    assert "times (last: RuntimeError: no parameters for hexane)" in history[-1].proposal.reason
    assert 0 < history[-1].proposal.grounds["unanswered"]["twin"] < history[-1].proposal.grounds["asked"]["twin"]
    assert history[-1].proposal.grounds["sources"]["twin"] > 0.5


@pytest.mark.parametrize("kind", ["ax", "baybe", "botorch"])
def test_planners_of_other_libraries_refuse_sources(kind):
    with pytest.raises(InvalidInput, match=f"{kind}' heeds no sources, but this campaign has bench"):
        refuse_unknown(with_sources(source()), kind)
