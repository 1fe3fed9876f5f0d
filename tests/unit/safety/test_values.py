"""What every value of the safety package has in common."""

import dataclasses
import importlib
import inspect
import pkgutil
import time

import pytest

import labwright.safety
from labwright.core.telemetry import Quality
from labwright.safety.deadman import DeadMan
from labwright.safety.monitor import Monitor, Past

MODULES = [
    importlib.import_module(f"labwright.safety.{m.name}") for m in pkgutil.iter_modules(labwright.safety.__path__)
]
FOUND = [v for m in MODULES for v in vars(m).values() if isinstance(v, type)]
VALUES = [v for v in FOUND if dataclasses.is_dataclass(v) and v.__module__.startswith("labwright.safety")]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: v.__name__)
def test_a_value_never_changes_and_names_its_parts(value):
    parts = [part for part in dataclasses.fields(value) if part.init]

    assert value.__dataclass_params__.frozen
    assert all(part.kw_only for part in parts)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (DeadMan, {"period_s": 0.02}),
        (Monitor, {"listener": inspect.Parameter.empty, "past": Past(), "clock": time.monotonic}),
        (Monitor.reading, {"at": None, "quality": Quality.GOOD}),
        (Monitor.arm, dict.fromkeys(("instrument", "digest", "mode", "by"), inspect.Parameter.empty)),
    ],
)
def test_what_could_be_mistaken_for_another_is_given_by_name(call, named):
    parameters = inspect.signature(call).parameters.values()

    assert {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY} == named
    assert [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY] == []
