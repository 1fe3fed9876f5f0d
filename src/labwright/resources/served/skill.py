"""One capability of such a server: an action, what it takes and gives in our words, and its message."""

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labwright.core.capability import Capability, Input, Output
from labwright.core.command import Command, Failure, Measurement, Observation
from labwright.core.errors import InvalidInput
from labwright.core.units import parse_unit
from labwright.core.values import Value, is_number
from labwright.resources.served.kind import Kind, Unfit, span
from labwright.resources.served.options import ActionPart, InputPart
from labwright.resources.stranger import plain, text

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """What a server says of one parameter of an action; `kind` is None where it is no plain value.

    `place`: where the file may give such a value.
    """

    name: str
    kind: Kind | None
    required: bool
    words: str = ""
    place: str = "fixed"


@dataclass(frozen=True, kw_only=True)
class Action:
    """What a server says that it can do; `results` are the names of the plain values that it gives."""

    name: str
    parameters: tuple[Parameter, ...]
    results: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Skill:
    """What the file and the server say of an action together; `parameters` are by the name of the input."""

    capability: Capability
    action: Action
    part: ActionPart
    parameters: Mapping[str, Parameter]
    sources: Mapping[str, str]

    @classmethod
    def read(cls, place: str, name: str, part: ActionPart, action: Action) -> "Skill":
        """Bring the server's words and the file's together; what does not fit raises InvalidInput."""
        place = f"{place}.{name}"
        inputs = _inputs(place, action, part)
        sources = {n: o.result or n for n, o in part.outputs.items()}
        sources |= {r: r for r in action.results if r not in sources.values() and r not in sources}
        units = {n: o.unit for n, o in part.outputs.items()}
        for unit in filter(None, units.values()):
            parse_unit(unit)
        capability = Capability(
            name=name,
            inputs=tuple(i for i, _ in inputs),
            outputs=tuple(Output(name=n, unit=units.get(n)) for n in sources),
            repeatable=part.repeatable,
            queryable=True,
        )
        return cls(
            capability=capability,
            action=action,
            part=part,
            parameters={i.name: parameter for i, parameter in inputs},
            sources=sources,
        )

    def arguments(self, command: Command) -> dict[str, Any]:
        """Return the inputs as they are sent; raises Unfit."""
        needed = {i.name for i in self.capability.inputs if i.required}
        if not needed <= set(command.inputs) <= set(self.parameters):
            found, expected = (", ".join(sorted(names)) or "nothing" for names in (command.inputs, self.parameters))
            raise Unfit(f"{self.action.name} was given {found}; it takes {expected}")
        return dict(self.part.fixed) | {
            self.parameters[name].name: _kind(self.parameters[name]).checked(name, value)
            for name, value in command.inputs.items()
        }

    def observation(self, result: Any, objects: Sequence[str] = ()) -> Observation | Failure:
        """Make an observation of a result: an object, or one value, which is then the only output's."""
        values = {}
        for output in self.capability.outputs:
            source = self.sources[output.name]
            found = _within(result, source)
            if found is None:
                return Failure(reason=f"the result lacks the output {output.name} ({source}): {_short(result)}")
            value = _plain(found)
            if value is None:
                return Failure(
                    reason=f"the output {output.name} ({source}) is no finite number and no word: {_short(found)}"
                )
            values[output.name] = Measurement(value=value, unit=output.unit)
        return Observation(values=values, objects=tuple(objects))


def read_skills(
    place: str,
    parts: Mapping[str, ActionPart] | None,
    actions: Mapping[str, Action],
    part_of: Callable[[str], ActionPart],
) -> list[Skill]:
    """Read what the file chooses, which must fit; or else, by `part_of`, whatever the server has that can be sent."""
    if parts is not None:
        return [
            Skill.read(place, name, part, _action(f"{place}.{name}", part.called, actions))
            for name, part in parts.items()
        ]
    skills, reasons = [], []
    for name, action in actions.items():
        try:
            skills.append(Skill.read(place, name, part_of(name), action))
        except InvalidInput as error:
            reasons.append(str(error))
            log.info("Not offered: %s", error)
    if not skills:
        raise InvalidInput(f"{place}: the server has nothing that can be used. {' '.join(reasons)}".strip())
    return skills


def _action(place: str, name: str, actions: Mapping[str, Action]) -> Action:
    if name not in actions:
        raise InvalidInput(f"{place}: the server has no {name!r}. It has: {', '.join(sorted(actions)) or 'nothing'}.")
    return actions[name]


def _inputs(place: str, action: Action, part: ActionPart) -> list[tuple[Input, Parameter]]:
    renamed = {said.parameter or name: (name, said) for name, said in part.inputs.items()}
    if len(renamed) < len(part.inputs):
        raise InvalidInput(f"{place}: two inputs are the same parameter of {action.name}.")
    _check_given(place, action, part, renamed)
    found = []
    for parameter in action.parameters:
        name, said = renamed.get(parameter.name, (parameter.name, None))
        if parameter.name in part.given or (parameter.kind is None and said is None and not parameter.required):
            continue
        found.append(_input(f"{place}.{name}", name, said or InputPart(), parameter))
    names = [i.name for i, _ in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InvalidInput(f"{place}: two inputs are named {twice[0]!r}. Name one of them differently in the file.")
    return found


def _check_given(place: str, action: Action, part: ActionPart, inputs: Mapping[str, object]) -> None:
    """Raise InvalidInput for a parameter that is not there, is given twice, or is fixed to what it cannot be."""
    known = {parameter.name: parameter for parameter in action.parameters}
    if unknown := [name for name in (*inputs, *part.given) if name not in known]:
        there = ", ".join(sorted(known)) or "none"
        raise InvalidInput(f"{place}: {action.name} has no parameter {unknown[0]!r}. It has: {there}.")
    if both := [name for name in part.given if name in inputs]:
        raise InvalidInput(f"{place}: {both[0]!r} is given by the file, and an input as well. Leave one of them out.")
    for name, value in part.fixed.items():
        kind = known[name].kind
        try:
            json.dumps(value, allow_nan=False)
            if kind is not None and not isinstance(value, bool):
                kind.checked(f"{place}.fixed.{name}", value)
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"{place}.fixed.{name}: {text(value)} cannot be sent: {error}.") from error
        except Unfit as error:
            raise InvalidInput(f"{error}.") from error


def _input(place: str, name: str, said: InputPart, parameter: Parameter) -> tuple[Input, Parameter]:
    """Return an input with the narrower of the server's and the file's limits, and its parameter with the same."""
    kind = parameter.kind or (Kind(name="any") if said.levels else None)  # such as the names of devices
    if kind is None:
        raise InvalidInput(
            f"{place}: the parameter {parameter.name} is {parameter.words or 'no plain value'}; Labwright sends"
            f" numbers, words, and yes or no. Give it under `{parameter.place}`."
        )
    if said.unit is not None:
        parse_unit(said.unit)
    if not kind.is_numeric and (said.low is not None or said.high is not None or said.unit is not None):
        raise InvalidInput(f"{place}: {parameter.name} is {kind.words}, which has no unit, low or high.")
    lows, highs = ([x for x in pair if x is not None] for pair in ((said.low, kind.low), (said.high, kind.high)))
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None and low > high:
        raise InvalidInput(
            f"{place}: no value is allowed: the file says {span(said.low, said.high)}, the server"
            f" {span(kind.low, kind.high)}."
        )
    levels = _levels(place, said, kind, low, high)
    narrowed = replace(parameter, kind=replace(kind, low=low, high=high, levels=levels))
    made = Input(name=name, unit=said.unit, low=low, high=high, levels=levels, required=parameter.required)
    return made, narrowed


def _levels(place: str, said: InputPart, kind: Kind, low: float | None, high: float | None) -> tuple[Value, ...] | None:
    if said.levels is None:
        return kind.levels
    inside = []
    for level in said.levels:
        try:
            replace(kind, low=low, high=high).checked(place, level)
            inside.append(level)
        except Unfit:
            continue
    if not inside:
        raise InvalidInput(f"{place}: no value is allowed: the file says {list(said.levels)}, the server otherwise.")
    return tuple(inside)


def _kind(parameter: Parameter) -> Kind:
    assert parameter.kind is not None  # an input has one
    return parameter.kind


def _within(result: Any, source: str) -> Any:
    """Return what a result holds under a name, whole or with dots between objects; a single value has any name."""
    if not isinstance(result, Mapping):
        return None if isinstance(result, list) else result
    if source in result:
        return result[source]
    first, _, rest = source.partition(".")
    return _within(result[first], rest) if rest and isinstance(result.get(first), Mapping) else None


def _plain(found: Any) -> Value | None:
    if isinstance(found, bool):
        return int(found)
    if isinstance(found, str):
        return str(plain(found))
    if not is_number(found):
        return None
    value = plain(found)
    return None if isinstance(value, str) or not math.isfinite(value) else value


def _short(found: Any) -> str:
    shown = text(found)
    return shown if len(shown) <= 100 else f"{shown[:97]}..."
