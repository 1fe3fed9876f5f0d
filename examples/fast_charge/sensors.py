"""What the cell's instruments say of a charge: rounded to what they resolve, with noise from (seed, command)."""

import hashlib
import json
import math
from collections.abc import Mapping

import numpy as np
from model import START, TARGET, Trace

INPUTS = {
    "current_1": ("A", 1.5, 15.0),
    "current_2": ("A", 1.5, 15.0),
    "current_3": ("A", 1.5, 15.0),
    "chamber": ("degC", 15.0, 40.0),
}
OUTPUTS = {
    "minutes": "min",
    "speed": "%/min",
    "charge": "%",
    "max_temperature": "degC",
    "min_anode_potential": "V",
    "max_voltage": "V",
}
NOISE = {"max_temperature": 0.1, "min_anode_potential": 0.0005, "max_voltage": 0.001}  # standard deviations
DECIMALS = {"minutes": 3, "speed": 4, "charge": 2, "max_temperature": 2, "min_anode_potential": 5, "max_voltage": 4}


def refusal(inputs: Mapping[str, float]) -> dict[str, str]:
    """Return what is wrong with each input that the cell will not take; empty when all are well."""
    wrong = {}
    for name, (unit, low, high) in INPUTS.items():
        value = inputs.get(name)
        if value is None or not low <= value <= high:  # NaN is not within any limits
            wrong[name] = f"{name} = {value} is not {low:g} to {high:g} {unit}"
    return wrong


def true_values(trace: Trace) -> dict[str, float]:
    """Return the outputs of a charge without any noise."""
    minutes = float(trace.time[-1]) / 60
    charge = min(float(trace.charge[-1]), TARGET)
    return {
        "minutes": minutes,
        "speed": (charge - START) / minutes if minutes > 0 else 0.0,
        "charge": charge,
        "max_temperature": float(trace.temperature.max()),
        "min_anode_potential": float(trace.anode.min()),
        "max_voltage": float(trace.voltage.max()),
    }


def measured(trace: Trace, seed: int, inputs: Mapping[str, float]) -> dict[str, float]:
    """Return the outputs as the instruments show them; the same seed and inputs always give the same noise."""
    content = json.dumps([seed, {name: float(inputs[name]) for name in sorted(inputs)}], separators=(",", ":"))
    noise = np.random.default_rng(list(hashlib.sha256(content.encode()).digest()))
    values = true_values(trace)
    for name, sd in NOISE.items():
        values[name] += sd * noise.standard_normal()
    values["charge"] = _counted(values["charge"])
    return {name: round(value, DECIMALS[name]) for name, value in values.items()}


def _counted(charge: float) -> float:
    """Return the percent that a coulomb counter shows: only what is full, so that 80 means 80."""
    step = 10.0 ** -DECIMALS["charge"]
    return math.floor((charge + 1e-6) / step) * step
