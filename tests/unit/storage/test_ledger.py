"""The chain of hashes, and what a flipped byte, a cut tail or a changed row does to it."""

import re

import pytest

from labwright.app import Laboratory
from labwright.core.command import Failure, Measurement, Observation
from labwright.core.errors import InvalidTransition, Overtaken
from labwright.core.run import Conclusion, NewRun, Next
from labwright.core.states import TrialState
from labwright.core.trial import Prediction, Proposal
from labwright.core.verdict import Decision, Verdict
from labwright.storage.database import Database

PROPOSAL = Proposal(
    point={"x": 0.1}, source="fake", reason="why not", predictions={"y": Prediction(mean=1.0, sd=0.5)}, p_feasible=0.9
)
SEEN = Observation(values={"y": Measurement(value=0.01, unit="mm", sd=0.001)})


@pytest.fixture
def laboratory(database_url):
    database = Database.open(database_url)
    laboratory = Laboratory.of(database)
    laboratory.campaigns.add("study", "name: study", "")
    laboratory.campaigns.change("study", "start")
    yield laboratory
    database.close()


def run_of(command_id, step=0):
    asked = {"resource": "bench", "key": "bench", "capability": "measure", "inputs": {"x": 0.1}}
    return NewRun(step=step, command_id=command_id, **asked)


def queue(laboratory, command_id="c1"):
    """Begin a trial; return its queued run, or None where there is no room for it."""
    begun = [(PROPOSAL, Next(runs=(run_of(command_id),)))]
    if not laboratory.trials.begin("study", begun, budget=2, parallel=2):
        return None
    return laboratory.runs.of("study")[-1]


def begin(laboratory, command_id="c1"):
    """Begin a trial and claim its run."""
    return claim(laboratory, queue(laboratory, command_id))


def claim(laboratory, run):
    [claimed] = laboratory.runs.claim([run], {"bench": 2})
    return claimed


def ends(state=TrialState.OBSERVED, **found):
    return lambda point, trial, runs: Next(conclusion=Conclusion(state=state, **found))


OBSERVED = ends(outcomes={"y": 0.01})


def finish(laboratory, run, outcome=SEEN):
    laboratory.runs.end(run, outcome, OBSERVED)


def tamper(laboratory, sql):
    with laboratory.database.write() as connection:
        assert connection.exec_driver_sql(sql).rowcount > 0
    return laboratory.verify().problems


def test_what_was_recorded_reads_back_equal(laboratory):
    finish(laboratory, begin(laboratory))

    trial, run = laboratory.trials.of("study")[0], laboratory.runs.of("study")[0]

    assert trial.proposal == PROPOSAL
    assert trial.outcomes == {"y": 0.01}
    assert run.outcome == SEEN
    assert laboratory.verify().problems == ()


def test_a_result_that_is_not_a_number_is_kept_as_it_came(laboratory):
    odd = Observation(values={"y": Measurement(value=float("inf"))})
    laboratory.runs.end(begin(laboratory), odd, ends(TrialState.FAILED, why="not finite"))

    assert laboratory.runs.of("study")[0].outcome == odd
    assert laboratory.verify().problems == ()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "UPDATE ledger SET body = replace(body, '0.1', '0.2') WHERE kind = 'trial.running'",
            "entry 3 .*changed after",
        ),
        ("UPDATE ledger SET at = '2000-01-01' WHERE seq = 2", "entry 2 .*changed after"),
        ("DELETE FROM ledger WHERE seq = 3", "entry 3 is missing"),
        ("DELETE FROM ledger WHERE seq = (SELECT max(seq) FROM ledger)", "the tables and the ledger differ"),
        ("UPDATE trials SET outcomes = '{\"y\":9}'", "differ on trial 1: outcomes"),
        ("UPDATE trials SET state = 'failed'", 'differ on trial 1: trial state: "failed" against "observed"'),
        ("UPDATE runs SET state = 'failed'", "differ on run 1: run state"),
        ("UPDATE runs SET outcome = '{}'", "differ on run 1: outcome"),
        ("UPDATE trials SET proposal = replace(proposal, 'why', 'who')", "differ on trial 1: proposal"),
        ("UPDATE members SET inputs = '{}'", "differ on run 1 for trial 1: inputs"),
        ("UPDATE runs SET command_id = 'other'", "differ on run 1: command id"),
        ("UPDATE runs SET epoch = 7", "differ on run 1: epoch: 7 against 1"),
        ("UPDATE trials SET why = 'because'", "differ on trial 1: why"),
        ("DELETE FROM members", "differ on run 1 for trial 1: inputs: nothing against"),
        ("UPDATE ledger SET body = 'x' || body WHERE seq = 3", "entry 3 .*changed after"),
        (
            "INSERT INTO trials (id, campaign_id, number, state, proposal, outcomes, proposed_at) "
            "SELECT 9, 1, 9, state, proposal, outcomes, proposed_at FROM trials",
            "trial 9",
        ),
        ("UPDATE campaigns SET text = 'name: other'", "differ on text"),
        ("UPDATE campaigns SET state = 'finished'", "differ on campaign state"),
    ],
)
def test_a_change_behind_the_ledgers_back_is_named(laboratory, sql, words):
    finish(laboratory, begin(laboratory))
    assert laboratory.verify().problems == ()

    problems = tamper(laboratory, sql)

    assert any(re.search(words, problem) for problem in problems), problems


def test_a_forged_entry_with_a_right_hash_still_breaks_the_chain_after_it(laboratory):
    from labwright.core.ledger import entry_hash
    from labwright.storage.database.ledger import entries

    finish(laboratory, begin(laboratory))
    with laboratory.database.read() as connection:
        second = list(entries(connection))[1]
    forged = entry_hash(second.stream, 2, second.at, second.kind, "{}", second.previous)

    problems = tamper(laboratory, f"UPDATE ledger SET body = '{{}}', hash = '{forged}' WHERE seq = 2")

    assert "entry 3" in problems[0]
    assert "does not follow" in problems[0]


def test_the_budget_is_counted_in_the_transaction_that_spends_it(laboratory):
    assert queue(laboratory, "a") is not None
    laboratory.trials.refuse("study", PROPOSAL, Verdict(decision=Decision.REFUSE, reasons=("no",)))
    assert queue(laboratory, "b") is not None

    assert queue(laboratory, "c") is None
    assert [t.state for t in laboratory.trials.of("study")] == ["running", "refused", "running"]


def test_a_state_that_another_process_changed_first_is_not_overwritten(laboratory):
    run = queue(laboratory)
    claim(laboratory, run)

    assert laboratory.runs.claim([run], {"bench": 2}) == []

    assert laboratory.verify().problems == ()


def test_a_worker_with_a_stale_epoch_is_refused(laboratory):
    stale = begin(laboratory)
    newer = laboratory.runs.adopt(stale)

    with pytest.raises(Overtaken):
        laboratory.runs.end(stale, SEEN, OBSERVED)

    laboratory.runs.note_late(stale, SEEN)
    assert laboratory.runs.late(newer) == [SEEN]
    laboratory.runs.end(newer, SEEN, OBSERVED)
    assert laboratory.verify().problems == ()


def test_a_run_that_has_ended_cannot_end_again(laboratory):
    run = begin(laboratory)
    finish(laboratory, run)

    with pytest.raises(InvalidTransition):
        laboratory.runs.end(laboratory.runs.get(run.id), Failure(reason="late"), OBSERVED)


def test_a_transaction_that_fails_leaves_nothing(laboratory):
    with pytest.raises(ZeroDivisionError), laboratory.database.write() as connection:
        connection.exec_driver_sql("UPDATE campaigns SET state = 'failed'")
        raise ZeroDivisionError

    assert laboratory.campaigns.get("study").state == "running"


def test_the_migrations_make_the_tables_that_the_code_uses(laboratory):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from labwright.storage.database.schema import metadata

    with laboratory.database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
