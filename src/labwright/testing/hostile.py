"""Commands that no instrument may act on: what a broken program, or somebody who means harm, would send."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from labwright.core.command import Command
from labwright.core.values import Value, is_number

LONG = "x" * 1_000_000
VALUES: tuple[Any, ...] = (
    float("nan"),
    float("inf"),
    float("-inf"),
    10**400,
    -(10**400),
    1e308,
    -1e308,
    "1e400",
    "NaN",
    "50 furlong",
    "",
    LONG,
    "\x00",
    "'; drop table runs; --",
    True,
    False,
    None,
    b"\xff",
    [1.0],
    {"value": 1.0},
    1 + 2j,
    object(),
)
NAMES: tuple[Any, ...] = ("", LONG, "setpoint", "__class__", "../../dev", None, 7, "x.y", "\n")


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """Makes hostile commands of one that is right: each differs from it in a way that must be refused.

    `known`: the ids of commands that were carried out, which are sent again with other content.
    """

    right: Command
    known: tuple[str, ...] = ()

    def commands(self, count: int, seed: int = 0) -> Iterator[Command]:
        """Yield so many, the same for the same seed."""
        dice = Random(seed)  # noqa: S311
        ways = [self._value, self._value, self._unknown_input, self._missing_input, self._capability, self._id]
        ways += [self._batch, *([self._replayed] if self.known else [])]
        for i in range(count):
            yield dice.choice(ways)(replace(self.right, command_id=f"hostile-{seed}-{i}"), dice)

    def _value(self, command: Command, dice: Random) -> Command:
        name = dice.choice(list(command.inputs))
        return _with(command, {**command.inputs, name: dice.choice(VALUES)})

    def _unknown_input(self, command: Command, dice: Random) -> Command:
        return _with(command, {**command.inputs, dice.choice(NAMES): dice.choice((1.0, *VALUES))})

    def _missing_input(self, command: Command, dice: Random) -> Command:
        gone = dice.choice(list(command.inputs))
        return _with(command, {name: value for name, value in command.inputs.items() if name != gone})

    def _capability(self, command: Command, dice: Random) -> Command:
        return replace(command, capability=dice.choice(NAMES))

    def _id(self, command: Command, dice: Random) -> Command:
        ids: tuple[Any, ...] = ("", LONG, None, 7, "\n", "\x00", b"id", float("nan"))
        return replace(command, command_id=dice.choice(ids))

    def _batch(self, command: Command, dice: Random) -> Command:
        bad = self._value(command, dice).inputs
        members = [command.inputs, bad]
        dice.shuffle(members)
        return replace(command, batch=tuple(members))

    def _replayed(self, command: Command, dice: Random) -> Command:
        name = dice.choice([n for n, value in command.inputs.items() if is_number(value)])
        found = command.inputs[name]
        changed = float(found) * dice.uniform(0.5, 0.99) if is_number(found) else found
        return replace(_with(command, {**command.inputs, name: changed}), command_id=dice.choice(self.known))


def _with(command: Command, inputs: Mapping[Any, Any]) -> Command:
    said: dict[str, Value] = dict(inputs)
    return replace(command, inputs=said)
