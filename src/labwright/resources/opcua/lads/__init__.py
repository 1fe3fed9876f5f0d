"""Functional units of laboratory devices that follow LADS, the companion specification OPC 30500-1."""

from labwright.resources.opcua.lads.course import Course, courses

__all__ = ["Course", "courses"]
