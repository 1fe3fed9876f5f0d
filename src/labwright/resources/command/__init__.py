"""Any program as a resource: JSON in, JSON out, begun once for each command."""

from labwright.resources.command.resource import CommandResource

__all__ = ["CommandResource"]
