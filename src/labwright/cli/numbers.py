"""Whole numbers and days on the command line, as people write them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from datetime import date


def whole(least: int) -> Callable[[str | int], int]:
    """Return what reads a whole number from `least` on. Python takes 1_0 for 10; here it is refused."""

    def read(text: str | int) -> int:
        written = str(text).strip()
        if not written.removeprefix("-").isdecimal():
            hint = "; it has no '_'" if "_" in written else ""
            raise typer.BadParameter(f"found {written!r}, expected a whole number{hint}.")
        if int(written) < least:
            raise typer.BadParameter(f"found {written}, expected {least} or more.")
        return int(written)

    return read


def last_day(text: str | None, option: str) -> "date | None":
    """Return the day that an option names, if any; what is no date raises InvalidInput."""
    from datetime import date

    from labwright.core.errors import InvalidInput

    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{option} is {text!r}; a date such as 2027-01-01 was expected.") from None
