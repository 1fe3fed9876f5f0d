"""The best protocol found against the fastest constant current within the same limits, both judged without noise."""

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import model as physics
import numpy as np
import pybamm
import sensors
from model import CAPACITY, TARGET, CellModel, Trace

HERE = Path(__file__).resolve().parent
HOTTEST, LEAST_ANODE = 45.0, 0.0  # degC, V
PROCESSES = 2
# The grid of constant currents: 3C down to 0.3C by 0.05C, each at every chamber temperature from 15 to 40 degC.
CURRENTS = [CAPACITY * step / 20 for step in range(60, 5, -1)]
CHAMBERS = [float(chamber) for chamber in range(15, 41)]
REACHED = TARGET - 1e-6  # percent: what the coulomb counter calls 80

_model: CellModel | None = None


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Three currents in A, each for a third of the way, and the chamber's temperature in degC."""

    currents: tuple[float, float, float]
    chamber: float


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A protocol with what it really does: its outputs without noise, and its course."""

    protocol: Protocol
    values: dict[str, float]
    trace: Trace

    @property
    def keeps_limits(self) -> bool:
        """Whether it reaches 80 % within 45 degC and without plating."""
        return _keeps_limits(self.values)


def judge(protocols: Sequence[Protocol]) -> list[Judged]:
    """Run each protocol once more on the cell's own model, without any noise."""
    cell = CellModel()
    traces = [cell.charge(p.currents, p.chamber) for p in protocols]
    return [
        Judged(protocol=p, values=sensors.true_values(trace), trace=trace)
        for p, trace in zip(protocols, traces, strict=True)
    ]


def fastest_constant(memory: Path, tell: Callable[[int, int], None]) -> Protocol:
    """Return the fastest constant current of the grid that keeps all limits, and the coolest chamber for it.

    How long a charge to 80 % takes depends on its current alone, so the first current that keeps the limits in some
    chamber, from 3C downwards, is the fastest. The answer is kept in the file `memory` for as long as the model's code
    does not change. `tell` is called with the count of currents tried, and of all.
    """
    key = _digest()
    if memory.exists() and (kept := json.loads(memory.read_text()))["model"] == key:
        return Protocol(currents=tuple(kept["currents"]), chamber=kept["chamber"])
    found = _search(tell)
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps({"model": key, **asdict(found)}))
    return found


def _search(tell: Callable[[int, int], None]) -> Protocol:
    pool = ProcessPoolExecutor(PROCESSES, initializer=_build)
    try:
        for count, (current, chamber) in enumerate(zip(CURRENTS, pool.map(_coolest, CURRENTS), strict=True), 1):
            tell(count, len(CURRENTS))
            if chamber is not None:
                return Protocol(currents=(current, current, current), chamber=chamber)
    finally:
        pool.shutdown(cancel_futures=True)
    raise SystemExit("No constant current keeps the limits; the model's parameters are not those of this example.")


def _build() -> None:
    global _model
    _model = CellModel(max_temperature=HOTTEST, min_anode=LEAST_ANODE)  # a charge that breaks a limit ends there


def _coolest(current: float) -> float | None:
    assert _model is not None
    for chamber in CHAMBERS:
        trace = _model.charge([current], chamber)
        if _keeps_limits(sensors.true_values(trace)):
            return chamber
    return None


def _keeps_limits(values: dict[str, float]) -> bool:
    return (
        values["charge"] >= REACHED
        and values["max_temperature"] <= HOTTEST
        and values["min_anode_potential"] >= LEAST_ANODE
    )


def _digest() -> str:
    code = [Path(module.__file__).read_bytes() for module in (physics, sensors)] + [Path(__file__).read_bytes()]
    versions = f"{pybamm.__version__} {np.__version__}".encode()
    return hashlib.sha256(b"\0".join([*code, versions])).hexdigest()
