"""Warnings at the line of the program that asked."""

import sys
import warnings

PACKAGE = __name__.partition(".")[0]


def warn(said: str) -> None:
    """Warn at the nearest line outside this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == PACKAGE:
        frame, level = frame.f_back, level + 1
    warnings.warn(said, stacklevel=level)
