"""Inequalities as people write them: a sum of names held against a number, such as `2*temp + 3*time <= 500`."""

import re

from labwright.core.errors import InvalidInput
from labwright.core.restriction import LinearConstraint

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NAME = r"[A-Za-z_]\w*"
_TERM = re.compile(
    rf"\s*(?P<sign>[-+]?)\s*(?:(?P<alone>{_NUMBER})|(?P<before>{_NUMBER})\s*\*?\s*\$?(?P<many>{_NAME})"
    rf"|\$?(?P<part>{_NAME})\s*(?P<by>[*/])\s*(?P<after>{_NUMBER})|\$?(?P<one>{_NAME}))\s*(?=[-+]|$)"
)
_EXPECTED = (
    "a sum of {names} held against a number was expected, such as '2*temp + 3*time <= 500' or "
    "'1 <= base / 2 + acid <= 5' (signs: <= and >=){otherwise}"
)


def read_inequality(text: str, names: str = "names", otherwise: str = "") -> LinearConstraint:
    """Read a linear inequality; nothing in it is run. `names` and `otherwise` say what else was expected of it."""
    expected = _EXPECTED.format(names=names, otherwise=otherwise)
    if re.search(r"[<>]=?[^<>=]*[<>]=?[^<>=]*[<>]", text) or not re.search("[<>=]", text):
        raise InvalidInput(f"found {text!r}; {expected}.")
    signs = re.findall(r"[<>=!]+", text)
    if any(sign not in ("<=", ">=") for sign in signs):
        raise InvalidInput(
            f"found {text!r}; only <= and >= can be kept by numbers that are rounded. For parts that sum to a total "
            "take a composition; for an equality between others give a band, such as '4.9 <= a - b <= 5.1'."
        )
    sides = [_sum(side, text, expected) for side in re.split("[<>]=", text)]
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


def _sum(side: str, text: str, expected: str) -> _Sum:
    """Read a sum: the factor of each name, and the number that stands alone."""
    terms: dict[str, float] = {}
    constant, place = 0.0, 0
    while place < len(side) or not place:
        found = _TERM.match(side, place)
        if found is None or (place and not found["sign"]):
            raise InvalidInput(f"found {side.strip() or text!r}; {expected}.")
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
