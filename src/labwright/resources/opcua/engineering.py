"""Units and ranges: what the server says, what the file says, and what holds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from labwright.core.capability import Input, Output
from labwright.core.errors import InvalidInput, InvalidUnit
from labwright.core.units import parse_unit
from labwright.resources.opcua.options import OutputPart, RangePart

UNECE_NAMESPACE = "http://www.opcfoundation.org/UA/units/un/cefact"
# UN/ECE Recommendation 20, codes that laboratories meet; the number in a server is the code's bytes (OPC 10000-8).
UNECE: Mapping[str, str] = {
    "2Z": "mV", "4G": "uL", "4H": "um", "4K": "mA", "AMH": "A*h", "AMP": "A", "BAR": "bar", "C18": "mmol",
    "C26": "ms", "C34": "mol", "C45": "nm", "C81": "rad", "CEL": "degC", "CMT": "cm", "DAY": "day", "DD": "deg",
    "FAH": "degF", "GL": "g/L", "GRM": "g", "HTZ": "Hz", "HUR": "hour", "JOU": "J", "KEL": "K", "KGM": "kg",
    "KHZ": "kHz", "KJO": "kJ", "KMQ": "kg/m**3", "KPA": "kPa", "KWT": "kW", "L2": "L/min", "LTR": "L", "MBR": "mbar",
    "MGM": "mg", "MIN": "min", "MLT": "mL", "MMT": "mm", "MPA": "MPa", "MQH": "m**3/h", "MTK": "m**2", "MTQ": "m**3",
    "MTR": "m", "MTS": "m/s", "NEW": "N", "NU": "N*m", "OHM": "ohm", "P1": "%", "PAL": "Pa", "RPM": "rpm", "SEC": "s",
    "VLT": "V", "WHR": "W*h", "WTT": "W",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Engineering:
    """What a server says of a variable: the unit's text and code, and the range that may be set."""

    unit_text: str | None = None
    unit_namespace: str | None = None
    unit_code: int = -1
    low: float | None = None
    high: float | None = None

    def unit(self, place: str) -> str | None:
        """Return the unit, None where the server says none; one that cannot be read raises InvalidUnit."""
        if known := self._from_code():
            return known
        text = (self.unit_text or "").strip()
        if not text:
            return None
        try:
            parse_unit(text)
        except InvalidUnit as error:
            raise InvalidUnit(
                f"{place}: the server's unit is {text!r}. {error} Declare the unit in the file."
            ) from None
        return text.replace("°", "deg")

    def _from_code(self) -> str | None:
        if self.unit_namespace != UNECE_NAMESPACE or self.unit_code <= 0:
            return None
        code = self.unit_code.to_bytes(4, "big").lstrip(b"\0").decode("ascii", "replace")
        return UNECE.get(code)


def agreed_unit(place: str, declared: str | None, engineering: Engineering) -> str | None:
    """Return the unit of a variable; a file and a server that say different ones raise InvalidUnit."""
    if declared is None:
        return engineering.unit(place)
    wanted = parse_unit(declared)
    try:
        found = engineering.unit(place)
    except InvalidUnit:
        return declared  # a person has said what the server's unit means
    if found is not None and parse_unit(found) != wanted:
        raise InvalidUnit(f"{place}: the file says {declared!r}, but the server says {found!r}. Write {found!r}.")
    return declared


def as_input(name: str, place: str, part: RangePart, engineering: Engineering) -> Input:
    """Return an input with the narrower of the server's and the file's limits; none left raises InvalidInput."""
    lows = [low for low in (part.low, engineering.low) if low is not None]
    highs = [high for high in (part.high, engineering.high) if high is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None and low > high:
        raise InvalidInput(
            f"{place}: no value is allowed: the file says {_range(part.low, part.high)},"
            f" the server {_range(engineering.low, engineering.high)}."
        )
    unit = agreed_unit(place, part.unit, engineering)
    return Input(name=name, unit=unit, low=low, high=high, levels=part.levels)


def as_output(name: str, place: str, part: OutputPart, engineering: Engineering) -> Output:
    """Return an output with its unit."""
    return Output(name=name, unit=agreed_unit(place, part.unit, engineering))


def plain_range(low: float, high: float) -> tuple[float | None, float | None]:
    """Return each finite bound of a server's range; 0 to 0, as servers leave it when unset, and low > high are none."""
    if low == high == 0 or low > high:
        return None, None
    return _finite(low), _finite(high)


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None


def _range(low: float | None, high: float | None) -> str:
    return f"{'any' if low is None else f'{low:g}'} to {'any' if high is None else f'{high:g}'}"
