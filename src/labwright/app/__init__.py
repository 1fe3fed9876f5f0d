"""The one place that builds and wires objects."""

from labwright.app.app import App, Checked, Faces, planner_of
from labwright.app.equipment import capabilities_of
from labwright.app.laboratory import Laboratory, Overview, Standing

__all__ = ["App", "Checked", "Faces", "Laboratory", "Overview", "Standing", "capabilities_of", "planner_of"]
