"""What a person wants and what they may choose, as they write it in Python: words, tuples, lists, or core values."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from labwright.core.errors import InvalidInput
from labwright.core.heading import Heading, check_same_unit, in_unit_of, number_in
from labwright.core.problem import Goal, Objective, OutcomeConstraint
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Parameter
from labwright.core.values import show
from labwright.planning.tables.frame import Frame, number, plain, word
from labwright.planning.tables.warning import warn

Wish: TypeAlias = str | Objective
Bound: TypeAlias = str | OutcomeConstraint
Choice: TypeAlias = Parameter | Iterable[object]

GOAL = re.compile(r"(minimize|maximize|match)\s*[:\s]\s*(.+)", re.IGNORECASE)
BOUND = re.compile(r"(.+?)\s*(>=|<=)\s*(.+)")
CHOICES = 'a range (20, 80) or (20, 80, "degC"), or a list of levels such as ["a", "b"] or [1, 2, 5]'


def heading_of(name: str, frame: Frame, asked_by: str) -> Heading:
    """Return the column of a name; in a table without any row, one that it would have."""
    if not len(frame) and not frame.has(name):
        return Heading(text=name, name=name, index=-1)
    return frame.find(name, asked_by)


def read_objective(wish: Wish, frame: Frame) -> Objective:
    """Read `maximize yield`, `minimize cost` or `match pH = 7`; an Objective stays as it is."""
    if isinstance(wish, Objective):
        check_same_unit(wish.name, wish.unit, heading_of(wish.name, frame, f"objective {wish.name!r}"))
        return wish
    if not isinstance(wish, str):
        raise InvalidInput(f"objective: found {wish!r}, expected words such as 'maximize yield', or an Objective.")
    place, found = f"objective {wish!r}", GOAL.fullmatch(wish.strip())
    if found is None:
        raise InvalidInput(f"{place}: expected 'maximize COLUMN', 'minimize COLUMN' or 'match COLUMN = TARGET'.")
    goal, name = Goal(found[1].lower()), found[2].strip()
    if goal is not Goal.MATCH:
        return Objective(name=name, goal=goal, unit=heading_of(name, frame, place).unit)
    name, mark, target = (part.strip() for part in name.rpartition("="))
    if not mark or not name or not target:
        raise InvalidInput(f"{place}: expected 'match COLUMN = TARGET', such as 'match pH = 7'.")
    heading = heading_of(name, frame, place)
    return Objective(name=name, goal=goal, unit=heading.unit, target=number_in(target, heading, place))


def read_constraints(bounds: Sequence[Bound], frame: Frame) -> tuple[OutcomeConstraint, ...]:
    """Read `purity >= 95` and `cost <= 10`; two of one column become one."""
    found: dict[str, OutcomeConstraint] = {}
    for bound in bounds:
        if not isinstance(bound, str | OutcomeConstraint):
            raise InvalidInput(f"constraints: found {bound!r}, expected words such as 'purity >= 95'.")
        one = bound if isinstance(bound, OutcomeConstraint) else _bound(bound, frame)
        check_same_unit(one.name, one.unit, heading_of(one.name, frame, f"constraint {str(one)!r}"))
        other = found.get(one.name, one)
        found[one.name] = replace(one, low=max(one.low, other.low), high=min(one.high, other.high))
    return tuple(found.values())


def _bound(text: str, frame: Frame) -> OutcomeConstraint:
    place, found = f"constraint {text!r}", BOUND.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(f"{place}: expected 'COLUMN >= LEAST' or 'COLUMN <= MOST', such as 'purity >= 95'.")
    heading = heading_of(found[1], frame, place)
    value = number_in(found[3], heading, place)
    low, high = (value, math.inf) if found[2] == ">=" else (-math.inf, value)
    return OutcomeConstraint(name=found[1], low=low, high=high, unit=heading.unit)


def read_parameters(space: Mapping[str, Choice], frame: Frame) -> tuple[Parameter, ...]:
    """Read what may be chosen of each column; a range in another unit is converted to that of the column."""
    return tuple(_parameter(name, choice, frame) for name, choice in space.items())


def _parameter(name: str, choice: Choice, frame: Frame) -> Parameter:
    place = f"space[{name!r}]"
    heading = heading_of(name, frame, place)
    if isinstance(choice, Continuous | Discrete | Ordinal | Categorical):
        if choice.name != name:
            raise InvalidInput(f"{place} is a parameter named {choice.name!r}. Give it the same name.")
        check_same_unit(name, choice.unit, heading)
        return choice
    if isinstance(choice, tuple) and len(choice) in (2, 3) and not isinstance(choice[0], str | bool):
        return _range(name, choice, heading)
    if isinstance(choice, str | Mapping) or not isinstance(choice, Iterable):
        raise InvalidInput(f"{place}: found {choice!r}, expected {CHOICES}.")
    levels = sorted(choice, key=str) if isinstance(choice, set | frozenset) else list(choice)
    return _levels(name, levels, heading, frame)


def _range(name: str, choice: tuple[object, ...], heading: Heading) -> Continuous:
    place = f"space[{name!r}]"
    unit = choice[2] if len(choice) == 3 else None
    if unit is not None and not isinstance(unit, str):
        raise InvalidInput(f"{place}: found {choice!r}, expected {CHOICES}. A tuple is a range, a list holds levels.")
    ends = [number(end, place, f"Expected {CHOICES}.") for end in choice[:2]]
    if None in ends:
        raise InvalidInput(f"{place}: found {choice!r}, expected {CHOICES}.")
    low, high = (float(end) for end in ends if end is not None)
    if heading.index >= 0 and unit is not None and heading.unit is not None:
        low, high = (float(f"{in_unit_of(heading, end, unit, place):.12g}") for end in (low, high))
        unit = heading.unit
    return Continuous(name=name, low=low, high=high, unit=unit or heading.unit)


def _levels(name: str, choice: Sequence[object], heading: Heading, frame: Frame) -> Discrete | Categorical:
    place = f"space[{name!r}]"
    levels = [plain(level, place) for level in choice]
    if any(level is None for level in levels):
        raise InvalidInput(f"{place}: one of the levels {choice} is empty. Take it out.")
    if any(isinstance(level, str | bool) for level in levels):
        return Categorical(name=name, levels=tuple(str(word(level, place)) for level in levels))
    found = Discrete(name=name, values=tuple(sorted({float(level or 0) for level in levels})), unit=heading.unit)
    _warn_of_range(found, heading, frame)
    return found


def _warn_of_range(levels: Discrete, heading: Heading, frame: Frame) -> None:
    """Warn where two levels look like the ends of a range: the table has values between them."""
    if len(levels.values) != 2 or heading.index < 0:
        return
    low, high = levels.values
    cells = (number(c, frame.place(i, heading), "") for i, c in enumerate(frame.column(heading)))
    if any(cell is not None and low < cell < high for cell in cells):
        said = f"space[{levels.name!r}]: only {show(low)} and {show(high)} may be chosen, though the table has values "
        warn(f"{said}between them. A range is written ({show(low)}, {show(high)}).")
