"""Named places at which a test may let the process die: before and after each durable effect."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_hook: ContextVar[Callable[[str], None] | None] = ContextVar("crash_hook", default=None)


def crash_point(name: str) -> None:
    """Tell whoever watches that the process is here; outside of tests nobody does."""
    hook = _hook.get()
    if hook is not None:
        hook(name)


@contextmanager
def watched(hook: Callable[[str], None]) -> Iterator[None]:
    """Call the hook at every crash point in this context, and in the tasks that are begun in it."""
    token = _hook.set(hook)
    try:
        yield
    finally:
        _hook.reset(token)
