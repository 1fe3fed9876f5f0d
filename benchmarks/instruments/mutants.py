"""How many mutants of the safety package its tests tell from the package itself.

python benchmarks/instruments/mutants.py             every mutant, and those that survive
python benchmarks/instruments/mutants.py --json      the same, and one line of figures
python benchmarks/instruments/mutants.py --only monitor.py
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import yaml
from evidence import EQUIVALENT, keep

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOOL = ROOT / ".mutants"
PINS = HERE / "mutants.txt"
SAFETY, TESTS = Path("src/labwright/safety"), Path("tests/unit/safety")
NEAREST = {
    "envelope.py": ("test_envelope.py", "test_limits_file.py"),
    "limits.py": ("test_gate.py",),
    "limits_file.py": ("test_limits_file.py",),
    "monitor.py": ("test_values.py", "test_monitor.py"),
    "refusal.py": ("test_values.py", "test_rules.py"),
    "rules.py": ("test_rules.py",),
    "situation.py": ("test_values.py", "test_rules.py"),
}
PROCESSES = 2
LONGEST_S = 120


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change of one file."""

    file: str
    operator: str
    line: int
    before: str
    after: str
    code: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.file, self.before, self.after

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.operator}\n    {self.before}\n    {self.after}"


def breed(only: Sequence[str]) -> list[Mutant]:
    """Return the mutants of every file of the package, made by the pinned tool."""
    python, marker = TOOL / "bin" / "python", TOOL / "pins"
    if not marker.exists() or marker.read_text() != PINS.read_text():
        venv.create(TOOL, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", PINS], check=True)
        marker.write_text(PINS.read_text())
    files = [path for path in sorted((ROOT / SAFETY).glob("*.py")) if not only or path.name in only]
    words = [python, "-W", "ignore", HERE / "breeder.py", *files]
    made = subprocess.run(words, check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    return [Mutant(**json.loads(line)) for line in made.stdout.splitlines()]


def prepare() -> None:
    """Make a copy of the project that one process may change, and import there what no mutant touches."""
    os.nice(2)
    folder = Path(tempfile.mkdtemp(prefix="labwright-mutants-"))
    for part in ("src", "tests/unit/safety"):
        shutil.copytree(ROOT / part, folder / part)
    for part in ("pyproject.toml", "tests/conftest.py"):
        shutil.copy2(ROOT / part, folder / part)
    os.chdir(folder)
    os.environ["CI"] = "yes"  # so that every run draws the same examples
    sys.path[:] = [str(folder / "src"), *(p for p in sys.path if p != str(ROOT / "src"))]
    import labwright.safety.monitor
    import labwright.testing.oven

    assert labwright.safety.monitor.__file__.startswith(str(folder))
    for name in [n for n in sys.modules if n.startswith("labwright.safety") or n == "labwright.testing.oven"]:
        del sys.modules[name]
    if not survives(None):
        raise RuntimeError("The tests fail without any mutant; nothing was measured.")


def survives(mutant: Mutant | None) -> bool:
    """Say whether all tests pass with that change, in a fork of this process; None is no change."""
    path = Path.cwd() / SAFETY / (mutant.file if mutant else "gate.py")
    sound = path.read_text()
    path.write_text(mutant.code if mutant else sound)
    sys.dont_write_bytecode = mutant is not None
    child = os.fork()
    if not child:
        test(mutant.file if mutant else None)
    give_up = time.monotonic() + LONGEST_S
    status: int | None = None
    while status is None and time.monotonic() < give_up:
        done, found = os.waitpid(child, os.WNOHANG)
        status = found if done else None
        time.sleep(0.01)
    if status is None:
        os.kill(child, 9)
        os.waitpid(child, 0)
    path.write_text(sound)
    return status == 0


def test(file: str | None) -> None:
    """Run the tests that are likely to tell first, then all."""
    import pytest

    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    words = ["-x", "-q", "-p", "no:cacheprovider", "-W", "error"]
    for files in ([f"{TESTS}/{name}" for name in NEAREST.get(file, ())], [str(TESTS)]):
        code = pytest.main([*words, *files]) if files else 0
        if code:
            break
    os._exit(int(code))


def run(mutants: Sequence[Mutant]) -> list[Mutant]:
    """Return those that survive."""
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"), initializer=prepare) as pool:
        found = []
        for i, (mutant, alive) in enumerate(zip(mutants, pool.map(survives, mutants), strict=True), start=1):
            if alive:
                found.append(mutant)
            if alive or i % 50 == 0:
                print(
                    f"{i} of {len(mutants)}, {len(found)} alive: {mutant if alive else ''}", file=sys.stderr, flush=True
                )
        return found


def excused() -> dict[tuple[str, str, str], str]:
    """Return the mutants that change nothing, with the reason of each."""
    listed = yaml.safe_load(EQUIVALENT.read_text()) or []
    return {(part["file"], part["before"], part["after"]): part["reason"] for part in listed}


def main() -> None:
    """Make them, test them, and say which survive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="end with one line of figures")
    parser.add_argument("--only", nargs="+", default=[], metavar="FILE", help="some files of the package")
    said = parser.parse_args()
    mutants, excuses = breed(said.only), excused()
    alive = run(mutants)
    same = [mutant for mutant in alive if mutant.key in excuses]
    missed = [mutant for mutant in alive if mutant.key not in excuses]
    count = len(mutants) - len(same)
    print(f"{len(mutants)} mutants; {len(same)} change nothing; {count - len(missed)} of {count} others were found.")
    for mutant in missed:
        print(mutant)
    unused = excuses.keys() - {mutant.key for mutant in alive}
    for key in sorted(key for key in unused if not said.only or key[0] in said.only):
        print(f"Listed as changing nothing, and found or gone: {key}")
    figures = {"mutants": len(mutants), "equivalent": len(same), "mutation_score": (count - len(missed)) / count}
    if not said.only:
        keep(figures)
    if said.json:
        print(json.dumps({"name": "mutants", "figures": figures}))


if __name__ == "__main__":
    main()
