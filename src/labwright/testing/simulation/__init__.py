"""A laboratory in simulated time, whose processes die and pause where a schedule says."""

from labwright.testing.simulation.cabinet import Cabinet
from labwright.testing.simulation.device import Device, Kind
from labwright.testing.simulation.idle import idle_over_bound
from labwright.testing.simulation.naive import LateRuns, NaiveRuns
from labwright.testing.simulation.schedule import ANY, Blow, Schedule
from labwright.testing.simulation.setups import SETUPS, Setup
from labwright.testing.simulation.simulate import ALONE, Report, Simulator, count_up, replay, survey
from labwright.testing.simulation.world import Tools

__all__ = [
    "ALONE",
    "ANY",
    "SETUPS",
    "Blow",
    "Cabinet",
    "Device",
    "Kind",
    "LateRuns",
    "NaiveRuns",
    "Report",
    "Schedule",
    "Setup",
    "Simulator",
    "Tools",
    "count_up",
    "idle_over_bound",
    "replay",
    "survey",
]
