"""Plans of bluesky, run over a beamline's devices."""

from labwright.resources.bluesky.resource import BlueskyResource

__all__ = ["BlueskyResource"]
