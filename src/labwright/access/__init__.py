"""People with secrets of their own."""

from labwright.access.authentication import Credential, Register, authenticate
from labwright.access.secret import COST, Cost, check_quality, generate, matches, seal

__all__ = ["COST", "Cost", "Credential", "Register", "authenticate", "check_quality", "generate", "matches", "seal"]
