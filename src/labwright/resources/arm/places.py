"""Where things are believed to be: at a place, in the gripper, gone, or nobody knows where."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labwright.core.errors import InvalidInput
from labwright.resources.arm.options import ArmOptions
from labwright.resources.memory import Belief

GRIPPER, GONE, UNKNOWN, NONE = "gripper", "gone", "unknown", "none"


@dataclass(frozen=True, kw_only=True)
class Places:
    """The places and the things that are carried between them."""

    names: tuple[str, ...]
    things: Mapping[str, str]

    @classmethod
    def of(cls, options: ArmOptions) -> "Places":
        """Return those that the file names."""
        return cls(names=options.places, things=options.things)

    def declared(self) -> dict[str, Belief]:
        """Return what the file says of places that are used for the first time."""
        return {**self.things, GRIPPER: None}

    def lost(self, believed: Mapping[str, Belief]) -> list[str]:
        """Return the things of which nobody knows where they are."""
        return [thing for thing in self.things if believed.get(thing) in (None, UNKNOWN)]

    def at(self, place: str, believed: Mapping[str, Belief]) -> str | None:
        """Return what is at a place."""
        return next((thing for thing in self.things if believed.get(thing) == place), None)

    def beliefs(self, place: str, said: Mapping[str, str], believed: Mapping[str, Belief]) -> dict[str, Belief]:
        """Read what a person says of things; what cannot be so raises InvalidInput."""
        found: dict[str, Belief] = {}
        for thing, where in said.items():
            if thing == GRIPPER and where == NONE:
                continue
            if thing not in self.things:
                raise InvalidInput(f"{place}: there is no thing {thing!r}. It carries {', '.join(self.things)}.")
            if where not in (*self.names, GONE, UNKNOWN):
                there = ", ".join((*self.names, GONE, UNKNOWN))
                raise InvalidInput(f"{place}: {thing} may be said to be at {there}; found {where!r}.")
            found[thing] = where
        held = [thing for thing in self.things if believed.get(thing) == GRIPPER]
        if GRIPPER in said:
            found |= {thing: UNKNOWN for thing in held if thing not in found}
        if GRIPPER in said or any(thing in found for thing in held):
            found[GRIPPER] = None
        self._check_apart(place, {**believed, **found})
        return found

    def told(self, believed: Mapping[str, Belief]) -> Iterable[str]:
        """Write what is believed for people."""
        yield f"{GRIPPER}: {believed.get(GRIPPER) or 'empty'}"
        for name in self.names:
            if thing := self.at(name, believed):
                yield f"{name}: {thing}"
            else:
                yield f"{name}: {'not known' if self.lost(believed) else 'empty'}"
        yield from (f"{thing}: nobody knows where" for thing in self.lost(believed))
        yield from (f"{thing}: gone" for thing in self.things if believed.get(thing) == GONE)

    def _check_apart(self, place: str, believed: Mapping[str, Belief]) -> None:
        for name in self.names:
            there = [thing for thing in self.things if believed.get(thing) == name]
            if len(there) > 1:
                raise InvalidInput(f"{place}: {' and '.join(there)} would both be at {name}. Say where each is.")
