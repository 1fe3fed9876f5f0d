"""Instruments behind EPICS IOCs."""

from labwright.resources.epics.resource import EpicsResource

__all__ = ["EpicsResource"]
