"""What to try next."""

from labwright.planning.suggestion import suggest

__all__ = ["suggest"]
