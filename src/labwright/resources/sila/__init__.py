"""Instruments behind a SiLA 2 server."""

from labwright.resources.sila.resource import SilaResource

__all__ = ["SilaResource"]
