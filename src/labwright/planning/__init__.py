"""What to try next."""

from labwright.planning.tables.suggestion import suggest

__all__ = ["suggest"]
