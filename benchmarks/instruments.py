"""What instruments cost through Labwright, and what reaches them that should not.

python benchmarks/instruments.py            a table for people
python benchmarks/instruments.py --json     the same, and one line of figures
"""

import os

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import json

from rich.console import Console
from rich.table import Table

from instruments import evidence, guarded, monitor, opcua


def show(title: str, lines: list[tuple[str, str]]) -> None:
    """Print a table of what was found."""
    grid = Table(title=title)
    grid.add_column("what")
    grid.add_column("found", justify="right")
    for line in lines:
        grid.add_row(*line)
    Console(width=100).print(grid)


def main() -> None:
    """Measure, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="end with one line of figures")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long samples are streamed")
    said = parser.parse_args()
    figures, lines = opcua.measure(said.seconds)
    show("OPC UA on loopback", lines)
    found, lines = monitor.measure()
    show("The monitor", lines)
    figures |= found
    found, lines = guarded.measure()
    show("A guard before a heater", lines)
    figures |= found
    found, lines = evidence.measure()
    show("What the tests of the monitor cover", lines)
    figures |= found
    if said.json:
        print(json.dumps({"name": "instruments", "figures": figures}))


if __name__ == "__main__":
    main()
