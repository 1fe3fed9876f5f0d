"""The benchmark of the planner on a table made for it: what it counts, and what it does not play twice."""

import json
import math
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from labwright.planning.gp import GaussianProcessPlanner

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from planner import arena, emulator, score, tables  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "hill").mkdir()
    meta = {
        "name": "hill",
        "parameters": [{"name": n, "kind": "continuous"} for n in ("a", "b")],
        "objective": {"name": "y", "goal": "maximize"},
        "composition_total": None,
    }
    (tmp_path / "hill" / "meta.json").write_text(json.dumps(meta))
    rows = [(a / 10, b / 10) for a in range(11) for b in range(11)]
    lines = [f"{a},{b},{-((a - 0.7) ** 2) - (b - 0.2) ** 2}" for a, b in rows]
    (tmp_path / "hill" / "data.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
    return tmp_path


@pytest.fixture
def table(folder):
    return tables.read(folder / "hill")


def run(ranks, *, planner="gp", code="1", seed=0, budget=60, table="hill"):
    return arena.Run(
        planner=planner, code=code, table=table, seed=seed, budget=budget, trials=9, ranks=ranks, area=0.1, cpu_s=1.0
    )


def test_a_campaign_ends_at_the_best_row_and_tells_how_many_were_better_on_the_way(table):
    played = arena.play(GaussianProcessPlanner(), "gp", table, 0)

    assert played.ranks.split()[-1] == f"{played.trials}:0"
    assert played.trials < 30
    better = [int(change.split(":")[1]) for change in played.ranks.split()]
    assert better == sorted(better, reverse=True)


def test_what_a_run_needed_is_read_from_its_ranks_and_one_that_did_not_get_there_counts_one_more():
    played = run("1:80 4:12 9:3")

    assert [played.needed(good) for good in (100, 13, 12, 4, 3)] == [1, 4, 9, 9, 61]


def test_the_top_of_a_table_is_a_row_at_least_and_takes_in_those_that_are_as_good(table):
    assert table.top(0.0) == (table.losses[0], 1)
    limit, rows = table.top(0.05)
    assert rows == sum(loss <= limit for loss in table.losses) >= 6


def test_a_run_on_record_is_not_played_again_and_other_code_is_another_planner(table, tmp_path, monkeypatch):
    monkeypatch.setattr(arena, "RESULTS", tmp_path)
    monkeypatch.setattr(arena, "code_of", lambda planner: "1")
    arena.keep(run("1:3", seed=1))
    arena.keep(run("1:3", seed=2, code="0"))

    assert [seed for _, seed in arena.missing("gp", range(4), [table])] == [0, 2, 3]
    assert [r.seed for r in arena.on_record("gp")] == [1, 2]


def test_a_ratio_is_the_geometric_mean_over_tables_of_pairs_with_the_same_seed(table):
    ours = [run("1:80 5:0", seed=s) for s in range(4)] + [run("1:0", seed=9)]
    theirs = [run("1:80 10:0", seed=s, planner="other") for s in (0, 1)]
    theirs += [run("1:80 20:0", seed=s, planner="other") for s in (2, 3)]

    found = score.ratio([table], ours, theirs, 0.0)

    assert found.mean == pytest.approx(math.sqrt(2 * 4))
    assert 2 <= found.low <= found.mean <= found.high <= 4
    assert score.ratio([table], ours, [], 0.0) is None


def test_what_random_choice_needs_is_its_expectation():
    generator = random.Random(0)
    drawn = [min(min(generator.sample(range(40), 3)) + 1, 11) for _ in range(20_000)]

    assert score.random_mean(40, 3, 10) == pytest.approx(np.mean(drawn), rel=0.02)


def test_an_emulated_table_is_smooth_and_stays_within_what_was_measured(folder):
    (emulated,) = emulator.all_emulated(folder)

    values = [emulated.outcome({"a": a, "b": 0.2}) for a in np.linspace(0, 1, 201)]

    assert emulated.name == "hill (continuous)"
    assert min(emulated.outcomes) <= min(values) <= max(values) <= max(emulated.outcomes)
    assert np.abs(np.diff(values)).max() < 0.02
    assert len(emulated.losses) == emulator.POINTS
    assert np.linspace(0, 1, 201)[np.argmax(values)] == pytest.approx(0.7, abs=0.06)


def test_a_table_that_its_neighbours_do_not_tell_of_is_not_emulated(folder):
    file = folder / "hill" / "data.csv"
    head, *rows = file.read_text().splitlines()
    outcomes = np.random.default_rng(0).standard_normal(len(rows))
    file.write_text("\n".join([head, *(f"{r.rsplit(',', 1)[0]},{y}" for r, y in zip(rows, outcomes, strict=True))]))

    assert list(emulator.all_emulated(folder)) == []


def test_where_no_tables_are_every_figure_of_them_is_null(tmp_path):
    command = [sys.executable, ROOT / "benchmarks" / "planner.py", "--json", "--quick", "--tables", tmp_path]

    told = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout.splitlines()

    figures = json.loads(told[-1])["figures"]
    assert told[0] == f"No measured tables in {tmp_path}: nothing was played."
    assert figures["vs_ax_top1"] is None
    assert figures["refit_s_n500"] > 0
