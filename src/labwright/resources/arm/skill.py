"""One capability of an arm: what it takes and gives, and the steps that a command of it needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from labwright.core.capability import Capability, Input, Output
from labwright.core.command import Command, Measurement, Observation
from labwright.core.errors import InvalidInput
from labwright.core.values import Value
from labwright.resources.arm.options import FirstPart, MovePart, Name, PlacePart, Tells
from labwright.resources.arm.places import GRIPPER, Places
from labwright.resources.memory import Belief
from labwright.resources.once import NotDone
from labwright.resources.stranger import text

SHORT = 60
Where = Name | PlacePart | FirstPart


class Phase(StrEnum):
    """A part of a move."""

    APPROACH = "approach"
    GRIP = "grip"
    LIFT = "lift"
    CARRY = "carry"
    LOWER = "lower"
    RELEASE = "release"
    RETREAT = "retreat"


WORDS = {
    Phase.APPROACH: "approach {place}",
    Phase.GRIP: "grip {thing} at {place}",
    Phase.LIFT: "lift {thing} from {place}",
    Phase.CARRY: "carry {thing} to {place}",
    Phase.LOWER: "lower {thing} to {place}",
    Phase.RELEASE: "release {thing} at {place}",
    Phase.RETREAT: "retreat from {place}",
}
AT_SOURCE = (Phase.APPROACH, Phase.GRIP, Phase.LIFT)
HOLDING = (Phase.GRIP, Phase.LIFT, Phase.CARRY, Phase.LOWER)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One action of the arm, on a thing, at a place."""

    phase: Phase
    thing: str
    place: str

    def __str__(self) -> str:
        return WORDS[self.phase].format(thing=self.thing, place=self.place)

    @property
    def then(self) -> dict[str, Belief]:
        """What is to be believed when it has happened."""
        match self.phase:
            case Phase.GRIP:
                return {self.thing: GRIPPER, GRIPPER: self.thing}
            case Phase.RELEASE:
                return {self.thing: self.place, GRIPPER: None}
        return {}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The steps of a command in order, and what it gives when all are done."""

    steps: tuple[Step, ...]
    result: Observation


@dataclass(frozen=True, kw_only=True, eq=False)
class Skill:
    """What the file says of a capability, held against the places."""

    capability: Capability
    part: MovePart
    places: Places

    @classmethod
    def read(cls, arm: str, name: str, part: MovePart, places: Places) -> "Skill":
        """Bring the file's words and the places together; what does not fit raises InvalidInput."""
        ends = {end: getattr(part, end) for end in ("source", "target")}
        choices = {end: _choices(f"{arm}.{name}.{end}", where, places) for end, where in ends.items()}
        inputs = [
            Input(name=where.input, levels=tuple(choices[end]))
            for end, where in ends.items()
            if isinstance(where, PlacePart)
        ]
        if len({i.name for i in inputs}) < len(inputs):
            raise InvalidInput(f"{arm}.{name}: two inputs have one name. Name them differently.")
        outputs = tuple(Output(name=output) for output in part.outputs)
        capability = Capability(name=name, inputs=tuple(inputs), outputs=outputs, queryable=True)
        return cls(capability=capability, part=part, places=places)

    def check(self, command: Command) -> None:
        """Raise NotDone where an input is not what was declared."""
        declared = {i.name: i for i in self.capability.inputs}
        if set(command.inputs) != set(declared):
            found, expected = (_short(", ".join(sorted(map(text, n)))) or "nothing" for n in (command.inputs, declared))
            raise NotDone(f"{self.capability.name} was given {found}; it takes {expected}")
        for name, one in declared.items():
            value: object = command.inputs[name]
            known = {(type(level), level) for level in one.levels or ()}
            if not isinstance(value, str | int | float) or (type(value), value) not in known:
                levels = _short(", ".join(map(str, one.levels or ())))
                raise NotDone(f"{name}: found {_short(text(value))}, expected one of {levels}")

    def plan(self, command: Command, believed: Mapping[str, Belief]) -> Plan:
        """Return the steps of a command by what is believed now; what cannot be done raises NotDone."""
        if held := believed.get(GRIPPER):
            raise NotDone(f"{held} is in the gripper already")
        source, target = self._source(command, believed), self._target(command, believed)
        thing = self.places.at(source, believed)
        if thing is None:
            raise NotDone(f"nothing is believed to be at {source}")
        if (there := self.places.at(target, believed)) is not None:
            raise NotDone(f"{there} is at {target}, where {thing} was to be brought")
        steps = tuple(Step(phase=p, thing=thing, place=source if p in AT_SOURCE else target) for p in Phase)
        told = {Tells.PLACE: target, Tells.SOURCE: source, Tells.THING: thing}
        values = {name: Measurement(value=told[one]) for name, one in self.part.outputs.items()}
        return Plan(steps=steps, result=Observation(values=values))

    def _source(self, command: Command, believed: Mapping[str, Belief]) -> str:
        where = self.part.source
        if not isinstance(where, FirstPart):
            return self._place(where, command)
        for place in where.first_of:
            if self.places.at(place, believed) is not None:
                return place
        raise NotDone(f"nothing is believed to be at {', '.join(where.first_of)}")

    def _target(self, command: Command, believed: Mapping[str, Belief]) -> str:
        where = self.part.target
        if not isinstance(where, FirstPart):
            return self._place(where, command)
        for place in where.first_of:
            if self.places.at(place, believed) is None:
                return place
        raise NotDone(f"no place of {', '.join(where.first_of)} is believed to be empty")

    def _place(self, where: str | PlacePart, command: Command) -> str:
        choices = _choices(self.capability.name, where, self.places)
        return choices[command.inputs[where.input]] if isinstance(where, PlacePart) else where


def _choices(place: str, where: str | PlacePart | FirstPart, places: Places) -> dict[Value, str]:
    """Return the places that an end can be, by the words for them; what is none raises InvalidInput."""
    match where:
        case str():
            found: dict[Value, str] = {where: where}
        case FirstPart():
            found = {name: name for name in where.first_of}
        case PlacePart():
            found = dict(where.places or {name: name for name in places.names})
    if strange := [name for name in found.values() if name not in places.names]:
        raise InvalidInput(f"{place}: there is no place {strange[0]!r}. It has: {', '.join(places.names)}.")
    return found


def _short(found: str) -> str:
    return found if len(found) <= SHORT else f"{found[: SHORT - 3]}..."
