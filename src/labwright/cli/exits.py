"""The exit codes, for scripts."""

from enum import IntEnum

from labwright.core import errors


class Exit(IntEnum):
    """What the process says when it ends."""

    DONE = 0
    BUG = 1
    INVALID = 2
    UNAVAILABLE = 3
    HALTED = 4
    SOME_FAILED = 5
    BROKEN = 6
    STORAGE = 7
    NOT_AUTHORISED = 8
    INTERRUPTED = 130


CODES: tuple[tuple[type[errors.PlatformError], Exit], ...] = (
    (errors.InvalidInput, Exit.INVALID),
    (errors.NotFound, Exit.INVALID),
    (errors.MissingExtra, Exit.INVALID),
    (errors.ResourceUnavailable, Exit.UNAVAILABLE),
    (errors.StorageUnavailable, Exit.STORAGE),
    (errors.NotAuthorised, Exit.NOT_AUTHORISED),
    (errors.LedgerBroken, Exit.BROKEN),
    (errors.PlatformError, Exit.HALTED),
)


def code_of(error: errors.PlatformError) -> Exit:
    """Return the exit code of an error."""
    return next(code for kind, code in CODES if isinstance(error, kind))
