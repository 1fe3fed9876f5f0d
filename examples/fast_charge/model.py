"""The physics: a Doyle-Fuller-Newman model of the measured LG M50 cell, with one temperature for the whole cell."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")  # pybamm reads it while it is imported
import pybamm

CAPACITY = 5.0  # A.h: one C is 5 A, and states of charge are counted against it
START, TARGET = 10.0, 80.0  # percent
MAX_VOLTAGE, MAX_TEMPERATURE = 4.2, 60.0  # where the cell ends a charge by itself: V, degC
ZERO_CELSIUS = 273.15
POINTS = 41  # per stage

VOLTAGE = "Voltage [V]"
TEMPERATURE = "Volume-averaged cell temperature [K]"
ANODE = "Negative electrode surface potential difference at separator interface [V]"
CHARGE = "Discharge capacity [A.h]"
AT_ONCE = "non-positive at initial conditions"  # what the solver says of a limit that the next current passes at once


class ChargeFailed(Exception):
    """The charge could not be computed, and why."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """One charge over time: s, V, degC, V, A and percent, all of the same length."""

    time: np.ndarray
    voltage: np.ndarray
    temperature: np.ndarray
    anode: np.ndarray
    current: np.ndarray
    charge: np.ndarray

    def until(self, seconds: float) -> Trace:
        """Return the part up to that time, its last point interpolated."""
        keep = self.time < seconds
        if keep.all():
            return self
        columns = {name: np.append(c[keep], np.interp(seconds, self.time, c)) for name, c in vars(self).items()}
        return Trace(**columns)

    def tripped(self) -> Trace:
        """Return the trace of a charge that ended because the next current met the voltage limit at once."""
        columns = {name: np.append(column, column[-1]) for name, column in vars(self).items()}
        columns["voltage"][-1] = MAX_VOLTAGE
        return Trace(**columns)

    def at(self, seconds: float) -> dict[str, float]:
        """Return every quantity at that time."""
        return {name: float(np.interp(seconds, self.time, column)) for name, column in vars(self).items()}


class CellModel:
    """A cell that is brought to 10 %, rests at the chamber's temperature, and is charged in equal parts.

    It ends a charge at 4.2 V, at `max_temperature` (degC) and, where `min_anode` is given, at that anode potential (V).
    """

    def __init__(self, *, max_temperature: float = MAX_TEMPERATURE, min_anode: float | None = None) -> None:
        """Build the model; this takes a second."""
        pybamm.set_logging_level("ERROR")
        model = pybamm.lithium_ion.DFN({"thermal": "lumped"})
        model.events = [event for event in model.events if event.name == "Maximum voltage [V]"]
        hottest = max_temperature + ZERO_CELSIUS
        model.events.append(pybamm.Event("Maximum temperature", hottest - model.variables[TEMPERATURE]))
        if min_anode is not None:
            model.events.append(pybamm.Event("Lithium plating", model.variables[ANODE] - min_anode))
        solver = pybamm.IDAKLUSolver(rtol=1e-4, atol=1e-6)
        mesh = {"x_n": 20, "x_s": 10, "x_p": 20, "r_n": 20, "r_p": 20}
        self._simulation = pybamm.Simulation(model, parameter_values=_parameters(), solver=solver, var_pts=mesh)
        self._simulation.build()

    def charge(self, currents: Sequence[float], chamber: float, *, go_on: Callable[[], bool] = lambda: True) -> Trace:
        """Charge from 10 % to 80 % with currents in A, each for an equal part of the way, or until an event ends it.

        `go_on` is asked before each part. Raises ChargeFailed where the solver gives up.
        """
        solution, applied = None, []
        for current in currents:
            if applied and not go_on():
                break
            try:
                solution = self._part(solution, current, chamber, 1 / len(currents))
            except pybamm.SolverError as error:
                if applied and AT_ONCE in str(error):
                    return _trace(solution, applied).tripped()
                raise ChargeFailed(f"the solver gave up at {current:g} A and {chamber:g} degC: {error}") from error
            applied.append(current)
            if "event" in solution.termination:
                break
        return _trace(solution, applied)

    def _part(self, solution: pybamm.Solution | None, current: float, chamber: float, share: float) -> pybamm.Solution:
        seconds = (TARGET - START) / 100 * share * CAPACITY / current * 3600
        kelvin = chamber + ZERO_CELSIUS
        inputs = {
            "Current function [A]": -current,
            "Ambient temperature [K]": kelvin,
            "Initial temperature [K]": kelvin,
        }
        return self._simulation.solver.step(
            solution,
            self._simulation.built_model,
            seconds,
            t_eval=np.array([0.0, seconds]),
            t_interp=np.linspace(0.0, seconds, POINTS),
            inputs=inputs,
        )


def _parameters() -> pybamm.ParameterValues:
    values = pybamm.ParameterValues("Chen2020")
    for name in ("Current function [A]", "Ambient temperature [K]", "Initial temperature [K]"):
        values[name] = "[input]"
    values.set_initial_state(START / 100)
    return values


def _trace(solution: pybamm.Solution, currents: Sequence[float]) -> Trace:
    current = np.concatenate(
        [np.full(len(part.t), i) for part, i in zip(solution.sub_solutions, currents, strict=True)]
    )
    return Trace(
        time=solution.t,
        voltage=solution[VOLTAGE].entries,
        temperature=solution[TEMPERATURE].entries - ZERO_CELSIUS,
        anode=solution[ANODE].entries,
        current=current,
        charge=START - 100 * solution[CHARGE].entries / CAPACITY,
    )
