"""Liquid handlers by way of PyLabRobot."""

from labwright.resources.pylabrobot.resource import LiquidHandlerResource

__all__ = ["LiquidHandlerResource"]
