"""What every planner promises."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labwright.core.errors import PoolExhausted
from labwright.core.problem import Goal, Objective, OutcomeConstraint, Problem
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Pool, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.core.values import canonical
from labwright.planning.gp import GaussianProcessPlanner
from labwright.planning.planner import Planner
from labwright.planning.sampling import SamplingPlanner

PLANNERS = {"gp": GaussianProcessPlanner, "sampling": SamplingPlanner}
MIXED = Space(
    parameters=(
        Continuous(name="temperature", low=20, high=80, unit="degC"),
        Continuous(name="dose", low=1e-4, high=1e-1, unit="mol/L", log=True),
        Discrete(name="steps", values=(1, 2, 5)),
        Ordinal(name="stirring", levels=("slow", "medium", "fast")),
        Categorical(name="solvent", levels=("water", "ethanol", "DMF")),
    )
)


@pytest.fixture(params=sorted(PLANNERS))
def planner(request) -> Planner:
    return PLANNERS[request.param]()


def maximize(space, *constraints):
    return Problem(space=space, objectives=(Objective(name="y", goal=Goal.MAXIMIZE),), constraints=constraints)


def trial(number, point, state=TrialState.OBSERVED, **outcomes):
    proposal = Proposal(point=point, source="test", reason="a test")
    return Trial(number=number, proposal=proposal, state=state, outcomes=outcomes)


def yield_of(point):
    """An outcome for any point, so that a campaign can be played."""
    return sum(len(v) if isinstance(v, str) else v / (1 + abs(v)) for v in point.values())


def play(planner, problem, count, *, seed=1, state_of=lambda point: TrialState.OBSERVED):
    """Run a campaign of `count` trials, one at a time; failed and refused ones have no outcome."""
    history = []
    for number in range(1, count + 1):
        (proposal,) = planner.propose(problem, history, [], 1, seed=seed)
        state = state_of(proposal.point)
        outcomes = {"y": yield_of(proposal.point)} if state is TrialState.OBSERVED else {}
        history.append(Trial(number=number, proposal=proposal, state=state, outcomes=outcomes))
    return history


def points(trials_or_proposals):
    return [canonical(dict(t.point)) for t in trials_or_proposals]


def pool_of(space, count):
    """A pool of the first points of a sampled design."""
    proposals = SamplingPlanner().propose(maximize(space), [], [], count, seed=3)
    columns = {name: [p.point[name] for p in proposals] for name in space.names}
    return Space(parameters=space.parameters, pool=Pool(columns=columns))


def test_the_first_point_is_the_centre(planner):
    (proposal,) = planner.propose(maximize(MIXED), [], [], 1, seed=9)

    assert proposal.point["temperature"] == 50
    assert proposal.point["dose"] == pytest.approx(10**-2.5, rel=1e-3)
    assert proposal.point["stirring"] == "medium"


def test_every_proposal_says_why(planner):
    for t in play(planner, maximize(MIXED), 12):
        assert t.proposal.source in ("gp", "sampling")
        assert len(t.proposal.reason) > 10


def test_the_same_arguments_give_the_same_proposals_and_another_seed_others(planner):
    history = play(planner, maximize(MIXED), 10)

    first, again, other = (planner.propose(maximize(MIXED), history, [], 3, seed=s) for s in (1, 1, 2))

    assert first == again
    assert points(first) != points(other)


PLAY = """
from labwright.core.problem import Goal, Objective, Problem
from labwright.core.space import Categorical, Continuous, Space
from labwright.core.states import TrialState
from labwright.core.trial import Trial
from labwright.core.values import canonical
from labwright.planning.gp import GaussianProcessPlanner

space = Space(parameters=(Continuous(name="t", low=0, high=9), Categorical(name="c", levels=("a", "b", "c"))))
problem = Problem(space=space, objectives=(Objective(name="y", goal=Goal.MAXIMIZE),))
history = []
for number in range(1, 16):
    (proposal,) = GaussianProcessPlanner().propose(problem, history, [], 1, seed=5)
    y = (proposal.point["t"] - 2.5) ** 2 + len(proposal.point["c"]) + ord(proposal.point["c"])
    history.append(Trial(number=number, proposal=proposal, state=TrialState.OBSERVED, outcomes={"y": y}))
print(canonical([dict(t.point) for t in history]))
"""


def test_another_process_gives_the_same_bytes():
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "random"}

    runs = [
        subprocess.run([sys.executable, "-c", PLAY], env=environment, capture_output=True, check=True).stdout
        for _ in range(2)
    ]

    assert runs[0] == runs[1]
    assert len(json.loads(runs[0])) == 15


def test_a_campaign_that_is_taken_up_again_goes_on_the_same_way(planner):
    through = play(planner, maximize(MIXED), 12)

    (resumed,) = planner.propose(maximize(MIXED), through[:11], [], 1, seed=1)

    assert resumed == through[11].proposal


def test_pending_points_are_not_repeated(planner):
    history = play(planner, maximize(MIXED), 9)
    pending = []

    for number in range(10, 16):
        (proposal,) = planner.propose(maximize(MIXED), history, pending, 1, seed=1)
        pending.append(Trial(number=number, proposal=proposal, state=TrialState.RUNNING))

    assert len(set(points(history + pending))) == 15


def test_several_at_once_are_several(planner):
    history = play(planner, maximize(MIXED), 9)

    proposals = planner.propose(maximize(MIXED), history, [], 8, seed=1)

    assert len(set(points(proposals) + points(history))) == 17


@pytest.mark.parametrize("state", [TrialState.FAILED, TrialState.REFUSED])
def test_what_failed_or_was_refused_is_not_tried_again(planner, state):
    def state_of(point):
        return state if point["temperature"] > 45 else TrialState.OBSERVED

    history = play(planner, maximize(MIXED), 25, state_of=state_of)

    assert len(set(points(history))) == 25
    assert any(t.state is TrialState.OBSERVED for t in history)


@pytest.mark.parametrize("state", [TrialState.FAILED, TrialState.REFUSED, TrialState.WITHDRAWN])
def test_when_all_have_ended_without_a_result_it_looks_elsewhere(planner, state):
    history = play(planner, maximize(MIXED), 15, state_of=lambda point: state)

    assert len(set(points(history))) == 15
    assert len({t.point["solvent"] for t in history}) == 3


def test_a_pool_is_tried_row_by_row_until_nothing_is_left(planner):
    space = pool_of(MIXED, 17)
    rows = [canonical(space.pool.row(i)) for i in range(17)]

    history = play(planner, maximize(space), 15)
    rest = planner.propose(maximize(space), history, [], 5, seed=1)

    assert sorted(points([*history, *rest])) == sorted(rows)
    with pytest.raises(PoolExhausted, match="All 17 candidates"):
        planner.propose(maximize(space), history, [trial(20 + i, p.point) for i, p in enumerate(rest)], 1, seed=1)


def test_rows_that_a_pool_holds_twice_are_tried_once(planner):
    space = Space(
        parameters=(Categorical(name="ligand", levels=("a", "b")), Continuous(name="t", low=0, high=1)),
        pool=Pool(columns={"ligand": ["a", "a", "b", "b"], "t": [0.5, 0.5, -0.0, 0.0]}),
    )

    history = play(planner, maximize(space), 2)

    with pytest.raises(PoolExhausted):
        planner.propose(maximize(space), history, [], 1, seed=1)


def test_a_space_of_a_few_levels_is_listed_and_runs_out(planner):
    space = Space(parameters=(Discrete(name="n", values=(1, 2, 7)), Categorical(name="c", levels=("u", "v"))))

    history = play(planner, maximize(space), 6)

    assert len(set(points(history))) == 6
    with pytest.raises(PoolExhausted):
        planner.propose(maximize(space), history, [], 1, seed=1)


def test_a_pool_of_names_alone_can_be_tried(planner):
    names = [f"molecule-{i}" for i in range(20)]
    space = Space(
        parameters=(Categorical(name="smiles", levels=tuple(names)),), pool=Pool(columns={"smiles": list(names)})
    )

    history = play(planner, maximize(space), 20)

    assert sorted(t.point["smiles"] for t in history) == sorted(names)


NUMBER = st.floats(-1e6, 1e6, allow_nan=False).map(lambda v: round(v, 3))
LEVELS = st.integers(1, 4).map(lambda n: tuple(f"level {i}" for i in range(n)))


@st.composite
def parameters(draw, name):
    kind = draw(st.sampled_from(["continuous", "log", "discrete", "ordinal", "categorical"]))
    match kind:
        case "continuous":
            low = draw(NUMBER)
            return Continuous(name=name, low=low, high=low + draw(st.floats(1e-3, 1e6)))
        case "log":
            low = draw(st.floats(1e-9, 1e3))
            return Continuous(name=name, low=low, high=low * draw(st.floats(1.5, 1e6)), log=True)
        case "discrete":
            return Discrete(name=name, values=tuple(sorted(draw(st.sets(NUMBER, min_size=1, max_size=5)))))
        case "ordinal":
            return Ordinal(name=name, levels=draw(LEVELS))
        case _:
            return Categorical(name=name, levels=draw(LEVELS))


@st.composite
def spaces(draw):
    count = draw(st.integers(1, 4))
    space = Space(parameters=tuple(draw(parameters(f"p{i}")) for i in range(count)))
    return pool_of(space, 12) if draw(st.booleans()) else space


@st.composite
def histories(draw, space):
    """Some trials at sampled points, with every kind of end and gaps among the outcomes."""
    proposals = SamplingPlanner().propose(
        maximize(space), [], [], draw(st.integers(1, 9)), seed=draw(st.integers(0, 5))
    )
    trials = []
    for number, proposal in enumerate(proposals[:-1], start=1):
        state = draw(st.sampled_from([TrialState.OBSERVED] * 4 + [TrialState.FAILED, TrialState.REFUSED]))
        names = draw(st.sets(st.sampled_from(["y", "k"]))) if state is TrialState.OBSERVED else ()
        scale = draw(st.sampled_from([0.0, 1e-12, 1.0, 1e12]))
        trials.append(trial(number, proposal.point, state, **{n: scale * draw(NUMBER) for n in sorted(names)}))
    return trials


@pytest.mark.parametrize("name", sorted(PLANNERS))
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_proposal_lies_in_the_space_and_is_new(name, data):
    space = data.draw(spaces())
    history = data.draw(histories(space))
    goal = data.draw(st.sampled_from(list(Goal)))
    objective = Objective(name="y", goal=goal, target=0.0 if goal is Goal.MATCH else None)
    problem = Problem(space=space, objectives=(objective,), constraints=(OutcomeConstraint(name="k", low=0.0),))

    try:
        proposals = PLANNERS[name]().propose(
            problem, history[1:], history[:1], 3, seed=data.draw(st.integers(0, 2**40))
        )
    except PoolExhausted:
        return

    for proposal in proposals:
        assert space.problems(proposal.point) == []
        assert canonical(dict(proposal.point))
        if space.pool is not None:
            assert proposal.point in [space.pool.row(i) for i in range(len(space.pool))]
    assert len(set(points([*history, *proposals]))) == len(history) + len(proposals)
