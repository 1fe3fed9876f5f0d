"""What people change of ended trials: the newest holds, nothing that was there is ever lost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.app import Laboratory
from labwright.core.errors import InvalidInput, NotFound
from labwright.core.run import Conclusion, Next
from labwright.core.states import TrialState
from labwright.core.trial import Proposal
from labwright.storage.database import Database
from labwright.storage.database.ledger import entries

MEASURED = {"y": 4.0, "z": 1.0}


@pytest.fixture
def laboratory(tmp_path):
    with Opened(tmp_path / "labwright.db") as laboratory:
        yield laboratory


class Opened:
    """A laboratory with a running campaign whose first trial was observed and whose second failed."""

    def __init__(self, path):
        self.database = Database.open(f"sqlite:///{path}")

    def __enter__(self):
        laboratory = Laboratory.of(self.database)
        laboratory.campaigns.add("study", "name: study", "")
        laboratory.campaigns.change("study", "start")
        for conclusion in (
            Conclusion(state=TrialState.OBSERVED, outcomes=MEASURED),
            Conclusion(state=TrialState.FAILED, why="the heater broke"),
        ):
            proposal = Proposal(point={"x": 2.0}, source="fake", reason="why not")
            laboratory.trials.begin("study", [(proposal, Next(conclusion=conclusion))], budget=9, parallel=9)
        return laboratory

    def __exit__(self, *_):
        self.database.close()


def tamper(laboratory, sql):
    with laboratory.database.write() as connection:
        assert connection.exec_driver_sql(sql).rowcount > 0
    return laboratory.verify().problems


def test_a_corrected_trial_shows_the_newest_outcomes_and_keeps_those_that_came_back(laboratory):
    laboratory.corrections.correct("study", 1, {"y": 3.2}, "a typo")
    trial = laboratory.trials.get("study", 1)

    assert trial.outcomes == {"y": 3.2, "z": 1.0}
    assert trial.measured == MEASURED
    assert trial.corrected == "a typo"
    assert laboratory.verify().problems == ()


def test_a_failed_trial_that_is_given_outcomes_is_observed_and_says_what_happened(laboratory):
    trial = laboratory.corrections.correct("study", 2, {"y": 5.0, "z": 0.0}, "read off the chart")

    assert trial.state is TrialState.OBSERVED
    assert trial.measured == {}
    assert trial.remark == "corrected: read off the chart; failed before: the heater broke"
    assert laboratory.trials.get("study", 2) == trial
    assert laboratory.verify().problems == ()


def test_an_excluded_trial_still_uses_budget_and_can_be_included_again(laboratory):
    laboratory.corrections.exclude("study", 1, "a dirty cell")
    excluded = laboratory.trials.get("study", 1)
    laboratory.corrections.include("study", 1, "it was clean")
    included = laboratory.trials.get("study", 1)

    assert (excluded.excluded, excluded.uses_budget) == ("a dirty cell", True)
    assert included.excluded is None
    assert [c.kind for c in laboratory.corrections.of("study", 1)] == ["exclude", "include"]


def test_a_correction_reaches_those_who_look_for_changes(laboratory):
    seen = laboratory.trials.since("study", -1, 99).seq

    laboratory.corrections.exclude("study", 1, "a dirty cell")

    changed = laboratory.trials.since("study", seen, 99).trials
    assert [t.number for t in changed] == [1]


def test_what_makes_no_sense_is_refused_and_leaves_no_entry(laboratory):
    laboratory.trials.propose("study", [Proposal(point={"x": 1.0}, source="person", reason="")], budget=9)
    before = laboratory.verify().entries

    with pytest.raises(InvalidInput, match=r"study/1 is not excluded"):
        laboratory.corrections.include("study", 1, "why")
    with pytest.raises(InvalidInput, match=r"study/3 is proposed: wait until it has ended"):
        laboratory.corrections.correct("study", 3, {"y": 1.0}, "why")
    with pytest.raises(NotFound, match="no trial 9"):
        laboratory.corrections.exclude("study", 9, "why")
    laboratory.corrections.exclude("study", 1, "dirty")
    with pytest.raises(InvalidInput, match="excluded already, because: dirty"):
        laboratory.corrections.exclude("study", 1, "again")

    assert laboratory.verify().entries == before + 1


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("UPDATE corrections SET why = 'no reason'", "correction 1 of trial 1: why"),
        ("UPDATE corrections SET outcomes = '{}'", "correction 1 of trial 1: outcomes"),
        ("UPDATE corrections SET excluded = NULL", "correction 1 of trial 1: excluded"),
        ("UPDATE trials SET corrections = 0 WHERE number = 1", "trial 1: corrections"),
        ("UPDATE trials SET imported = 'abc' WHERE number = 1", "trial 1: imported"),
        ("DELETE FROM corrections", "correction 1 of trial 1"),
    ],
)
def test_verify_sees_a_correction_that_was_tampered_with(laboratory, sql, found):
    laboratory.corrections.exclude("study", 1, "a dirty cell")

    assert any(found in problem for problem in tamper(laboratory, sql))


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("correct"), st.sampled_from("yz"), st.floats(allow_nan=False, allow_infinity=False)),
        st.tuples(st.sampled_from(["exclude", "include"]), st.none(), st.none()),
    ),
    max_size=8,
)


@given(acts=ACTS, number=st.sampled_from([1, 2]))
def test_whatever_is_done_the_newest_holds_and_the_original_is_never_lost(tmp_path_factory, acts, number):
    with Opened(tmp_path_factory.mktemp("acts") / "labwright.db") as laboratory:
        first = laboratory.trials.get("study", number)
        outcomes, excluded, done = dict(first.outcomes), False, []
        for i, (kind, name, value) in enumerate(acts):
            if kind == "correct":
                laboratory.corrections.correct("study", number, {name: value}, f"act {i}")
                outcomes[name] = value
            elif (kind == "exclude") != excluded:
                getattr(laboratory.corrections, kind)("study", number, f"act {i}")
                excluded = not excluded
            else:
                with pytest.raises(InvalidInput):
                    getattr(laboratory.corrections, kind)("study", number, f"act {i}")
                continue
            done.append((kind, f"act {i}"))

        trial = laboratory.trials.get("study", number)
        assert trial.outcomes == outcomes
        assert (trial.excluded is not None) == excluded
        assert [(c.kind, c.why) for c in laboratory.corrections.of("study", number)] == done
        assert (trial.measured if trial.corrected else trial.outcomes) == first.outcomes
        assert laboratory.verify().problems == ()
        with laboratory.database.read() as connection:
            bodies = [json.loads(e.body) for e in entries(connection)]
        ended = next(b for b in bodies if b.get("trial") == number and "outcomes" in b)
        assert ended["outcomes"] == first.outcomes
