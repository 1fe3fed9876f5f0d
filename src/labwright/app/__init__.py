"""The one place that builds and wires objects."""

from labwright.app.app import App, Checked, capabilities_of, planner_of
from labwright.app.laboratory import Laboratory, Standing

__all__ = ["App", "Checked", "Laboratory", "Standing", "capabilities_of", "planner_of"]
