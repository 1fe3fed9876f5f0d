"""A stand-in for an experiment: replace it by a call to your own instrument or simulation."""

import math


def brew(temperature: float, time: float, grind: str, beans: str) -> dict[str, float]:
    """Return what a tasting panel would say of one cup; the temperature is in degC, the time in s."""
    fineness = {"coarse": 0.6, "medium": 1.0, "fine": 1.5}[grind]
    extraction = fineness * time / 30 * math.exp((temperature - 92) / 20)
    quality = 8.5 if beans == "arabica" else 6.5
    taste = quality - 6 * (extraction - 1.0) ** 2
    bitterness = 4 * extraction + (1.5 if beans == "robusta" else 0.0)
    return {"taste": taste, "bitterness": bitterness}
