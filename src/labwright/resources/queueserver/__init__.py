"""Instruments behind a bluesky RE Manager (bluesky-queueserver)."""

from labwright.resources.queueserver.resource import QueueserverResource

__all__ = ["QueueserverResource"]
