"""What a stranger's code returns and raises: an adapter or a function may do anything, and ends its call only."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from labwright.core.values import Value, is_number, storable

T = TypeVar("T")
LONGEST = 500  # characters of what it says


class Misbehaved(Exception):
    """It raised what would have ended more than the call; that is the cause."""


async def guarded(call: Callable[[], Awaitable[T]]) -> T:
    """Await a call; what would end more than that, such as SystemExit, becomes Misbehaved.

    A cancellation goes through where the task was cancelled, and not where the call only says so.
    """
    try:
        return await call()
    except Exception:
        raise
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and is_cancelled():
            raise
        raise Misbehaved from error


def is_cancelled() -> bool:
    """Whether somebody wants the current task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def words(error: BaseException) -> str:
    """Say what was raised, and what it says itself."""
    found = error.__cause__ if isinstance(error, Misbehaved) and error.__cause__ else error
    try:
        said = str(found)
    except Exception:  # even its words are a stranger's code
        said = "it cannot say why"
    return storable(f"{type(found).__name__}: {said}")[:LONGEST]


def text(value: object) -> str:
    """Return what something looks like."""
    try:
        return storable(repr(value))[:LONGEST]
    except Exception:  # even its looks are a stranger's code
        return f"a {type(value).__name__}"


def plain(value: Any) -> Value:
    """Return a number or a word; of anything else its text, which is no number where one is wanted."""
    if type(value) not in (float, int, str) and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float):
        return float(value)
    if is_number(value) and abs(value) <= sys.float_info.max:
        return int(value)
    return storable(value) if isinstance(value, str) else text(value)
