"""Something a resource can do: its inputs with units and limits, and its outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labwright.core.values import Value


@dataclass(frozen=True, kw_only=True)
class Input:
    """One thing that is set: a number within limits, or one of `levels`. None: the resource does not say.

    `shared`: trials that are gathered in one run must agree on it (the temperature of a furnace). `file`: it is a file
    that an earlier step gave, by its reference. `shown`: it is only told to people and sets nothing, so it needs no
    limits.
    """

    name: str
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    levels: tuple[Value, ...] | None = None
    required: bool = True
    shared: bool = False
    shown: bool = False
    file: bool = False


@dataclass(frozen=True, kw_only=True)
class Output:
    """One thing that comes back. None: the resource does not say the unit. `file`: it is a kept file's reference."""

    name: str
    unit: str | None = None
    file: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Capability:
    """Something a resource can do.

    `repeatable`: doing it again changes nothing in the world (a simulation, a table). `queryable`: the resource can say
    what became of a command. `fenced`: the device itself refuses a command whose epoch is older than one that it has
    seen or was asked with. `batch`: the most trials that it takes at once. `candidates`: where only certain inputs are
    possible, the columns of a table of them. `beliefs`: the parameters of which it asks people where the best lies.
    """

    name: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    repeatable: bool = False
    queryable: bool = False
    fenced: bool = False
    batch: int = 1
    candidates: Mapping[str, Sequence[Value]] | None = None
    beliefs: tuple[str, ...] = ()

    def input(self, name: str) -> Input | None:
        """Return the input of that name, or None."""
        return next((i for i in self.inputs if i.name == name), None)

    def output(self, name: str) -> Output | None:
        """Return the output of that name, or None."""
        return next((o for o in self.outputs if o.name == name), None)
