"""How fast Labwright starts, how much it installs, and how long the demo runs.

    python benchmarks/start.py --json

help_s       CPU seconds of `labwright --help`, median of 9
import_s     CPU seconds of `python -c "import labwright.app"`, the loop without a planner (that and numpy are
             loaded when a campaign runs), median of 9
install_mb   10^6 bytes of the core in site-packages, without pip, setuptools and bytecode
demo_s       seconds of wall time that `make demo` takes once it is installed, in a folder where it never ran
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "fast_charge"
LEFT_BY_RUNS = shutil.ignore_patterns("cell", "output", "labwright.db*", "*.html", "__pycache__")
LABWRIGHT = str(Path(sys.executable).parent / "labwright")
STARTS = {"help_s": [LABWRIGHT, "--help"], "import_s": [sys.executable, "-c", "import labwright.app"]}
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
screen = Console(stderr=True)


class CouldNotRun(Exception):
    """A part could not be measured, and why."""


def cpu_s(command: Sequence[str]) -> float:
    """Return the CPU seconds of a command, its own children included."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | ONE_THREAD)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise CouldNotRun(f"{' '.join(command)} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def starts(repeats: int) -> dict[str, list[float]]:
    """Return the CPU seconds of every start, interleaved; the first of each is not counted."""
    times: dict[str, list[float]] = {name: [] for name in STARTS}
    for repeat in range(repeats + 1):
        screen.print(f"Starting, {repeat} of {repeats}")
        for name, command in STARTS.items():
            times[name].append(cpu_s(command))
    # The first writes bytecode.
    return {name: found[1:] for name, found in times.items()}


def install_mb(folder: Path) -> dict[str, float]:
    """Install the wheel with the core packages only and return 10^6 bytes by package, the largest first."""
    screen.print("Installing the core into an environment of its own")
    pip("wheel", str(ROOT), "--no-deps", "--wheel-dir", str(folder))
    (wheel,) = folder.glob("labwright-*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    python, constraints = str(folder / "venv" / "bin" / "python"), str(ROOT / "constraints.txt")
    pip("--python", python, "install", "--no-compile", "--constraint", constraints, str(wheel))
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    sizes = {entry.name: size(entry) / 1e6 for entry in site.iterdir() if entry.name != "__pycache__"}
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def pip(*args: str) -> None:
    """Run pip quietly; where it fails, its last line is the reason."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *args]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise CouldNotRun(f"pip failed: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}")


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder but bytecode."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(f.stat().st_size for f in files if f.is_file() and "__pycache__" not in f.parts)


def demo_s(folder: Path) -> float:
    """Return the seconds that the demo takes in a fresh copy of its folder, its cell on a port of its own."""
    if not (EXAMPLE / "demo.py").exists():
        raise CouldNotRun("examples/fast_charge/demo.py is not there")
    copy = folder / "fast_charge"
    shutil.copytree(EXAMPLE, copy, ignore=LEFT_BY_RUNS)
    use_free_port(copy)
    screen.print("Running the demo")
    begun = time.monotonic()
    try:
        # Its progress is shown; standard output is kept for the figures.
        code = subprocess.run([sys.executable, str(copy / "demo.py")], stdout=sys.stderr, check=False).returncode
        taken = time.monotonic() - begun
    finally:
        end_cell(copy)
    if code != 0:
        raise CouldNotRun(f"the demo ended with {code}")
    return taken


def use_free_port(copy: Path) -> None:
    """Give the copy's cell and campaign a port that no other cell has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = str(probe.getsockname()[1])
    cell = (copy / "cell.py").read_text(encoding="utf-8")
    (usual,) = re.findall(r"^PORT = (\d+)$", cell, re.MULTILINE)
    for name in ("cell.py", "campaign.yaml"):
        path = copy / name
        path.write_text(path.read_text(encoding="utf-8").replace(usual, free), encoding="utf-8")


def end_cell(copy: Path) -> None:
    """End the process that the demo left running."""
    endpoint = copy / "cell" / "cell.json"
    if endpoint.exists():
        os.kill(json.loads(endpoint.read_text(encoding="utf-8"))["pid"], signal.SIGTERM)
        deadline = time.monotonic() + 10
        while endpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.1)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="of each start")
    parser.add_argument("--only", nargs="+", choices=("starts", "install", "demo"), help="some parts only")
    parser.add_argument("--json", action="store_true", help="end with one line of figures")
    return parser.parse_args()


def measure(parts: Sequence[str], repeats: int, table: Table) -> dict[str, float | None]:
    """Fill the table and return the figures; a part that could not run is null and says why."""
    figures: dict[str, float | None] = dict.fromkeys((*STARTS, "install_mb", "demo_s"))
    with tempfile.TemporaryDirectory(prefix="labwright-start-") as temporary:
        folder = Path(temporary)
        for part, act in (("starts", add_starts), ("install", add_install), ("demo", add_demo)):
            if part not in parts:
                table.add_row(part, "not measured", "not asked for")
                continue
            try:
                figures |= act(folder, repeats, table)
            except CouldNotRun as error:
                table.add_row(part, "not measured", str(error))
    return figures


def add_starts(_: Path, repeats: int, table: Table) -> dict[str, float]:
    """Measure the starts."""
    times = starts(repeats)
    for name, found in times.items():
        spread = f"CPU, median of {len(found)}; {min(found):.3f} to {max(found):.3f}"
        table.add_row(name, f"{statistics.median(found):.3f} s", spread)
    return {name: round(statistics.median(found), 3) for name, found in times.items()}


def add_install(folder: Path, _: int, table: Table) -> dict[str, float]:
    """Measure the installed size."""
    sizes = install_mb(folder)
    total = sum(sizes.values())
    largest = ", ".join(f"{name} {mb:.0f}" for name, mb in list(sizes.items())[:4])
    table.add_row("install_mb", f"{total:.1f} MB", f"the largest: {largest}")
    return {"install_mb": round(total, 1)}


def add_demo(folder: Path, _: int, table: Table) -> dict[str, float]:
    """Measure the demo."""
    taken = demo_s(folder)
    table.add_row("demo_s", f"{taken:.1f} s", "wall time, once")
    return {"demo_s": round(taken, 1)}


def main() -> None:
    """Measure, print the table, and the line of figures if it is asked for."""
    chosen = arguments()
    table = Table("figure", "value", "how", title="Starting")
    figures = measure(chosen.only or ("starts", "install", "demo"), chosen.repeats, table)
    Console().print(table)
    if chosen.json:
        print(json.dumps({"name": "start", "figures": figures}))


if __name__ == "__main__":
    main()
