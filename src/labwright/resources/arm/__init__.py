"""Robot arms that bring things from place to place."""

from labwright.resources.arm.resource import ArmResource

__all__ = ["ArmResource"]
