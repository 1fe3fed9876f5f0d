"""The answer of the example in words: a table of both charges."""

from compare import Judged
from model import CAPACITY
from rich.console import Console
from rich.table import Table

# Each row: its name, how its numbers are written, and what they are multiplied by first.
ROWS = {
    "minutes": ("minutes from 10 % to 80 %", "{:.2f}", 1),
    "charge": ("charge reached (%)", "{:.1f}", 1),
    "max_temperature": ("highest temperature (°C, at most 45)", "{:.2f}", 1),
    "min_anode_potential": ("lowest anode potential (mV, at least 0)", "{:.2f}", 1000),
    "max_voltage": ("highest voltage (V, ends at 4.2)", "{:.3f}", 1),
}


def print_answer(console: Console, trial: str, found: Judged, constant: Judged) -> None:
    """Print both charges side by side, and how much time was saved."""
    table = Table(title="Both charges once more on the cell's own model, without noise")
    table.add_column("")
    table.add_column(f"best found ({trial})", justify="right")
    table.add_column("fastest constant current", justify="right")
    table.add_row("currents (C)", *(_currents(judged) for judged in (found, constant)))
    table.add_row("chamber (°C)", *(f"{judged.protocol.chamber:.2f}" for judged in (found, constant)))
    for name, (heading, form, factor) in ROWS.items():
        table.add_row(heading, *(form.format(factor * judged.values[name]) for judged in (found, constant)))
    table.add_row("keeps all limits", *("yes" if judged.keeps_limits else "no" for judged in (found, constant)))
    console.print(table)
    saved = constant.values["minutes"] - found.values["minutes"]
    console.print(f"It saves {saved:.1f} minutes of {constant.values['minutes']:.1f}.")


def _currents(judged: Judged) -> str:
    return " / ".join(f"{current / CAPACITY:.2f}" for current in judged.protocol.currents)
