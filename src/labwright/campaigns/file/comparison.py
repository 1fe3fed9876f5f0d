"""A comparison such as `$mass > 0.5 g`: what must hold for a step to be done, or for people to be asked."""

import re
from collections.abc import Set

from labwright.core.errors import InvalidInput
from labwright.core.procedure import Condition, Constant
from labwright.core.space import Categorical, Ordinal, Space
from labwright.core.units import parse_quantity
from labwright.core.values import is_number

_COMPARISON = re.compile(r"\s*\$([A-Za-z_]\w*)\s*(<=|>=|==|!=|<|>)\s*([^=].*?)\s*", re.DOTALL)


def read_comparison(text: str, words: Set[str]) -> Condition:
    """Read a comparison; `words` are the names whose values are words, even where one looks like a number."""
    found = _COMPARISON.fullmatch(text)
    if found is None or found[3].startswith("$"):
        raise InvalidInput(
            f"found {text!r}; a name, a sign and a value were expected, such as '$mass > 0.5 g' "
            "(signs: < <= > >= == !=; a value is a number with its unit, or a word)."
        )
    value = found[3].strip("'\"")
    constant = Constant(value=value) if found[1] in words else read_constant(text, value)
    if found[2] not in ("==", "!=") and not is_number(constant.value):
        raise InvalidInput(f"found {text!r}; words are compared by == or != only.")
    return Condition(name=found[1], sign=found[2], against=constant)


def read_constant(name: str, value: float | str) -> Constant:
    """Read a number, a number with its unit, or a word."""
    if isinstance(value, str) and re.match(r"^[-+.\d]", value):
        number, unit = parse_quantity(value, name)
        return Constant(value=number, unit=unit)
    return Constant(value=value)


def check_comparable(space: Space, condition: Condition, text: str) -> None:
    """Refuse a comparison of a parameter with what it can never be."""
    parameter, against = space[condition.name], condition.against
    if isinstance(parameter, Categorical | Ordinal):
        if against.value not in parameter.levels:
            raise InvalidInput(f"found {text!r}; {condition.name} is {parameter}: compare it with one of these.")
    elif not is_number(against.value):
        raise InvalidInput(f"found {text!r}; {condition.name} is a number: compare it with one.")
