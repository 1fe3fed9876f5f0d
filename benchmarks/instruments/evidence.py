"""What the tests of the monitor cover: the cases of their grid, and the newest whole run of the mutants."""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAFETY, TESTS = ROOT / "src" / "labwright" / "safety", ROOT / "tests" / "unit" / "safety"
EQUIVALENT = Path(__file__).parent / "equivalent.yaml"
RESULTS = ROOT / "benchmarks" / "results" / "mutants.json"
FIGURES = ("mutants", "mutation_score")


def digest() -> str:
    """Return the sha256 of the package, of its tests, and of the mutants that are said to change nothing."""
    files = [*sorted(SAFETY.glob("*.py")), *sorted(TESTS.glob("*.py")), EQUIVALENT]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def keep(figures: dict[str, float]) -> None:
    """Keep the figures of a whole run, with what they were measured of."""
    RESULTS.write_text(json.dumps({"of": digest(), "figures": figures}, indent=1) + "\n", encoding="utf-8")


def measure() -> tuple[dict[str, float | None], list[tuple[str, str]]]:
    """Return the figures, and lines of a table; of mutants null, where the newest run is of other code."""
    grid = sum(1 for _ in _grid().cases())
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"of": "", "figures": {}}
    is_present = kept["of"] == digest()
    found = {name: kept["figures"].get(name) if is_present else None for name in FIGURES}
    why = "" if is_present else " (run benchmarks/instruments/mutants.py: the newest run is of other code)"
    lines = [
        ("single broken assumptions, each refused by its own rule", f"{grid:,}"),
        (f"mutants of the safety package{why}", f"{found['mutants']}"),
        ("those that the tests tell, of those that change something", f"{found['mutation_score']}"),
    ]
    return {"grid_cases": grid, **found}, lines


def _grid():  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location("grid", TESTS / "test_rules_grid.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["grid"] = module
    spec.loader.exec_module(module)
    return module
