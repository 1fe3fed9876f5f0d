import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.core.errors import InvalidInput
from labwright.core.problem import Aim, Desirability, Goal, Objective, Problem
from labwright.core.space import Continuous, Space

SPACE = Space(parameters=(Continuous(name="x", low=0, high=10),))


def problem(*objectives):
    return Problem(space=SPACE, objectives=objectives)


def weighed(name="y", goal=Goal.MAXIMIZE, *, target=None, **wish):
    return Objective(name=name, goal=goal, target=target, desirability=Desirability(**wish))


def plain(name):
    return Objective(name=name, goal=Goal.MINIMIZE)


def test_several_objectives_are_a_front_unless_each_has_a_desirability():
    assert problem(plain("y")).aim is Aim.BEST
    assert problem(plain("y"), plain("z")).aim is Aim.FRONT
    assert problem(weighed("y", worst=0, best=1), weighed("z", worst=0, best=1)).aim is Aim.DESIRABILITY
    assert problem(weighed("y", worst=0, best=1)).aim is Aim.DESIRABILITY


@pytest.mark.parametrize(("y", "expected"), [(20, 0), (10, 0), (60, 0.5), (100, 1), (150, 1)])
def test_desirability_rises_from_the_worst_to_the_best_and_no_further(y, expected):
    assert problem(weighed(worst=20, best=100)).desirability({"y": y}) == pytest.approx(expected)


@pytest.mark.parametrize(("y", "expected"), [(7, 1), (6.5, 0.5), (7.5, 0.5), (6, 0), (9, 0)])
def test_a_target_is_as_desirable_on_either_side(y, expected):
    matched = problem(weighed(goal=Goal.MATCH, target=7, worst=8))

    assert matched.desirability({"y": y}) == pytest.approx(expected)


def test_the_whole_is_the_weighted_geometric_mean():
    both = problem(
        weighed("y", worst=0, best=1, weight=3), weighed("z", Goal.MINIMIZE, worst=1, best=0, weight=1, shape=2)
    )

    assert both.desirability({"y": 0.5, "z": 0.2}) == pytest.approx((0.5**3 * 0.8**2) ** (1 / 4))
    assert both.desirability({"y": 1, "z": 1}) == 0


@given(st.floats(-1e308, 1e308), st.floats(-1e308, 1e308))
def test_desirability_is_between_nothing_and_all(y, z):
    both = problem(weighed("y", worst=0, best=1), weighed("z", Goal.MATCH, target=3, worst=4))

    assert 0 <= both.desirability({"y": y, "z": z}) <= 1


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (lambda: weighed(worst=100, best=20), "from worst 100 to best 20, but the goal is to maximize"),
        (lambda: weighed(worst=20), "needs a best value"),
        (lambda: weighed(goal=Goal.MATCH, target=7, worst=8, best=7), "unless the goal is to match"),
        (lambda: weighed(goal=Goal.MATCH, target=7, worst=7), "from worst 7 to best 7"),
        (lambda: weighed(worst=0, best=1, weight=0), "weight is 0"),
        (lambda: weighed(worst=0, best=1, shape=1e9), "shape is 1e\\+09"),
        (lambda: problem(weighed("y", worst=0, best=1), plain("z")), "y has a desirability and z has none"),
        (lambda: problem(Objective(name="y", goal=Goal.MINIMIZE, worst=3)), "worst bounds a front"),
        (lambda: Objective(name="y", goal=Goal.MATCH, target=3, worst=3), "worst is the target"),
        (
            lambda: Objective(name="y", goal=Goal.MINIMIZE, worst=3, desirability=Desirability(worst=3, best=1)),
            "it stands in that",
        ),
    ],
)
def test_wishes_that_contradict_themselves_are_refused(wish, said):
    with pytest.raises(InvalidInput, match=said):
        wish()
