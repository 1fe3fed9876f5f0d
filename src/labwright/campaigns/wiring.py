"""Holds a campaign against what its resources can do: names, units, levels and candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from labwright.campaigns.agreement import check_beliefs, check_files, check_limits, check_step, with_units
from labwright.campaigns.file import Problems, check_rules
from labwright.campaigns.materials import check_amounts, handlings_of, needs_of, takings_of
from labwright.core.campaign import Campaign
from labwright.core.capability import Capability, Input, Output
from labwright.core.errors import InvalidUnit
from labwright.core.material import Materials
from labwright.core.need import Need
from labwright.core.problem import Problem
from labwright.core.procedure import Binding, Constant, Names, Reference, Step, bind, in_order, names_of
from labwright.core.space import Pool
from labwright.core.units import check_unit, convert_value
from labwright.core.values import Point, Value, is_number, show
from labwright.core.verdict import Action, Plan
from labwright.planning.region import check_possible
from labwright.safety.envelope import Limits
from labwright.safety.orders import Orders
from labwright.storage.database.packing import pack, unpack

Capabilities = Mapping[str, Capability]


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """A campaign joined to the capabilities it uses, by resource.capability; `problem` has the pool, if any.

    `guards`: by the name of a resource behind a monitor, its limits and how its commands become orders.
    """

    campaign: Campaign
    capabilities: Capabilities
    problem: Problem
    guards: Mapping[str, tuple[Limits, Orders]] = field(default_factory=dict)

    @property
    def movable(self) -> frozenset[str]:
        """What may be taken up wherever its resource stands, by its use: what may be repeated, and tasks for people."""
        tasks = {name for name, plug_in in self.campaign.resources.items() if plug_in.is_people}
        found = self.capabilities.items()
        return frozenset(use for use, c in found if c.repeatable or use.partition(".")[0] in tasks)

    def plan(self, point: Point) -> Plan:
        """Return what the point would set, as far as that is known before the trial.

        A step that the point itself rules out, by a condition on it, is no part of the plan.
        """
        names = names_of(self.problem.space, point)
        actions = [
            Action(resource=s.resource, capability=s.capability, inputs=bind(s, self.capabilities[s.use], names))
            for _, s in self._possible(names)
        ]
        return Plan(point=point, actions=tuple(actions))

    def materials(self, point: Point) -> Materials | None:
        """Return what a trial of the point takes from lots, as far as it is known before, and does with samples."""
        steps = self.campaign.procedure
        if not any(step.has_material for step in steps):
            return None
        names = names_of(self.problem.space, point)
        takings = tuple(taking for i, step in self._possible(names) for taking in takings_of(i, step, names))
        return Materials(takings=takings, handlings=handlings_of(steps))

    @property
    def needs(self) -> tuple[Need, ...]:
        """What a trial takes from each lot, wherever in the space it lies."""
        return needs_of(self.problem.space, self.campaign.procedure)

    def _possible(self, names: Names) -> list[tuple[int, Step]]:
        """Return the steps that may be done, each with its place, in the procedure's order."""
        steps, ruled_out, never = self.campaign.procedure, set[int](), set[str]()
        for i in in_order(steps):
            false = any(c.name in names and not c.holds(names[c.name]) for c in steps[i].when)
            if false or not never.isdisjoint(steps[i].references):
                ruled_out.add(i)
                never |= set(steps[i].gives)
        return [(i, step) for i, step in enumerate(steps) if i not in ruled_out]


def wire(campaign: Campaign, capabilities: Capabilities, problems: Problems) -> Wiring:
    """Return the campaign joined to its resources; what does not fit raises InvalidCampaign with every problem."""
    units: dict[str, str | None] = {name: campaign.problem.space[name].unit for name in campaign.problem.space.names}
    for i, step in enumerate(campaign.procedure):
        if step.use in capabilities:
            units |= _check_outputs(campaign, i, capabilities[step.use], problems)
        else:
            offered = ", ".join(n for n in capabilities if n.startswith(f"{step.resource}.")) or "nothing"
            problems.add(("procedure", i, "use"), f"{step.resource} cannot {step.capability}; it offers {offered}.")
    for i, step in enumerate(campaign.procedure):
        if step.use in capabilities:
            _check_inputs(campaign, i, capabilities[step.use], units, problems)
            check_files(i, step, capabilities, campaign.procedure, problems)
            check_step(i, step, capabilities[step.use], units, problems)
            check_beliefs(campaign, step.use, capabilities[step.use], problems)
    check_amounts(campaign, units, problems)
    check_rules(campaign.problem.space, problems)
    problems.attempt(("rules",), check_possible, campaign.problem.space)
    problems.raise_any()
    capabilities = with_units(campaign, capabilities, units, problems)
    check_limits(campaign, capabilities, problems)
    problems.raise_any()
    pool = _pool(campaign, capabilities, problems)
    problems.raise_any()
    space = replace(campaign.problem.space, pool=pool)
    return Wiring(campaign=campaign, capabilities=capabilities, problem=replace(campaign.problem, space=space))


def declared(wiring: Wiring) -> str:
    """Return what the resources said they can do as canonical JSON, for `rewire`; without tables of candidates."""
    found = {use: asdict(replace(c, candidates=None)) for use, c in wiring.capabilities.items()}
    return pack(found)


def rewire(campaign: Campaign, said: str) -> Wiring:
    """Join a campaign, already checked against its resources, to what `declared` wrote of them; nobody is asked.

    There is no pool: it is for judging and reviewing, not for proposing.
    """
    capabilities = {use: _capability(found) for use, found in unpack(said).items()}
    return Wiring(campaign=campaign, capabilities=capabilities, problem=campaign.problem)


def _capability(found: Mapping[str, Any]) -> Capability:
    inputs = (Input(**{**i, "levels": None if i["levels"] is None else tuple(i["levels"])}) for i in found["inputs"])
    outputs = (Output(**o) for o in found["outputs"])
    beliefs = tuple(found.get("beliefs", ()))
    return Capability(**{**found, "inputs": tuple(inputs), "outputs": tuple(outputs), "beliefs": beliefs})


def _check_inputs(
    campaign: Campaign, index: int, capability: Capability, units: Mapping[str, str | None], problems: Problems
) -> None:
    step = campaign.procedure[index]
    for name, binding in step.inputs.items():
        declared, place = capability.input(name), ("procedure", index, "with", name)
        if declared is None:
            offered = ", ".join(i.name for i in capability.inputs)
            problems.add(place, f"{step.use} has no such input; it has {offered}.")
            continue
        unit = binding.unit if isinstance(binding, Constant) else units.get(binding.name)
        is_word = isinstance(binding, Constant) and not is_number(binding.value)
        if not is_word and (isinstance(binding, Constant) or binding.name in units):
            problems.attempt(place, check_unit, unit, declared.unit, f"{step.use}.{name}")
        for problem in _kind_problems(campaign, binding, declared):
            problems.add(place, problem)
    missing = [i.name for i in capability.inputs if i.required and i.name not in step.inputs]
    if missing:
        problems.add(("procedure", index), f"{step.use} also needs {', '.join(missing)} under `with`.")


def _kind_problems(campaign: Campaign, binding: Binding, declared: Input) -> list[str]:
    if isinstance(binding, Constant):
        values: Sequence[Value] = [binding.value]
    elif binding.name in campaign.problem.space.names:
        values = getattr(campaign.problem.space[binding.name], "levels", None) or [0.0]
    else:
        return []
    words = [v for v in values if not is_number(v)]
    if declared.levels is not None:
        return [
            f"{show(v)} is not one of {', '.join(map(show, declared.levels))}."
            for v in words
            if v not in declared.levels
        ]
    if words and (declared.low is not None or declared.high is not None or declared.unit is not None):
        return [f"found the word {words[0]!r}; a number was expected."]
    return []


def _check_outputs(campaign: Campaign, index: int, capability: Capability, problems: Problems) -> dict[str, str | None]:
    step, units = campaign.procedure[index], {}
    for name, output in step.gives.items():
        declared, place = capability.output(output), ("procedure", index, "gives", name)
        if declared is None:
            offered = ", ".join(o.name for o in capability.outputs)
            problems.add(place, f"{step.use} has no output {output!r}; it has {offered}.")
            continue
        wanted = campaign.units.get(name, declared.unit)
        if declared.unit is not None:
            problems.attempt(place, _check_outcome_unit, declared.unit, wanted, name)
        units[name] = declared.unit if declared.unit is not None else wanted
    return units


def _check_outcome_unit(found: str, wanted: str | None, name: str) -> None:
    if wanted is None:
        raise InvalidUnit(f"{name} comes in {found!r}, but the campaign declares no unit for it. Give the unit.")
    check_unit(found, wanted, name)


def _pool(campaign: Campaign, capabilities: Capabilities, problems: Problems) -> Pool | None:
    """Return the points that the first step with candidates leaves possible, each once, within the space."""
    space = campaign.problem.space
    # A rule is asked of a row when it is to be chosen: it may be slow, and there may be a million rows.
    asked, names = replace(space, constraints=space.linear), space.names
    for i, step in enumerate(campaign.procedure):
        candidates = capabilities[step.use].candidates
        bound = {b.name: n for n, b in step.inputs.items() if isinstance(b, Reference) and b.name in names}
        if candidates is None:
            continue
        if set(bound) != set(names):
            left = ", ".join(sorted(set(names) - set(bound)))
            problems.add(("procedure", i, "with"), f"{step.use} offers a table of candidates, so bind {left} here too.")
            return None
        rows = _candidate_rows(campaign, step, capabilities[step.use], bound)
        within = [row for row in dict.fromkeys(rows) if not asked.problems(dict(zip(names, row, strict=True)))]
        if not within:
            problems.add(("space",), f"none of the {len(rows)} rows that {step.use} offers lies in this space.")
            return None
        columns = zip(*within, strict=True)
        return Pool(columns=dict(zip(names, columns, strict=True)))
    return None


def _candidate_rows(
    campaign: Campaign, step: Step, capability: Capability, bound: Mapping[str, str]
) -> list[tuple[Value, ...]]:
    assert capability.candidates is not None
    columns = []
    for parameter in campaign.problem.space.parameters:
        declared = capability.input(bound[parameter.name])
        assert declared is not None
        unit = parameter.unit if declared.unit is None else declared.unit
        cells = capability.candidates[declared.name]
        words = hasattr(parameter, "levels")
        columns.append([
            _word(cell) if words else convert_value(cell, unit, parameter.unit, f"{step.use}.{declared.name}")
            for cell in cells
        ])  # fmt: skip
    return list(zip(*columns, strict=True))


def _word(cell: Value) -> str:
    return f"{cell:g}" if isinstance(cell, float) else str(cell)
