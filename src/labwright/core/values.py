"""Plain values: a point's parameters, and how they are written so that equal values give equal bytes."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from numbers import Real
from typing import TypeAlias

Value: TypeAlias = float | int | str
Point: TypeAlias = Mapping[str, Value]
Json: TypeAlias = "bool | int | float | str | list[Json] | tuple[Json, ...] | Mapping[str, Json] | None"

REFERENCE = re.compile(r"sha256:[0-9a-f]{64}")


def is_number(value: object) -> bool:
    """Say whether a value is a number; True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def finite(value: object) -> float | None:
    """Return a finite number of any kind as a float, numpy's as well; None for everything else."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except (OverflowError, ValueError):
        return None
    return found if math.isfinite(found) else None


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: Json) -> str:
    """Write a value as JSON with sorted keys and no spaces; equal values give equal text.

    Floats are written by `repr`, which reads back to the same bits. NaN and infinity raise ValueError.
    """
    return _ENCODER.encode(value)


def digest(text: str) -> str:
    """Return the sha256 of a text in UTF-8, as 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def storable(text: str) -> str:
    """Return a text with what UTF-8 or a database cannot hold written as escapes: half characters and zero bytes."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def unstorable(text: str) -> str | None:
    """Say what a text holds that UTF-8 or a database cannot: half a character or a zero byte; None where it is fine."""
    if "\0" in text:
        return "a zero byte"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "half a character (a lone surrogate)"
    return None


def show(value: object) -> str:
    """Write a value for a person: numbers with at most six significant digits."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def is_reference(value: object) -> bool:
    """Say whether a value is the reference of a kept file: `sha256:` and 64 hexadecimal digits."""
    return isinstance(value, str) and REFERENCE.fullmatch(value) is not None
