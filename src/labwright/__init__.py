"""Labwright: software that decides, runs and remembers experiments."""

__version__ = "0.1.0"

__all__ = ["__version__"]
