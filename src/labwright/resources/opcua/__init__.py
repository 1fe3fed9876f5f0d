"""Instruments behind an OPC UA server."""

from labwright.resources.opcua.resource import OpcUaResource

__all__ = ["OpcUaResource"]
