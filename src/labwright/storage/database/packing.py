"""How plain values are written in a row, as canonical JSON, and read back equal."""

import json
import math
from collections.abc import Mapping
from typing import Any

from labwright.core.values import Json, canonical

NOT_FINITE = ("nan", "inf", "-inf")


def pack(value: Json) -> str:
    """Write a value as canonical JSON; NaN and infinity, which JSON lacks, become {"$float": "nan"}."""
    try:
        return canonical(value)
    except (TypeError, ValueError):  # NaN, infinity, or a mapping that is no dict
        return canonical(_safe(value))


def unpack(text: str) -> Any:
    """Read what `pack` wrote."""
    return json.loads(text, object_hook=_restore)


def _safe(value: Json) -> Json:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, Mapping):
        return {key: _safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(item) for item in value]
    return value


def _restore(found: dict[str, Any]) -> Any:
    return float(found["$float"]) if found.get("$float") in NOT_FINITE and len(found) == 1 else found
