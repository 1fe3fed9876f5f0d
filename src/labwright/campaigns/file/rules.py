"""The rules of a campaign file: sums such as `2*temp + 3*time <= 500`, and functions of the point."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labwright.campaigns.file.problems import Problems
from labwright.core.errors import InvalidInput
from labwright.core.restriction import LinearConstraint, Rule
from labwright.core.space import Space
from labwright.core.values import Point
from labwright.resources.function import load_function

_CALL = re.compile(r"[^\s<>=*+]+:[A-Za-z_]\w*")
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NAME = r"[A-Za-z_]\w*"
_TERM = re.compile(
    rf"\s*(?P<sign>[-+]?)\s*(?:(?P<alone>{_NUMBER})|(?P<before>{_NUMBER})\s*\*?\s*\$?(?P<many>{_NAME})"
    rf"|\$?(?P<part>{_NAME})\s*(?P<by>[*/])\s*(?P<after>{_NUMBER})|\$?(?P<one>{_NAME}))\s*(?=[-+]|$)"
)
_EXPECTED = (
    "a sum of parameters held against a number was expected, such as '2*temp + 3*time <= 500' or "
    "'1 <= base / 2 + acid <= 5' (signs: <= and >=), or a function of the point as 'rules.py:allowed'"
)


def read_rule(text: str, folder: Path) -> LinearConstraint | Rule:
    """Read one rule; functions are looked for in the folder, when they are first asked."""
    if _CALL.fullmatch(text.strip()):
        return Rule(name=text.strip(), holds=_Found(call=text.strip(), folder=folder))
    if re.search(r"[<>]=?[^<>=]*[<>]=?[^<>=]*[<>]", text) or not re.search("[<>=]", text):
        raise InvalidInput(f"found {text!r}; {_EXPECTED}.")
    signs = re.findall(r"[<>=!]+", text)
    if any(sign not in ("<=", ">=") for sign in signs):
        raise InvalidInput(
            f"found {text!r}; only <= and >= can be kept by numbers that are rounded. For parts that sum to a total "
            "take a composition; for an equality between others give a band, such as '4.9 <= a - b <= 5.1'."
        )
    sides = [_sum(side, text) for side in re.split("[<>]=", text)]
    if len(sides) == 2:
        # As it is written, so that it is said again in these words; the names to the left.
        (left, right), is_most = (sides, signs[0] == "<=") if sides[0][0] else (sides[::-1], signs[0] == ">=")
        terms, constant = _difference(left, right)
        return LinearConstraint(coefficients=terms, **{"high" if is_most else "low": -constant})
    low, middle, high = sides if signs[0] == "<=" else sides[::-1]
    if signs[0] != signs[1] or low[0] or high[0]:
        raise InvalidInput(f"found {text!r}; with two signs a number stands at either end: '1 <= a + b <= 5'.")
    return LinearConstraint(coefficients=middle[0], low=low[1] - middle[1], high=high[1] - middle[1])


_Sum = tuple[dict[str, float], float]


def _sum(side: str, text: str) -> _Sum:
    """Read a sum: the factor of each name, and the number that stands alone."""
    terms: dict[str, float] = {}
    constant, place = 0.0, 0
    while place < len(side) or not place:
        found = _TERM.match(side, place)
        if found is None or (place and not found["sign"]):
            raise InvalidInput(f"found {side.strip() or text!r}; {_EXPECTED}.")
        place, sign = found.end(), -1.0 if found["sign"] == "-" else 1.0
        name = found["many"] or found["part"] or found["one"]
        if name is None:
            constant += sign * float(found["alone"])
            continue
        terms[name] = terms.get(name, 0.0) + sign * _factor(found, text)
    return terms, constant


def _factor(term: re.Match[str], text: str) -> float:
    if term["before"]:
        return float(term["before"])
    number = float(term["after"] or 1.0)
    if term["by"] == "/" and not number:
        raise InvalidInput(f"found {text!r}; nothing can be divided by 0.")
    return 1 / number if term["by"] == "/" else number


def _difference(left: _Sum, right: _Sum) -> _Sum:
    names = dict.fromkeys([*left[0], *right[0]])
    return {n: left[0].get(n, 0.0) - right[0].get(n, 0.0) for n in names}, left[1] - right[1]


@dataclass(kw_only=True)
class _Found:
    """A function of a point that is imported when it is first called."""

    call: str
    folder: Path
    _function: Callable[[Point], Any] | None = field(default=None, repr=False, compare=False)

    def load(self) -> Callable[[Point], Any]:
        """Import it; what is not there raises InvalidInput."""
        if self._function is None:
            self._function = load_function(self.call, self.folder)
        return self._function

    def __call__(self, point: Point) -> bool:
        answer = self.load()(point)
        if not isinstance(answer, bool) and type(answer).__name__ not in ("bool", "bool_"):
            raise InvalidInput(f"it answered {answer!r}; True or False was expected")
        return bool(answer)


def check_rules(space: Space, problems: Problems) -> None:
    """Import every function that a rule names; what is not there goes to `problems`."""
    for i, rule in enumerate(space.constraints):
        if isinstance(rule, Rule) and isinstance(rule.holds, _Found):
            problems.attempt(("rules", i), rule.holds.load)
