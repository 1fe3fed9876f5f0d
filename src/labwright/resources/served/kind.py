"""What a server says of one value, and whether one that is to be sent is such a value."""

import contextlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labwright.core.values import Json, Value, is_number, unstorable
from labwright.resources.stranger import text

WHOLE = 2**63
LONGEST_WORD = 2**20
LONGEST_SHOWN = 60


class Unfit(Exception):
    """A value that cannot be sent, and why; nothing was sent."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A plain value: a `number`, an `integer`, a `boolean` (0 or 1 here), a `string`, or `any` of these."""

    name: str
    low: float | None = None
    high: float | None = None
    levels: tuple[Value, ...] | None = None
    shortest: int = 0
    longest: int = LONGEST_WORD
    pattern: str | None = None

    @property
    def is_numeric(self) -> bool:
        """Whether limits and a unit may be declared."""
        return self.name in ("number", "integer", "any")

    @property
    def words(self) -> str:
        """Say what is expected."""
        return {
            "number": "a number",
            "integer": "a whole number",
            "boolean": "0 or 1",
            "string": "a word",
            "any": "a number or a word",
        }[self.name]

    def checked(self, name: str, value: object) -> Json:
        """Return a value as it is sent; one that is not of this kind, or beyond its limits, raises Unfit."""
        if isinstance(value, str) and self.name in ("string", "any"):
            return self._word(name, value)
        if self.name == "string" or not is_number(value):
            raise Unfit(f"{name}: found {_short(value)}, expected {self.words}")
        assert isinstance(value, int | float)
        return self._number(name, value)

    def _number(self, name: str, value: float | int) -> Json:
        if not abs(value) < (WHOLE if isinstance(value, int) else math.inf):  # NaN is not below anything
            raise Unfit(f"{name}: found {_short(value)}, which cannot be sent")
        if self.name in ("integer", "boolean") and (value != int(value) or abs(value) >= WHOLE):
            raise Unfit(f"{name}: found {_short(value)}, expected {self.words}")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise Unfit(f"{name} = {_short(value)} is not within {span(self.low, self.high)}")
        if self.levels is not None and value not in self.levels:
            raise Unfit(f"{name} = {_short(value)} is none of {', '.join(map(repr, self.levels))}")
        if self.name == "boolean":
            return bool(value)
        return int(value) if self.name == "integer" else value

    def _word(self, name: str, value: str) -> str:
        if problem := unstorable(value):
            raise Unfit(f"{name}: found {_short(value)}, which holds {problem}")
        if not self.shortest <= len(value) <= self.longest:
            raise Unfit(f"{name} has {len(value)} characters; {self.shortest} to {self.longest} are allowed")
        if self.levels is not None and value not in self.levels:
            raise Unfit(f"{name} = {_short(value)} is none of {', '.join(map(repr, self.levels))}")
        with contextlib.suppress(re.error):  # JSON Schema has patterns that Python cannot read: the server judges
            if self.pattern is not None and not re.search(self.pattern, value):
                raise Unfit(f"{name} = {_short(value)} is not of the form {self.pattern}")
        return value


def of_schema(schema: object, root: Mapping[str, Any]) -> Kind | None:
    """Return what a JSON Schema says of a value; None where that is not a plain one, or may be null."""
    found = resolved(schema, root)
    if "enum" in found or "const" in found:
        return _of_levels(found.get("enum", [found.get("const")]))
    name = found.get("type")
    if name not in ("number", "integer", "boolean", "string"):
        return None
    if name == "boolean":
        return Kind(name=name, levels=(0, 1))
    if name == "string":
        shortest, longest = found.get("minLength", 0), found.get("maxLength", LONGEST_WORD)
        return Kind(name=name, shortest=shortest, longest=longest, pattern=found.get("pattern"))
    whole = name == "integer"
    lows = [found.get("minimum"), _beside(found.get("exclusiveMinimum"), math.inf, whole)]
    highs = [found.get("maximum"), _beside(found.get("exclusiveMaximum"), -math.inf, whole)]
    return Kind(name=name, low=max(_numbers(lows), default=None), high=min(_numbers(highs), default=None))


def resolved(schema: object, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema with a reference into `root` followed, and without the null of an optional value."""
    found = schema if isinstance(schema, Mapping) else {}
    for _ in range(20):  # a reference to itself says nothing
        reference, parts = found.get("$ref"), found.get("anyOf", found.get("allOf"))
        if isinstance(reference, str) and reference.startswith("#/"):
            target: Any = root
            for key in reference[2:].split("/"):
                target = target.get(key, {}) if isinstance(target, Mapping) else {}
            found = target if isinstance(target, Mapping) else {}
            continue
        said = [p for p in parts if p != {"type": "null"}] if isinstance(parts, list) else []
        if len(said) != 1 or not isinstance(said[0], Mapping):
            break
        found = said[0]
    return found


def span(low: float | None, high: float | None) -> str:
    """Write a range for people."""
    return f"{'any' if low is None else f'{low:g}'} to {'any' if high is None else f'{high:g}'}"


def _of_levels(levels: object) -> Kind | None:
    if not isinstance(levels, list) or not levels:
        return None
    if all(isinstance(level, str) for level in levels):
        return Kind(name="string", levels=tuple(levels))
    if all(is_number(level) for level in levels):
        whole = all(isinstance(level, int) for level in levels)
        return Kind(name="integer" if whole else "number", levels=tuple(levels))
    return None


def _beside(bound: object, towards: float, whole: bool) -> float | None:
    """Return the next number inside an exclusive bound."""
    if not is_number(bound):
        return None
    assert isinstance(bound, int | float)
    if whole:
        return math.floor(bound) + 1 if towards > 0 else math.ceil(bound) - 1
    return math.nextafter(bound, towards)


def _numbers(found: list[Any]) -> list[float]:
    return [x for x in found if is_number(x)]


def _short(value: object) -> str:
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a number of more than 30 digits"
    shown = text(value)
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[: LONGEST_SHOWN - 3]}..."
