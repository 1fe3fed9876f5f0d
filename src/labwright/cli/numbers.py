"""Whole numbers on the command line, as people write them."""

from collections.abc import Callable

import typer


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
