"""Kills the processes of a laboratory at random moments, and counts what was repeated and what was lost."""

from labwright.testing.kills.audit import Toll, audit
from labwright.testing.kills.bench import Bench, Role
from labwright.testing.kills.siege import besiege

__all__ = ["Bench", "Role", "Toll", "audit", "besiege"]
