"""A plot of how soon each planner finds a row of the best 1 %."""

from collections.abc import Sequence

from planner.arena import BUDGET, RESULTS, Run
from planner.tables import Table

FILE = RESULTS / "planner.png"


def draw(tables: Sequence[Table], runs: dict[str, list[Run]]) -> None:
    """Draw, for each planner, the share of runs that have reached the top 1 % after so many experiments."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    good = {t.name: t.top(0.01)[1] for t in tables}
    for name, found in runs.items():
        if found:
            shares = reached(found, good)
            axes.step(range(1, BUDGET + 1), shares, where="post", label={"gp": "Labwright"}.get(name, name))
    axes.set(xlabel="experiments", ylabel="share of runs at the top 1 %", xlim=(1, BUDGET), ylim=(0, 1))
    axes.legend(frameon=False)
    figure.savefig(FILE, dpi=150)
    plt.close(figure)


def reached(runs: Sequence[Run], good: dict[str, int]) -> list[float]:
    """Return, after 1 to BUDGET experiments, the share of runs at the top 1 %, each table counting alike."""
    names = sorted({r.table for r in runs})
    needed = {n: [r.needed(good[n]) for r in runs if r.table == n] for n in names}
    return [
        sum(sum(v <= t for v in found) / len(found) for found in needed.values()) / len(names)
        for t in range(1, BUDGET + 1)
    ]
