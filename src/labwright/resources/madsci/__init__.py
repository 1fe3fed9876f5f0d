"""Instruments behind a MADSci node."""

from labwright.resources.madsci.resource import MadsciResource

__all__ = ["MadsciResource"]
