"""Numbers of a campaign file, in the unit that is declared beside them."""

from collections.abc import Sequence

from labwright.campaigns.file.schema import Quantity
from labwright.core.units import convert, parse_unit


def common_unit(declared: str | None, quantities: Sequence[Quantity | None]) -> str | None:
    """Return the declared unit, or else the first that a number was written with."""
    unit = declared or next((q.unit for q in quantities if q is not None and q.unit), None)
    if unit is not None:
        parse_unit(unit)
    return unit


def in_unit(quantity: Quantity, unit: str | None, place: str) -> float:
    """Return a number in the unit declared beside it; one written without a unit is taken to be in that unit."""
    return quantity.value if quantity.unit is None else convert(quantity.value, quantity.unit, unit, place)
