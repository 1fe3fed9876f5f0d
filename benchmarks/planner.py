"""How many experiments the planner needs on measured tables, beside other planners and random choice.

    python benchmarks/planner.py --run           play what is not yet on record, for hours; goes on where it was
    python benchmarks/planner.py --json          what is on record, and one line of figures
    python benchmarks/planner.py --quick --json  ours alone against random choice, 5 seeds, budget 40, now

A campaign chooses rows of a table, one at a time, until it has the best one or its budget is spent. What it needed to a
row of the best 5 %, of the best 1 % (at least one row) and to the best counts; budget + 1 where it did not get there.
What each figure is stands in docs/explanation/planner-evidence.md.
"""

import os

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import json
import statistics
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table as Grid

from labwright.planning.gp import GaussianProcessPlanner
from planner import peers, pools, speed, transfer
from planner.arena import BUDGET, LIBRARIES, AnyTable, Run, all_tables, code_of, on_record, play
from planner.emulator import SUFFIX, all_emulated
from planner.picture import draw
from planner.score import Ratio, random_mean, ratio
from planner.tables import LEFT_OUT, TABLES, Table, read

SHARES = {"top 5 %": 0.05, "top 1 %": 0.01, "best row": 0.0}
OURS, OUR_SEEDS, THEIR_SEEDS = "gp", 20, 8
PEERS = ("ax", "baybe", "botorch")
CONTINUOUS = ("ax", "optuna")  # those that choose any number, and are handicapped where only rows of a table exist
FIGURES = (
    "vs_ax_top1",
    "vs_ax_top1_low",
    "vs_baybe_top1",
    "vs_baybe_top1_low",
    "left_out_top1",
    "ask_cpu_ms_n50",
    "ask_cpu_ms_n500",
    "refit_s_n500",
    "ask_cpu_ms_n2000",
    "refit_s_n2000",
    "pool_1e6_s",
    "transfer_gain",
    "shuffled_cost",
    "random_over_gp_top1",
    "vs_ax_continuous_top1",
    "vs_optuna_continuous_top1",
)
SPEED = "crossed_barrel"
screen = Console(stderr=True)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=TABLES, help="the folder of the measured tables")
    parser.add_argument("--run", action="store_true", help="play what is missing into benchmarks/results")
    parser.add_argument("--quick", action="store_true", help="ours alone, 5 seeds, budget 40; writes nothing down")
    parser.add_argument("--only", nargs="+", help="names of tables, with --quick")
    parser.add_argument("--json", action="store_true", help="end with one line of figures")
    return parser.parse_args()


def quickly(job: tuple[Path, int]) -> Run:
    """Play one campaign of 40 trials."""
    table = read(job[0])
    assert table is not None
    return play(GaussianProcessPlanner(), OURS, table, job[1], budget=40)


def quick(folder: Path, only: Sequence[str] | None) -> list[Run]:
    """Play five seeds on every table, two at a time."""
    jobs = [(folder / t.name, seed) for t in all_tables(folder) if not only or t.name in only for seed in range(5)]
    with get_context("spawn").Pool(min(2, os.cpu_count() or 1)) as pool:
        return list(track(pool.imap_unordered(quickly, jobs), "Playing", total=len(jobs), console=screen))


def current(planner: str) -> list[Run]:
    """Return the runs on record of a planner as it is now; those of other code are another planner's."""
    runs = [r for r in on_record(planner) if r.budget == BUDGET]
    code = peers.code(planner) if planner in LIBRARIES else code_of(planner)
    return [r for r in runs if r.code == code]


def against(
    tables: Sequence[AnyTable], runs: dict[str, list[Run]], names: Sequence[str], kind: str
) -> dict[str, Ratio | None]:
    """Print how many experiments the others need over ours; return the ratios to the top 1 % on all tables."""
    grid = Grid(title=f"Experiments of others over ours, {kind}, budget {BUDGET}, by table and seed; 95 % intervals")
    for heading in ("planner", "tables", *SHARES, "runs"):
        grid.add_column(heading, justify="left" if heading in ("planner", "tables") else "right")
    for name in names:
        for words, some in _groups(tables).items():
            found = [ratio(some, runs[OURS], runs[name], share) for share in SHARES.values()]
            count = sum(r.table in {t.name for t in some} for r in runs[name])
            grid.add_row(name, words, *map(_told, found), str(count))
    Console(width=130).print(grid)
    return {name: ratio(tables, runs[OURS], runs[name], SHARES["top 1 %"]) for name in names}


def _groups(tables: Sequence[AnyTable]) -> dict[str, list[AnyTable]]:
    out = [t for t in tables if t.name.removesuffix(SUFFIX) in LEFT_OUT]
    return {"all": list(tables), "choices were made on": [t for t in tables if t not in out], "left out": out}


def _told(found: Ratio | None) -> str:
    return "null" if found is None else f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"


def table_by_table(tables: Sequence[Table], runs: dict[str, list[Run]], budget: int) -> float | None:
    """Print every table's means to the top 1 %; return the geometric mean of random choice over ours."""
    grid = Grid(title="Mean experiments to the top 1 %, and the area under the curve of the best so far")
    shown = [name for name in (OURS, *PEERS) if runs.get(name)]
    for heading in ("table", "rows", "random", *shown, *(f"area {name}" for name in shown)):
        grid.add_column(heading, justify="left" if heading == "table" else "right")
    over = []
    for table in tables:
        good, of = table.top(0.01)[1], {n: [r for r in runs[n] if r.table == table.name] for n in shown}
        chance = random_mean(len(table.outcomes), good, budget)
        means = {n: statistics.mean(r.needed(good) for r in found) for n, found in of.items() if found}
        areas = {n: statistics.mean(r.area for r in found) for n, found in of.items() if found}
        if OURS in means:
            over.append(chance / means[OURS])
        cells = [f"{means[n]:.1f}" if n in means else "" for n in shown]
        cells += [f"{areas[n]:.3f}" if n in areas else "" for n in shown]
        name = f"{table.name} (left out)" if table.name in LEFT_OUT else table.name
        grid.add_row(name, str(len(table.outcomes)), f"{chance:.1f}", *cells)
    Console(width=150).print(grid)
    return round(statistics.geometric_mean(over), 3) if over else None


def transferred(figures: dict[str, float | None], folder: Path) -> None:
    """Print what earlier campaigns save, and cost with their outcomes shuffled; fill in the two figures."""
    found = transfer.measured(folder)
    if found.missing:
        print(f"Transfer: {found.missing} runs of the present code are not on record; --run plays them.")
    grid = Grid(title=f"Geometric mean of the experiments to the top 1 %, {transfer.SEEDS} seeds, with a source")
    for heading in ("from and to", "source", "experiments"):
        grid.add_column(heading)
    for case, kind, mean in transfer.needed(folder):
        grid.add_row(case, kind, f"{mean:.1f}")
    Console(width=100).print(grid)
    print(f"No source over a source: {_told(found.gain)}; without what tables share by error: {_told(found.apart)}.")
    if found.gain and found.cost and not found.missing:
        worst = max(found.cost.by_table, key=lambda case: found.cost.by_table[case])
        print(f"Shuffled over no source: {_told(found.cost)}; worst {found.cost.by_table[worst]:.2f}, {worst}.")
        figures["transfer_gain"], figures["shuffled_cost"] = round(found.gain.mean, 3), round(found.cost.mean, 3)


def everything() -> list[peers.Part]:
    """Return what is to be on record."""
    seeds = {OURS: OUR_SEEDS} | dict.fromkeys((*PEERS, "optuna"), THEIR_SEEDS)
    rows = peers.parts({name: seeds[name] for name in (OURS, *PEERS)}, continuous=False)
    return rows + peers.parts({name: seeds[name] for name in (OURS, *CONTINUOUS)}, continuous=True)


def timed(tables: Sequence[Table], figures: dict[str, float | None]) -> None:
    """Measure what one choice costs."""
    table = next((t for t in tables if t.name == SPEED), None)
    if table is None:
        print(f"ask_cpu_ms_n50 was not measured: the table {SPEED} is not there.")
    else:
        figures["ask_cpu_ms_n50"] = round(speed.ask_cpu_ms(table, 50), 1)
    for observations in (500, 2000):
        ask, fit = speed.between_fits(observations)
        figures[f"ask_cpu_ms_n{observations}"] = round(1000 * ask, 1)
        figures[f"refit_s_n{observations}"] = round(fit, 2)
    figures["pool_1e6_s"] = round(screened(), 2)


def screened(histories: int = 10) -> float:
    """Print what a choice from a million candidates costs and loses; return the slower pool's CPU seconds."""
    grid = Grid(title=f"One choice of {pools.ROWS:,} candidates, {pools.COLUMNS} columns, {pools.OBSERVATIONS} trials")
    for heading in ("pool", "first, CPU s", "later, CPU s", "log gain lost, mean", "at most", "best of all chosen"):
        grid.add_column(heading, justify="left" if heading == "pool" else "right")
    found = {categories: pools.choices(categories, histories) for categories in (0, 2)}
    for categories, c in found.items():
        words = f"{categories} categories of {len(pools.LEVELS)}" if categories else "numbers"
        lost = [f"{statistics.mean(c.regrets):.4f}", f"{max(c.regrets):.4f}"]
        grid.add_row(words, f"{c.first_s:.2f}", f"{c.median_s:.2f}", *lost, f"{c.exact} of {histories}")
    Console(width=120).print(grid)
    return max(c.median_s for c in found.values())


def compare(folder: Path, tables: Sequence[Table], figures: dict[str, float | None]) -> dict[str, list[Run]]:
    """Fill in the ratios from what is on record; say what is missing; return the runs on rows of tables."""
    runs = told(tables, (OURS, *PEERS), "rows of tables")
    for name, found in against(tables, runs, PEERS, "rows of tables").items():
        if found is not None and f"vs_{name}_top1" in FIGURES:
            figures[f"vs_{name}_top1"], figures[f"vs_{name}_top1_low"] = round(found.mean, 3), round(found.low, 3)
    out = [t for t in tables if t.name in LEFT_OUT]
    left = [ratio(out, runs[OURS], runs[name], SHARES["top 1 %"]) for name in ("ax", "baybe")]
    figures["left_out_top1"] = round(min(r.mean for r in left if r), 3) if all(left) else None
    continuous = list(all_emulated(folder))
    free = told(continuous, (OURS, *CONTINUOUS), "any number")
    for name, found in against(continuous, free, CONTINUOUS, "any number").items():
        figures[f"vs_{name}_continuous_top1"] = round(found.mean, 3) if found else None
    return runs


def told(tables: Sequence[AnyTable], planners: Sequence[str], kind: str) -> dict[str, list[Run]]:
    """Return the planners' runs on some tables that are on record; say how many are not."""
    names = {t.name for t in tables}
    runs = {name: [r for r in current(name) if r.table in names] for name in planners}
    for name, found in runs.items():
        wanted = (OUR_SEEDS if name == OURS else THEIR_SEEDS) * len(tables)
        if len(found) < wanted:
            print(f"{name}, {kind}: {len(found)} of {wanted} runs are on record; --run plays the others.")
    return runs


def main() -> None:
    """Play, look up, measure, show."""
    chosen = arguments()
    tables = [t for t in all_tables(chosen.tables) if not chosen.only or t.name in chosen.only]
    figures: dict[str, float | None] = dict.fromkeys(FIGURES)
    if not tables:
        print(f"No measured tables in {chosen.tables}: nothing was played.")
    elif chosen.quick:
        runs = {OURS: quick(chosen.tables, chosen.only)}
        figures["random_over_gp_top1"] = table_by_table(tables, runs, 40)
    else:
        if chosen.run:
            peers.play_all(everything(), screen)
            transfer.play_missing(chosen.tables)
        runs = compare(chosen.tables, tables, figures)
        transferred(figures, chosen.tables)
        figures["random_over_gp_top1"] = table_by_table(tables, runs, BUDGET)
        if chosen.run:
            draw(tables, runs)
    timed(tables, figures)
    if chosen.json:
        print(json.dumps({"name": "planner", "figures": figures}))


if __name__ == "__main__":
    main()
