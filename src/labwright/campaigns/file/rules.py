"""The rules of a campaign file: sums such as `2*temp + 3*time <= 500`, and functions of the point."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labwright.campaigns.file.problems import Problems
from labwright.core.errors import InvalidInput
from labwright.core.inequality import read_inequality
from labwright.core.restriction import LinearConstraint, Rule
from labwright.core.space import Space
from labwright.core.values import Point
from labwright.resources.function import load_function

_CALL = re.compile(r"[^\s<>=*+]+:[A-Za-z_]\w*")
_OTHERWISE = ", or a function of the point as 'rules.py:allowed'"


def read_rule(text: str, folder: Path) -> LinearConstraint | Rule:
    """Read one rule; functions are looked for in the folder, when they are first asked."""
    if _CALL.fullmatch(text.strip()):
        return Rule(name=text.strip(), holds=_Found(call=text.strip(), folder=folder))
    return read_inequality(text, "parameters", _OTHERWISE)


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
