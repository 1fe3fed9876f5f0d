"""What servers have in common that list their actions, take JSON, and can be asked about each command by an id."""

from labwright.resources.served.resource import ServedResource, Server

__all__ = ["ServedResource", "Server"]
