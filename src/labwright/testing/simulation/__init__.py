"""A laboratory in simulated time, whose processes die and pause where a schedule says."""

from labwright.testing.simulation.cabinet import Cabinet
from labwright.testing.simulation.schedule import Blow, Schedule
from labwright.testing.simulation.setups import SETUPS, Setup
from labwright.testing.simulation.simulate import Report, Simulator, count_up, replay
from labwright.testing.simulation.world import Tools

__all__ = [
    "SETUPS",
    "Blow",
    "Cabinet",
    "Report",
    "Schedule",
    "Setup",
    "Simulator",
    "Tools",
    "count_up",
    "replay",
]
