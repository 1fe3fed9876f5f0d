"""What a person asks of a table, and which part each column plays in the answer."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from labwright.campaigns.spreadsheet.sheet import Sheet
from labwright.core.errors import InvalidInput
from labwright.core.heading import Heading, in_unit_of, number_in, quantity_in
from labwright.core.problem import Goal, Objective, OutcomeConstraint

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Question:
    """The options as they are written: `maximize:yield`, `temp=20:80`, `solvent=A,B,C`, `purity=95`."""

    goals: tuple[str, ...]
    at_least: tuple[str, ...] = ()
    at_most: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The same, bound to the columns of one table; keys are the headings' names."""

    objectives: tuple[Objective, ...]
    constraints: tuple[OutcomeConstraint, ...]
    ranges: Mapping[str, tuple[float, float]]
    levels: Mapping[str, tuple[str, ...]]
    ignored: frozenset[str]

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The columns that hold results."""
        return tuple(dict.fromkeys([o.name for o in self.objectives] + [c.name for c in self.constraints]))

    @property
    def blank(self) -> tuple[str, ...]:
        """The columns that a suggestion leaves empty: results and ignored ones."""
        return (*self.outcomes, *sorted(self.ignored))


def read_roles(question: Question, sheet: Sheet) -> Roles:
    """Find every column that the question names; one column plays one part."""
    if not question.goals:
        raise InvalidInput("Say what is wanted: --goal maximize:COLUMN, minimize:COLUMN or match:COLUMN=TARGET.")
    roles = Roles(
        objectives=tuple(_objective(text, sheet) for text in question.goals),
        constraints=_constraints(question, sheet),
        ranges=_by_column("--range", question.ranges, sheet, _range),
        levels=_by_column("--levels", question.levels, sheet, _levels),
        ignored=frozenset(sheet.find(name, "--ignore").name for name in question.ignored),
    )
    _check_apart(roles)
    return roles


def _check_apart(roles: Roles) -> None:
    goals = [o.name for o in roles.objectives]
    twice = [name for name in goals if goals.count(name) > 1]
    if twice:
        raise InvalidInput(f"--goal: the column {twice[0]!r} is named twice.")
    parts = {"a result": set(roles.outcomes), "--range": set(roles.ranges), "--levels": set(roles.levels)}
    parts["--ignore"] = set(roles.ignored)
    taken: dict[str, str] = {}
    for part, names in parts.items():
        for name in sorted(names):
            if name in taken:
                raise InvalidInput(f"The column {name!r} cannot be both {taken[name]} and {part}. Leave one out.")
            taken[name] = part


def _objective(text: str, sheet: Sheet) -> Objective:
    wish, _, name = text.partition(":")
    if wish not in set(Goal) or not name.strip():
        raise InvalidInput(f"--goal {text}: expected maximize:COLUMN, minimize:COLUMN or match:COLUMN=TARGET.")
    if wish != Goal.MATCH:
        heading = sheet.find(name.strip(), f"--goal {text}")
        return Objective(name=heading.name, goal=Goal(wish), unit=heading.unit)
    heading, target = _bind("--goal", name, sheet)
    value = number_in(target, heading, f"--goal {text}")
    return Objective(name=heading.name, goal=Goal.MATCH, unit=heading.unit, target=value)


def _constraints(question: Question, sheet: Sheet) -> tuple[OutcomeConstraint, ...]:
    lows = _by_column("--at-least", question.at_least, sheet, number_in)
    highs = _by_column("--at-most", question.at_most, sheet, number_in)
    return tuple(
        OutcomeConstraint(
            name=name,
            low=lows.get(name, -math.inf),
            high=highs.get(name, math.inf),
            unit=sheet.find(name, "").unit,
        )
        for name in dict.fromkeys([*lows, *highs])
    )


def _by_column(option: str, texts: Sequence[str], sheet: Sheet, read: Callable[[str, Heading, str], T]) -> dict[str, T]:
    found: dict[str, T] = {}
    for text in texts:
        heading, value = _bind(option, text, sheet)
        if heading.name in found:
            raise InvalidInput(f"{option} {text}: the column {heading.name!r} has been given already.")
        found[heading.name] = read(value, heading, f"{option} {text}")
    return found


def _bind(option: str, text: str, sheet: Sheet) -> tuple[Heading, str]:
    name, mark, value = text.rpartition("=")
    if not mark or not value.strip():
        raise InvalidInput(f"{option} {text}: expected COLUMN=..., such as {EXAMPLES[option]}.")
    return sheet.find(" ".join(name.split()), f"{option} {text}"), value.strip()


EXAMPLES = {
    "--goal": "match:ph=7",
    "--range": "temp=20:80",
    "--levels": "solvent=A,B,C",
    "--at-least": "purity=95",
    "--at-most": "cost=10",
}


def _range(text: str, heading: Heading, place: str) -> tuple[float, float]:
    low, mark, high = (part.strip() for part in text.partition(":"))
    if not mark:
        raise InvalidInput(f"{place}: expected COLUMN=LOW:HIGH, such as temp=20:80, with decimal points.")
    (first, first_unit), (last, unit) = quantity_in(low, heading, place), quantity_in(high, heading, place)
    start = in_unit_of(heading, first, first_unit or unit, place)
    end = in_unit_of(heading, last, unit, place)
    if not (math.isfinite(start) and math.isfinite(end) and start < end):
        raise InvalidInput(f"{place}: low and high must be finite numbers, and low below high.")
    return float(f"{start:.12g}"), float(f"{end:.12g}")


def _levels(text: str, heading: Heading, place: str) -> tuple[str, ...]:
    levels = tuple(level.strip() for level in text.split(","))
    if not all(levels) or len(set(levels)) != len(levels):
        raise InvalidInput(f"{place}: expected levels with commas between them, each once, such as solvent=A,B,C.")
    for level in levels:
        if _is_odd_number(level):
            raise InvalidInput(f"{place}: found {level!r}, expected words or finite numbers, such as 10 or 2.5.")
    return levels


def _is_odd_number(level: str) -> bool:
    """Whether it is a number to a program but not to a person: `nan`, `inf`, `1e999` and `1_0`."""
    try:
        return not math.isfinite(float(level)) or "_" in level
    except ValueError:
        return False
