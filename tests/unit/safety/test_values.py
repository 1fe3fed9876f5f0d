"""What every value of the safety package has in common."""

import dataclasses
import importlib
import pkgutil

import pytest

import labwright.safety

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
