"""The one place that builds and wires objects."""

from labwright.app.app import App, Checked, Faces, planner_of
from labwright.app.equipment import capabilities_of
from labwright.app.laboratory import Laboratory, Standing

__all__ = ["App", "Checked", "Faces", "Laboratory", "Standing", "capabilities_of", "planner_of"]
