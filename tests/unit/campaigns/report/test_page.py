import hashlib
import importlib
import random
import re
from dataclasses import replace

import pytest

from labwright.campaigns.report import write_report
from labwright.core.campaign import Campaign, CampaignRecord, PlugIn
from labwright.core.errors import InvalidInput, MissingExtra
from labwright.core.problem import Desirability, Goal, Objective, Problem
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Space
from labwright.core.states import CampaignState, TrialState
from labwright.core.trial import Proposal, Trial

HOSTILE = "</title></script><script>alert('x')</script>\" onload=\"y\x07"


@pytest.fixture
def trials(observed, ended):
    good = [observed(n, heat=8 * n, found=60 - (8 * n - 40) ** 2 / 40) for n in range(1, 9)]
    return [*good, observed(9, heat=41, found=90, cost=9), ended(10, TrialState.FAILED, "the pot boiled over")]


def test_it_says_what_was_asked_where_it_stands_and_why(page):
    text = page([], state=CampaignState.STOPPED, why="ten proposals in a row were refused").text

    assert "soup Which soup? stopped Ten proposals in a row were refused." in text
    assert "Wanted: yield as high as possible, with cost at most 5 USD." in text


def test_the_best_found_keeps_every_constraint_and_stands_with_its_units(page, trials):
    best = page(trials).section("best")

    assert "Trial 5 of 10 gave yield = 60 % and cost = 1 USD at heat = 40 degC and solvent = water." in best
    assert "It keeps every constraint: cost at most 5 USD (measured 1 USD)." in best


def test_a_best_point_at_the_end_of_a_range_is_said_to_be_there(page, observed):
    assert "0 to 100 degC; this is the highest allowed" in page([observed(1, heat=100, found=1)]).section("best")
    assert "allowed" not in page([observed(1, heat=50, found=1)]).section("best")


def test_nothing_of_it_comes_from_elsewhere(html, trials):
    source = html(trials)

    assert re.findall(r'(?:src|href)="(?!data:)', source) == []
    assert "url(http" not in source and "@import" not in source


def test_the_browser_may_run_only_the_script_that_sorts(page, trials, sha256):
    shown = page(trials)

    assert len(shown.scripts) == 2
    assert all(sha256(asset) in shown.policy for asset in shown.scripts)
    assert shown.policy.startswith("default-src 'none'; img-src data:;")


def test_the_same_trials_give_the_same_page_byte_for_byte(html, trials):
    assert html(trials) == html(trials)


def test_every_picture_says_in_words_what_it_shows(page, trials):
    images = page(trials).images

    assert len(images) == 1 + 1 + 2 + 2 * 2
    assert all(len(image["alt"]) > 30 for image in images)


def test_a_trial_that_breaks_a_constraint_is_marked_in_pictures_and_table(page, trials):
    shown = page(trials)

    assert "breaks a constraint" in shown.drawings[0]
    assert "breaks cost at most 5 USD" in next(row for row in shown.rows if row[0] == "9")
    assert "cost at most 5 USD: kept by 8 of 9 results." in shown.section("limits")


def test_refused_and_failed_trials_are_counted_with_their_reasons(page, trials, ended):
    refused = [ended(n, TrialState.REFUSED, "heat has no limit") for n in (11, 12)]

    course = page([*trials, *refused]).section("course")

    assert "2 proposals were refused or withdrawn: 2 × heat has no limit" in course
    assert "1 trial failed: the pot boiled over" in course


def test_many_different_reasons_are_cut_to_ten(page, ended):
    course = page([ended(n, TrialState.FAILED, f"reason {n}") for n in range(1, 15)]).section("course")

    assert "and 4 other reasons, in the table below" in course


def test_the_table_holds_every_trial_whatever_became_of_it(page, trials, ended):
    states = [TrialState.REFUSED, TrialState.WAITING, TrialState.UNKNOWN, TrialState.WITHDRAWN, TrialState.RUNNING]
    others = [ended(n, state, f"why {n}") for n, state in enumerate(states, start=11)]

    rows = page([*trials, *others]).rows[-15:]

    assert [row[0] for row in rows] == [str(n) for n in range(1, 16)]
    assert [row[1] for row in rows[-5:]] == ["refused", "waiting", "unknown", "withdrawn", "running"]
    assert [row[-2] for row in rows[-5:]] == [f"why {n}" for n in range(11, 16)]
    assert rows[4][-2:] == ["the best found", "gp: reason 5"]


def test_what_else_was_measured_has_a_column_too(page, observed):
    rows = page([observed(1, heat=1, found=1), observed(2, heat=2, found=2, colour=7.0)]).rows[-3:]

    assert rows[0][4:7] == ["yield [%]", "cost [USD]", "colour"]
    assert [row[6] for row in rows[1:]] == ["", "7"]


def test_the_file_its_digest_and_the_time_stand_at_the_end(page):
    shown = page([], text="name: soup\n# 5 < 6 & 7\n")

    assert "# 5 < 6 & 7" in shown.section("file")
    assert hashlib.sha256(b"name: soup\n# 5 < 6 & 7\n").hexdigest() in shown.section("footer")
    assert "Report written 2026-01-02 03:04 UTC" in shown.section("footer")


def test_hostile_words_are_shown_and_never_become_markup(page):
    space = Space(parameters=(Categorical(name=HOSTILE, levels=(HOSTILE, "b")), Continuous(name="$x$", low=0, high=1)))
    asked = Problem(space=space, objectives=(Objective(name=f"y{HOSTILE}", goal=Goal.MINIMIZE, unit=HOSTILE),))
    proposals = [Proposal(point={HOSTILE: HOSTILE, "$x$": n / 9}, source=HOSTILE, reason=HOSTILE) for n in range(6)]
    results = [
        Trial(number=n, proposal=p, state=TrialState.OBSERVED, outcomes={f"y{HOSTILE}": n**0.5, HOSTILE: 1.0})
        for n, p in enumerate(proposals, start=1)
    ]
    failed = Trial(number=7, proposal=proposals[0], state=TrialState.FAILED, why=HOSTILE)

    shown = page([*results, failed], asked=asked, name=HOSTILE, question=HOSTILE, why=HOSTILE, text=HOSTILE)

    assert [tag for tag, _ in shown.tags].count("script") == 1
    assert not any("onload" in attributes for _, attributes in shown.tags)
    assert "alert('x')" in shown.section("best") and "\x07" not in shown.source
    assert not any("<script" in drawing or "\x07" in drawing for drawing in shown.drawings)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_a_campaign_that_has_just_begun_has_a_page(page, observed, count):
    shown = page([observed(n, heat=n, found=n) for n in range(1, count + 1)], state=CampaignState.RUNNING)

    assert ("Nothing has been tried yet." in shown.text) == (count == 0)
    assert ("The model's fit is shown from 4 results on" in shown.text) == (count < 4)


def test_equal_results_have_a_page(page, observed):
    shown = page([observed(n, heat=50, found=3) for n in range(1, 7)])

    assert "The model cannot tell yet what yield depends on" in shown.section("model")


@pytest.mark.parametrize("values", [(1e308, -1e308, 0), (1e-300, 2e-300, 3e-300), (1e15, 1e15 + 1, 1e15 + 2)])
def test_values_at_the_ends_of_what_a_number_can_hold_have_a_page(page, observed, values):
    shown = page([observed(n, heat=n, found=values[n % 3]) for n in range(1, 7)])

    assert f"yield = {max(values):.6g} %" in shown.section("best")


def test_a_campaign_in_which_all_failed_says_so(page, ended):
    shown = page([ended(n, TrialState.FAILED, "no power") for n in (1, 2, 3)])

    assert "Nothing yet: of 3 trials none gave a result." in shown.section("best")
    assert "3 trials failed: 3 × no power" in shown.section("course")
    assert "failed" in shown.drawings[0]
    assert "No result counts yet." in shown.section("course")


def test_each_trial_without_a_result_stands_with_its_reason_word_for_word(page, ended):
    shown = page(
        [
            ended(1, TrialState.UNKNOWN, "run 9: bench cannot say"),
            ended(2, TrialState.WAITING, "heat > 2 degC needs ada"),
            ended(3, TrialState.FAILED, "bench.py:heat raised ValueError"),
        ]
    )

    for words in (
        "1 trial unknown; a person must look and decide: Trial 1: run 9: bench cannot say",
        "1 trial waiting for the approval of people: Trial 2: heat > 2 degC needs ada",
        "1 trial failed: Trial 3: bench.py:heat raised ValueError",
    ):
        assert words in shown.section("attention")


def test_without_a_feasible_result_it_says_how_near_the_nearest_came(page, observed):
    shown = page([observed(1, heat=1, found=1, cost=9), observed(2, heat=2, found=2, cost=6)])

    assert "Nothing yet: of 2 results none keeps every constraint." in shown.section("best")
    assert "cost at most 5 USD: kept by none; trial 2 came nearest with 6 USD." in shown.section("best")


def test_each_objective_has_its_pictures_and_its_best(page, problem, observed):
    speed = Objective(name="speed", goal=Goal.MATCH, target=3.0, unit="m/s")
    asked = replace(problem, objectives=(*problem.objectives, speed))
    shown = page([observed(n, heat=n, found=n, speed=float(n)) for n in range(1, 6)], asked=asked)

    best = shown.section("best")
    assert "3 trials are on the front of yield and speed: none of them is better in everything than another." in best
    assert "They keep every constraint: cost at most 5 USD." in best
    assert ["5", "5", "5", "1", "5", "water"] in shown.rows
    assert [row[-2] for row in shown.rows[-5:]] == ["", "", "on the front", "on the front", "on the front"]
    assert "trials on the front" in shown.text
    assert "What speed depends on" in shown.section("parameters")


def test_the_volume_of_a_front_is_drawn_over_the_trials(page, problem, observed):
    speed = Objective(name="speed", goal=Goal.MINIMIZE, unit="m/s", worst=10.0)
    asked = replace(problem, objectives=(*problem.objectives, speed))
    shown = page([observed(n, heat=n, found=n, speed=n**2 / 5) for n in range(1, 7)], asked=asked)

    course = shown.section("course")
    assert "After trial 5 of 6 it had 90 % of what it has now, or more." in course
    assert "It is counted from yield = 0.5 % and speed = 10 m/s." in course
    assert "hypervolume of the front" in shown.drawings[1]
    assert "speed as low as possible (of use from 10 m/s on)" in shown.text


def test_three_objectives_are_shown_in_pairs(page, problem, observed):
    more = [Objective(name=n, goal=Goal.MINIMIZE) for n in ("speed", "waste")]
    asked = replace(problem, objectives=(*problem.objectives, *more))
    shown = page([observed(n, heat=n, found=n, speed=9.0 - n, waste=n % 3) for n in range(1, 6)], asked=asked)

    best = shown.section("best")
    assert all(f"{pair};" in best for pair in ("speed against yield", "waste against yield", "waste against speed"))


def test_a_front_without_any_result_that_counts_says_why(page, problem, observed):
    asked = replace(problem, objectives=(*problem.objectives, Objective(name="speed", goal=Goal.MINIMIZE)))
    shown = page([observed(1, heat=1, found=1, cost=9, speed=1.0), observed(2, heat=1, found=1)], asked=asked)

    assert "No result counts yet" in shown.section("course")
    assert "Nothing yet" in shown.section("best")


def test_a_desirability_is_told_and_drawn_as_what_is_wanted(page, problem, observed):
    wished = replace(problem.objective, desirability=Desirability(worst=0, best=10))
    speed = Objective(
        name="speed", goal=Goal.MATCH, target=3.0, unit="m/s", desirability=Desirability(worst=8, weight=2, shape=0.5)
    )
    asked = replace(problem, objectives=(wished, speed))
    shown = page([observed(n, heat=n, found=n, speed=float(n)) for n in range(1, 6)], asked=asked)

    best = shown.section("best")
    assert "yield = 4 %, speed = 4 m/s and cost = 1 USD , a desirability of 0.68399," in best
    assert "The best so far went from 0.391487 in trial 1 to 0.68399 in trial 4." in shown.section("course")
    assert "speed to match 3 m/s (worst 8 m/s, weight 2, shape 0.5)" in shown.text
    assert "desirability" in shown.drawings[0]


def test_a_large_campaign_stays_small(html):
    rng = random.Random(1)
    space = Space(
        parameters=(
            Continuous(name="a", low=1, high=1e5, log=True),
            Discrete(name="b", values=(1.0, 2.0, 4.0)),
            Ordinal(name="c", levels=("low", "high")),
            Categorical(name="d", levels=tuple(f"a ligand with a long name {n}" for n in range(40))),
        )
    )
    asked = Problem(space=space, objectives=(Objective(name="y", goal=Goal.MAXIMIZE),))

    def trial(number):
        point = {"a": 10 ** rng.uniform(0, 5), "b": rng.choice(space["b"].values), "c": rng.choice(space["c"].levels)}
        point["d"] = rng.choice(space["d"].levels)
        proposal = Proposal(point=point, source="gp", reason="expected improvement: y predicted 4.6 ± 0.3")
        return Trial(number=number, proposal=proposal, state=TrialState.OBSERVED, outcomes={"y": rng.gauss(0, 1)})

    source = html([trial(number) for number in range(1, 1001)], asked=asked)

    assert len(source) < 5_000_000
    assert "the model shown here saw 20" in source


@pytest.fixture
def soup(problem):
    campaign = Campaign(
        name="soup",
        question="Which?",
        problem=problem,
        procedure=(),
        resources={},
        planner=PlugIn(kind="gp"),
        seed=1,
        trials=2,
        limits={},
        text="",
    )
    state = CampaignState.RUNNING
    return campaign, CampaignRecord(
        name="soup", digest="0" * 64, text="", folder=".", state=state, why=None, created_at=""
    )


def test_a_place_that_cannot_be_written_to_is_named(tmp_path, soup):
    with pytest.raises(InvalidInput, match=r"cannot be written to .*no such folder.*: No such file or directory"):
        write_report(tmp_path / "no such folder" / "x.html", *soup, [])


def test_without_matplotlib_the_extra_is_named_and_nothing_is_written(tmp_path, soup, observed, monkeypatch):
    def absent(name, *others):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)

    with pytest.raises(MissingExtra, match=re.escape("pip install '.[plots]'")):
        write_report(tmp_path / "x.html", *soup, [observed(1, heat=1, found=1)])
    assert list(tmp_path.iterdir()) == []
