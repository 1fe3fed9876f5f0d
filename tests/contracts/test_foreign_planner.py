"""What the planners of other libraries promise besides: the contract, where the library is installed.

They take seconds for what takes ours milliseconds, so they are asked less. No build server installs torch: where a
library is absent its tests are skipped, also where nothing may be skipped for want of a program.
"""

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from labwright.core.errors import InvalidInput, MissingExtra, PoolExhausted
from labwright.core.problem import Desirability, Goal, Objective, OutcomeConstraint, Problem
from labwright.core.restriction import Composition, LinearConstraint, Rule
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Pool, Space
from labwright.core.states import TrialState
from labwright.core.trial import Trial
from labwright.core.values import canonical
from labwright.planning.ax import AxPlanner
from labwright.planning.baybe import BaybePlanner
from labwright.planning.botorch import BotorchPlanner
from labwright.planning.refusals import refuse_unknown
from labwright.planning.sampling import SamplingPlanner

PLANNERS = {"ax": AxPlanner, "baybe": BaybePlanner, "botorch": BotorchPlanner}
RANGES = Space(
    parameters=(Continuous(name="t (°C)", low=20, high=80), Continuous(name="c", low=1e-4, high=1, log=True))
)
MIXED = Space(
    parameters=(
        Continuous(name="temperature", low=20, high=80),
        Continuous(name="dose", low=1e-4, high=1e-1, log=True),
        Discrete(name="steps", values=(1, 2, 5)),
        Ordinal(name="stirring", levels=("slow", "medium", "fast")),
        Categorical(name="solvent", levels=("water", "ethanol", "DMF")),
        Discrete(name="always", values=(7,)),
    )
)
Y = Objective(name="y", goal=Goal.MAXIMIZE)
pytestmark = pytest.mark.filterwarnings("ignore")  # what a library says of itself while it is imported


@pytest.mark.parametrize("kind", PLANNERS)
def test_objectives_that_a_person_weighed_are_refused_and_not_traded_otherwise(kind):
    weighed = Objective(name="y", goal=Goal.MAXIMIZE, desirability=Desirability(worst=0, best=1))

    with pytest.raises(InvalidInput, match=f"The planner '{kind}' knows no desirability"):
        PLANNERS[kind]().propose(problem(RANGES, weighed), [], [], 1, seed=1)


@pytest.mark.parametrize("kind", PLANNERS)
@pytest.mark.parametrize(
    ("restriction", "said"),
    [
        (
            {"compositions": (Composition(name="mix", parts=("a", "b"), at_most_parts=1),)},
            "a [+] b = 1, exactly 1 of them",
        ),
        ({"constraints": (LinearConstraint(coefficients={"a": 1.0, "b": 2.0}, high=2),)}, "a [+] 2 b is at most 2"),
        ({"constraints": (Rule(name="rules.py:fine", holds=lambda point: True),)}, "the rule rules.py:fine holds"),
    ],
)
def test_what_must_hold_between_parameters_is_refused_and_never_broken(kind, restriction, said):
    space = Space(parameters=tuple(Continuous(name=name, low=0, high=1) for name in "ab"), **restriction)

    with pytest.raises(InvalidInput, match=f"The planner '{kind}' cannot keep .* {said}"):
        PLANNERS[kind]().propose(problem(space), [], [], 1, seed=1)


@pytest.mark.parametrize("kind", PLANNERS)
def test_descriptors_are_refused_and_not_left_aside(kind):
    space = Space(parameters=(Categorical(name="acid", levels=("HCl", "HF"), descriptors={"pKa": (-6.0, 3.2)}),))

    with pytest.raises(InvalidInput, match=f"The planner '{kind}' knows no descriptors, but acid has some"):
        PLANNERS[kind]().propose(problem(space), [], [], 1, seed=1)


@pytest.mark.parametrize("kind", PLANNERS)
def test_of_a_pool_every_planner_may_choose_whatever_must_hold(kind):
    constraint = LinearConstraint(coefficients={"a": 1.0}, high=0.5)
    pool = Pool(columns={"a": [0.1, 0.9]})

    refuse_unknown(
        problem(Space(parameters=(Continuous(name="a", low=0, high=1),), pool=pool, constraints=(constraint,))), kind
    )


@pytest.fixture(params=sorted(PLANNERS))
def planner(request):
    if find_spec(request.param) is None:
        pytest.skip(f"the extra {request.param!r} is not installed")
    return PLANNERS[request.param]()


def problem(space, *objectives, constraints=()):
    return Problem(space=space, objectives=objectives or (Y,), constraints=constraints)


def pool_of(space, count):
    points = [p.point for p in SamplingPlanner().propose(problem(space), [], [], count, seed=3)]
    return Space(parameters=space.parameters, pool=Pool(columns={n: [p[n] for p in points] for n in space.names}))


def outcomes_of(point):
    y = sum(len(v) if isinstance(v, str) else v / (1 + abs(v)) for v in point.values())
    return {"y": y, "k": 10.0 - y}


def play(planner, asked, count, *, seed=1, state_of=lambda point: TrialState.OBSERVED):
    history = []
    for number in range(1, count + 1):
        (proposal,) = planner.propose(asked, history, [], 1, seed=seed)
        history.append(ended(number, proposal, state_of(proposal.point)))
    return history


def ended(number, proposal, state=TrialState.OBSERVED):
    outcomes = outcomes_of(proposal.point) if state is TrialState.OBSERVED else {}
    return Trial(number=number, proposal=proposal, state=state, outcomes=outcomes)


def points(found):
    return [canonical(dict(t.point)) for t in found]


def evenly(space, count):
    proposals = SamplingPlanner().propose(problem(space), [], [], count, seed=2)
    return [ended(n, p) for n, p in enumerate(proposals, start=1)]


@pytest.mark.parametrize("name", sorted(PLANNERS))
def test_a_missing_library_is_named_with_its_extra(name, monkeypatch):
    for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(MissingExtra, match=rf"pip install '\.\[{name}\]'"):
        PLANNERS[name]().propose(problem(RANGES), [], [], 1, seed=1)


@pytest.mark.parametrize("space", [pool_of(MIXED, 40), RANGES], ids=["pool", "ranges"])
def test_the_same_arguments_give_the_same_proposals_in_the_space(planner, space):
    history = evenly(space, 13)

    first, again = (planner.propose(problem(space), history, [], 2, seed=2**40) for _ in range(2))

    assert first == again
    assert len(set(points([*history, *first]))) == 15
    assert all(space.problems(p.point) == [] and p.source == first[0].source and len(p.reason) > 10 for p in first)


def test_nothing_of_it_is_left_behind(planner):
    import torch

    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist(), torch.get_num_threads()

    planner.propose(problem(RANGES), evenly(RANGES, 5), [], 1, seed=1)

    assert (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist(), torch.get_num_threads()) == before


def test_a_pool_is_tried_row_by_row_until_nothing_is_left(planner):
    space = pool_of(MIXED, 15)

    history = play(planner, problem(space), 13)
    rest = planner.propose(problem(space), history, [], 5, seed=1)

    assert sorted(points([*history, *rest])) == sorted(canonical(space.pool.row(i)) for i in range(15))
    with pytest.raises(PoolExhausted, match="All 15 candidates"):
        planner.propose(problem(space), [*history, *(ended(20 + i, p) for i, p in enumerate(rest))], [], 1, seed=1)


@pytest.mark.parametrize("state", [TrialState.FAILED, TrialState.REFUSED])
def test_what_failed_or_was_refused_is_not_tried_again(planner, state):
    history = play(
        planner,
        problem(pool_of(MIXED, 25)),
        18,
        state_of=lambda point: state if point["temperature"] > 45 else TrialState.OBSERVED,
    )

    assert len(set(points(history))) == 18
    assert {t.state for t in history} == {state, TrialState.OBSERVED}


def test_pending_points_are_not_repeated(planner):
    space = pool_of(MIXED, 30)
    history, pending = evenly(space, 12), []

    for number in range(13, 16):
        (proposal,) = planner.propose(problem(space), history, pending, 1, seed=1)
        pending.append(Trial(number=number, proposal=proposal, state=TrialState.RUNNING))

    assert len(set(points([*history, *pending]))) == 15


@pytest.mark.parametrize(
    "objectives",
    [
        [Objective(name="y", goal=Goal.MATCH, target=3.0)],
        [Y, Objective(name="k", goal=Goal.MINIMIZE)],
    ],
    ids=["match", "two"],
)
def test_a_target_and_two_objectives_can_be_asked_for(planner, objectives):
    space = pool_of(MIXED, 30)

    (proposal,) = planner.propose(problem(space, *objectives), evenly(space, 12), [], 1, seed=1)

    assert proposal.source in PLANNERS


def test_a_constraint_is_kept_or_the_campaign_refused(planner):
    space = pool_of(MIXED, 30)
    asked = problem(
        space, constraints=(OutcomeConstraint(name="k", low=0.0, high=5.0), OutcomeConstraint(name="y", low=1.0))
    )

    if isinstance(planner, BaybePlanner):
        with pytest.raises(InvalidInput, match="knows no outcome constraints"):
            planner.propose(asked, [], [], 1, seed=1)
    else:
        assert planner.propose(asked, evenly(space, 12), [], 1, seed=1)[0].source in PLANNERS


def test_ax_chooses_what_one_session_that_never_ends_would():
    if find_spec("ax") is None:
        pytest.skip("the extra 'ax' is not installed")
    from ax.api.client import Client
    from ax.api.configs import RangeParameterConfig

    space = Space(parameters=(Continuous(name="a", low=0, high=1), Continuous(name="b", low=0, high=1)))
    client = Client(random_seed=3)
    client.configure_experiment(
        parameters=[RangeParameterConfig(name=f"x{i}", bounds=(0.0, 1.0), parameter_type="float") for i in range(2)]
    )
    client.configure_optimization(objective="o0")
    history, theirs, nodes = [], [], []
    for number in range(1, 10):
        ((index, _),) = client.get_next_trials(max_trials=1).items()
        trial = client._experiment.trials[index]
        theirs.append({"a": round(trial.arm.parameters["x0"], 5), "b": round(trial.arm.parameters["x1"], 5)})
        nodes.append(trial.generator_run._generation_node_name)

        (ours,) = AxPlanner().propose(problem(space), history, [], 1, seed=3)
        history.append(ended(number, ours))
        client.complete_trial(trial_index=index, raw_data={"o0": outcomes_of(ours.point)["y"]})

    assert nodes == ["CenterOfSearchSpace"] + ["Sobol"] * 4 + ["MBM"] * 4
    assert [t.proposal.reason for t in history] == [f"Ax, {WORDS[node]}" for node in nodes]
    for t, point in zip(history[:6], theirs, strict=False):
        assert t.point == pytest.approx(point, abs=2e-5)


WORDS = {
    "CenterOfSearchSpace": "the centre of the space",
    "Sobol": "its initial design",
    "MBM": "its model's best expected improvement",
}
