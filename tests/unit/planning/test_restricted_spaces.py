"""Spaces whose parameters restrict each other: whatever is proposed keeps everything, is new, and comes again."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labwright.core.errors import PoolExhausted
from labwright.core.problem import Goal, Objective, Problem
from labwright.core.restriction import Composition, LinearConstraint, Rule
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Pool, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.core.values import canonical, is_number
from labwright.planning.gp import GaussianProcessPlanner
from labwright.planning.sampling import SamplingPlanner

TOTALS = (1.0, 100.0, 0.3, 7e-6)


def hypothesis_settings(count):
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=count, deadline=None, derandomize=True, suppress_health_check=slow)


def minimize(space):
    return Problem(space=space, objectives=(Objective(name="y", goal=Goal.MINIMIZE),))


def trial(number, point, state=TrialState.OBSERVED):
    proposal = Proposal(point=point, source="test", reason="a test")
    outcomes = {"y": bumpy(point)} if state is TrialState.OBSERVED else {}
    return Trial(number=number, proposal=proposal, state=state, outcomes=outcomes)


def bumpy(point):
    return sum(len(v) if isinstance(v, str) else (i + 1) * v / (1 + abs(v)) for i, v in enumerate(point.values()))


@st.composite
def alone(draw, name):
    """A parameter, and a value of it."""
    match draw(st.sampled_from(["continuous", "log", "discrete", "ordinal", "categorical", "described"])):
        case "continuous":
            low, width = draw(st.sampled_from([-300.0, -1.0, 0.0, 20.0])), draw(st.sampled_from([0.01, 1.0, 500.0]))
            return Continuous(name=name, low=low, high=low + width), low + draw(st.floats(0.1, 0.9)) * width
        case "log":
            low = draw(st.sampled_from([1e-6, 0.1, 3.0]))
            return Continuous(name=name, low=low, high=1000 * low, log=True), low * 1000 ** draw(st.floats(0.1, 0.9))
        case "discrete":
            values = tuple(sorted(draw(st.sets(st.integers(-5, 20), min_size=1, max_size=5))))
            return Discrete(name=name, values=tuple(map(float, values))), float(draw(st.sampled_from(values)))
        case "ordinal":
            return Ordinal(name=name, levels=("low", "middle", "high")), draw(
                st.sampled_from(["low", "middle", "high"])
            )
        case kind:
            levels = ("water", "ethanol", "DMF", "ether")
            numbers = {"polarity": (80.0, 25.0, 37.0, 4.0), "boils": (100.0, 78.0, 153.0, 35.0)}
            described = numbers if kind == "described" else {}
            return Categorical(name=name, levels=levels, descriptors=described), draw(st.sampled_from(levels))


@st.composite
def mixtures(draw, name):
    """A composition, its parts, and amounts of them that keep it."""
    count, total = draw(st.integers(2, 6)), draw(st.sampled_from(TOTALS))
    most = draw(st.integers(1, count))
    least = draw(st.integers(1, most))
    there = draw(st.lists(st.integers(0, count - 1), min_size=least, max_size=most, unique=True))
    weights = {i: draw(st.floats(0.2, 1.0)) for i in there}
    amounts = [total * weights.get(i, 0.0) / sum(weights.values()) for i in range(count)]
    parts = []
    for i, amount in enumerate(amounts):
        low = draw(st.sampled_from([0.0, 0.0, 0.5])) * amount
        high = min(total, amount + draw(st.sampled_from([0.1, 0.5, 1.0])) * total)
        parts.append((Continuous(name=f"{name}_{i}", low=low, high=high), amount))
    names = tuple(p.name for p, _ in parts)
    return Composition(name=name, parts=names, total=total, at_least_parts=least, at_most_parts=most), parts


@st.composite
def sums(draw, known):
    """A linear constraint that the known point keeps: a bound on either side, or a band about it."""
    names = [name for name, value in known.items() if is_number(value)]
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True))
    factors = {name: draw(st.sampled_from([-2.0, -1.0, 0.5, 1.0, 3.0])) for name in chosen}
    value = sum(factor * known[name] for name, factor in factors.items())
    room = draw(st.sampled_from([0.02, 0.2, 1.0])) * max(sum(abs(f * known[n]) for n, f in factors.items()), 0.01)
    match draw(st.sampled_from(["low", "high", "band"])):
        case "low":
            return LinearConstraint(coefficients=factors, low=value - room)
        case "high":
            return LinearConstraint(coefficients=factors, high=value + room)
        case _:
            return LinearConstraint(coefficients=factors, low=value - room, high=value + room)


def fussy(known):
    """A rule that forbids a part of most spaces, and not the known point."""
    first = next(iter(known))

    def holds(point):
        value = point[first]
        return (
            value == known[first] if isinstance(value, str) else value <= known[first] + 0.5 * abs(known[first]) + 0.1
        )

    return Rule(name="fussy", holds=holds)


@st.composite
def restricted(draw, *, rules=True):
    """A space with all kinds of parameters and restrictions; one point at least keeps them all."""
    found = [draw(alone(f"p{i}")) for i in range(draw(st.integers(0, 4)))]
    compositions = []
    for i in range(draw(st.integers(0 if found else 1, 2))):
        composition, parts = draw(mixtures(f"m{i}"))
        compositions.append(composition)
        found += parts
    known = {p.name: value for p, value in found}
    linear = is_number(next(iter(known.values()))) or any(map(is_number, known.values()))
    constraints = [draw(sums(known)) for _ in range(draw(st.integers(0, 3)) if linear else 0)]
    if rules and draw(st.booleans()):
        constraints.append(fussy(known))
    return Space(
        parameters=tuple(p for p, _ in found), compositions=tuple(compositions), constraints=tuple(constraints)
    )


def pool_of(space, count):
    """The space with a pool of points, some of which break its restrictions."""
    free = Space(parameters=space.parameters, compositions=space.compositions[:1])
    loose = Space(parameters=space.parameters)
    points = [p.point for one in (free, loose) for p in _some(one, count // 2)] + [p.point for p in _some(space, 3)]
    columns = {name: [point[name] for point in points] for name in space.names}
    return Space(
        parameters=space.parameters,
        compositions=space.compositions,
        constraints=space.constraints,
        pool=Pool(columns=columns),
    )


def _some(space, count, seed=4):
    """Some proposals of a sampled design: fewer where there are fewer."""
    proposals = []
    while len(proposals) < count:
        tried = [trial(i + 1, p.point) for i, p in enumerate(proposals)]
        try:
            proposals += SamplingPlanner().propose(minimize(space), tried, [], 1, seed=seed)
        except PoolExhausted:
            break
    return proposals


def check_a_batch(planner, data):
    space = data.draw(restricted())
    if data.draw(st.booleans()):
        space = pool_of(space, 20)
    earlier = [trial(i + 1, p.point) for i, p in enumerate(_some(space, data.draw(st.sampled_from([0, 3, 9]))))]
    pending = [trial(t.number, t.point, TrialState.RUNNING) for t in earlier[-2:]]
    history, seed = earlier[: len(earlier) - len(pending)], data.draw(st.integers(0, 2**32))

    try:
        proposals = planner().propose(minimize(space), history, pending, 8, seed=seed)
    except PoolExhausted:
        return

    for proposal in proposals:
        assert space.problems(proposal.point) == []
        assert space.pool is None or space.pool.has(proposal.point)
    points = [canonical(dict(t.point)) for t in [*earlier, *proposals]]
    assert len(set(points)) == len(points)
    assert planner().propose(minimize(space), history, pending, 8, seed=seed) == proposals


@hypothesis_settings(40)
@given(data=st.data())
def test_an_even_spread_keeps_every_restriction_repeats_nothing_and_comes_again(data):
    check_a_batch(SamplingPlanner, data)


@hypothesis_settings(10)
@given(data=st.data())
def test_what_the_model_chooses_keeps_every_restriction_repeats_nothing_and_comes_again(data):
    check_a_batch(GaussianProcessPlanner, data)


@pytest.mark.soak
@hypothesis_settings(100)
@given(data=st.data())
def test_in_many_more_spaces_the_model_keeps_every_restriction(data):
    check_a_batch(GaussianProcessPlanner, data)


@hypothesis_settings(60)
@given(space=restricted(rules=False))
def test_a_point_is_found_wherever_one_keeps_every_sum(space):
    (proposal,) = SamplingPlanner().propose(minimize(space), [], [], 1, seed=1)

    assert space.problems(proposal.point) == []
