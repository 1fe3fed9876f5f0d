"""Instruments behind a blueapi server."""

from labwright.resources.blueapi.resource import BlueapiResource

__all__ = ["BlueapiResource"]
