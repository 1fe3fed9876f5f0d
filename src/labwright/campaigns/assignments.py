"""Values as a person assigns them on the command line: `x=1.5`, `t=25 degC`, `solvent=water`."""

import difflib
import math
from collections.abc import Mapping, Sequence

from labwright.core.campaign import Campaign
from labwright.core.errors import InvalidInput
from labwright.core.space import Discrete, Parameter
from labwright.core.units import convert, parse_quantity
from labwright.core.values import Value, show

DIGITS = 12  # a converted number keeps so many: 77 degF are 25 degC


def point_of(campaign: Campaign, texts: Sequence[str]) -> dict[str, Value]:
    """Return the point that some texts assign, in the campaign's units; all problems together raise InvalidInput."""
    space = campaign.problem.space
    assigned, wrong = _split(texts, space.names, "parameter")
    point: dict[str, Value] = {}
    for name, text in assigned.items():
        try:
            point[name] = value_of(space[name], text)
        except InvalidInput as error:
            wrong.append(str(error))
    missing = [f"{name} is not set; it may be {space[name]}." for name in space.names if name not in assigned]
    broken = [] if wrong or missing else [f"{problem}." for problem in space.problems(point)]
    raise_all(f"The point for {campaign.name}", wrong + missing + broken, "nothing was added")
    return {name: point[name] for name in space.names}


def value_of(parameter: Parameter, text: str) -> Value:
    """Return a value that may be chosen, in the parameter's unit; anything else raises InvalidInput."""
    if hasattr(parameter, "levels"):
        value: Value = text.strip()
    else:
        value = number_of(text, parameter.unit, parameter.name)
    if not parameter.allows(value):
        raise InvalidInput(f"{parameter.name} = {show(value)} is not {parameter}.")
    return listed(parameter, value)


def listed(parameter: Parameter, value: Value) -> Value:
    """Return the value itself; of a discrete parameter, the listed one that is meant."""
    if not isinstance(parameter, Discrete):
        return value
    return min(parameter.values, key=lambda v: abs(v - float(value)))


def outcomes_of(campaign: Campaign, texts: Sequence[str]) -> dict[str, float]:
    """Return the outcomes that some texts assign, in the campaign's units; all problems raise InvalidInput."""
    assigned, wrong = _split(texts, tuple(_outcome_units(campaign)), "outcome")
    outcomes: dict[str, float] = {}
    for name, text in assigned.items():
        try:
            outcomes[name] = number_of(text, _outcome_units(campaign)[name], name)
        except InvalidInput as error:
            wrong.append(str(error))
    if not texts:
        wrong.append(f"give at least one outcome, such as --set {campaign.problem.objective.name}=1.5.")
    raise_all(f"The correction for {campaign.name}", wrong, "nothing was written")
    return outcomes


def _outcome_units(campaign: Campaign) -> Mapping[str, str | None]:
    """Return everything that a trial can give, with the unit that the campaign declares for it."""
    given = {name: None for step in campaign.procedure for name in step.gives}
    return {**given, **campaign.units}


def number_of(text: str, unit: str | None, name: str) -> float:
    """Return a finite number in a unit; one written without a unit is taken to be in it."""
    value, found = parse_quantity(text, name)
    if not math.isfinite(value):
        raise InvalidInput(f"{name}: found {text!r}, expected a finite number.")
    if found is None:
        return value
    if unit is None:
        raise InvalidInput(f"{name}: found {text!r}, but the campaign declares no unit for it. Give the number alone.")
    return rounded(convert(value, found, unit, name)) if found != unit else value


def rounded(value: float) -> float:
    """Return a converted number without the dust that converting leaves."""
    return float(f"{value:.{DIGITS}g}")


def _split(texts: Sequence[str], names: Sequence[str], what: str) -> tuple[dict[str, str], list[str]]:
    """Return the text assigned to each known name, and what is wrong with the others."""
    assigned: dict[str, str] = {}
    wrong = []
    for text in texts:
        name, mark, value = (part.strip() for part in text.partition("="))
        if not mark or not name or not value:
            wrong.append(f"found {text!r}, expected NAME=VALUE, such as {names[0]}=1.5.")
        elif name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" There are {', '.join(names)}."
            wrong.append(f"{name!r} is no {what}.{hint}")
        elif name in assigned:
            wrong.append(f"{name} is set twice.")
        else:
            assigned[name] = value
    return assigned, wrong


def raise_all(what: str, wrong: Sequence[str], done: str) -> None:
    """Raise InvalidInput with every problem on a line of its own, if there is any."""
    if wrong:
        count = "1 problem" if len(wrong) == 1 else f"{len(wrong)} problems"
        lines = "\n".join(f"  {problem}" for problem in wrong)
        raise InvalidInput(f"{what} has {count}; {done}.\n{lines}")
