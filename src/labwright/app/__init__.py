"""The one place that builds and wires objects."""

from labwright.app.app import App, Checked, Faces, planner_of
from labwright.app.equipment import capabilities_of
from labwright.app.laboratory import Laboratory, Overview, Standing, from_here
from labwright.app.record import TrialRecord

__all__ = [
    "App",
    "Checked",
    "Faces",
    "Laboratory",
    "Overview",
    "Standing",
    "TrialRecord",
    "capabilities_of",
    "from_here",
    "planner_of",
]
