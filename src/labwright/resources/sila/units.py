"""Units as SiLA says them, a label with the way to SI units, and as Labwright says them."""

import math
from dataclasses import dataclass

from labwright.core.errors import InvalidUnit
from labwright.core.units import parse_unit

SI = {
    "Ampere": "A", "Candela": "cd", "Dimensionless": "", "Kelvin": "K", "Kilogram": "kg", "Meter": "m", "Mole": "mol",
    "Second": "s",
}  # fmt: skip
# What a label may mean that cannot be read itself: the first that has the same way to SI units.
MEANT = (
    "degC", "degF", "K", "%", "1", "ppm", "m", "cm", "mm", "um", "nm", "g", "mg", "ug", "kg", "s", "ms", "min", "hour",
    "day", "L", "mL", "uL", "m**3", "mol", "mmol", "mol/L", "mmol/L", "g/L", "mg/mL", "L/min", "mL/min", "uL/min",
    "mL/s", "uL/s", "Pa", "kPa", "MPa", "bar", "mbar", "psi", "V", "mV", "A", "mA", "W", "kW", "J", "kJ", "N", "Hz",
    "kHz", "rpm", "m/s", "mm/s", "ohm", "K/min", "deg", "rad",
)  # fmt: skip
NEAR = 1e-4  # servers round their factors


@dataclass(frozen=True, kw_only=True)
class SilaUnit:
    """A unit: a value in it, times `factor` plus `offset`, is the value in the SI units and exponents."""

    label: str
    factor: float
    offset: float
    components: tuple[tuple[str, int], ...]

    @property
    def si(self) -> str:
        """Write the SI units that it comes from, such as `m**3*s**-1`."""
        parts = [(SI[name], power) for name, power in self.components if SI[name] and power]
        return "*".join(symbol if power == 1 else f"{symbol}**{power}" for symbol, power in parts) or "1"

    def __str__(self) -> str:
        offset = f" + {self.offset:g}" if self.offset else ""
        return f"{self.label!r} (x {self.factor:g}{offset} in {self.si})"

    def is_called(self, unit: str) -> bool:
        """Whether the label reads as this unit."""
        try:
            return parse_unit(self.label) == parse_unit(unit)
        except InvalidUnit:
            return False

    def is_same(self, unit: str) -> bool:
        """Whether the unit is converted to SI units in the same way; a turn may count as 1 or as 2 pi."""
        found = _way(unit)
        if found is None or found[2] != _kind(self.si):
            return False
        factor, offset, _, angle = found
        turned = self.factor * math.tau ** float(angle)
        same_factor = any(math.isclose(factor, said, rel_tol=NEAR) for said in (self.factor, turned))
        return same_factor and math.isclose(offset, self.offset, rel_tol=NEAR, abs_tol=NEAR)

    def unit(self, place: str) -> str:
        """Return the unit; one that cannot be said, or is not what its label says, raises InvalidUnit."""
        label = self.label.replace("°", "deg")
        if self.is_same(label):
            return label
        label_way = _way(label)
        if label_way is None or label_way[2] != _kind(self.si):
            for unit in (*MEANT, self.si):
                if self.is_same(unit):
                    return unit
        raise InvalidUnit(f"{place}: the server's unit is {self}, which is none that Labwright knows. {DECLARE}")


DECLARE = "Declare the unit in the file."


def agreed_unit(place: str, declared: str | None, said: SilaUnit | None) -> str | None:
    """Return the unit of a field; a file and a server that say different ones raise InvalidUnit."""
    if declared is None:
        return said.unit(place) if said else None
    parse_unit(declared)
    if said is not None and not said.is_same(declared) and not said.is_called(declared):
        raise InvalidUnit(
            f"{place}: the file says {declared!r}, but the server says {said}. Leave it out, or give that unit."
        )
    return declared


def _way(unit: str) -> tuple[float, float, str, str] | None:
    """Return a unit's factor and offset to SI units, its dimension and power of the angle; None where it has none."""
    import pint

    try:
        parsed = parse_unit(unit)
        zero, one = (pint.Quantity(x, parsed).to_base_units() for x in (0.0, 1.0))
        offset, slope = float(zero.magnitude), float((one - zero).magnitude)
    except (InvalidUnit, pint.errors.PintError, ArithmeticError, ValueError, TypeError, AttributeError):
        return None
    angle = next((power for name, power in one.units._units.items() if name == "radian"), 0)
    return slope, offset, str(parsed.dimensionality), str(angle)


def _kind(unit: str) -> str:
    return str(parse_unit(unit).dimensionality)
