"""Approvals on record: asked, signed, refused, late, void."""

import json
import time
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from labwright.core.approval import ApprovalState, Demand, Question, Say, sealed
from labwright.core.errors import InvalidTransition, NotAuthorised, NotFound, Overtaken, PlatformError
from labwright.core.values import digest
from labwright.storage.approvals import Approvals, ask, facts, verdict
from labwright.storage.database import Database
from labwright.storage.database.ledger import entries
from labwright.storage.database.schema import campaigns, trials
from labwright.storage.people import People

CONTENT = '{"point":{"current":[2.5,"A"]}}'
QUESTION = Question(content=CONTENT, reasons=("high",), demands=(Demand(),), expires_s=60.0)
NAMES = ("ada", "grace", "linus")


class Bench:
    """A database with three people and as many waiting trials as are asked for."""

    def __init__(self, path):
        self.late_s = 0.0
        self.database = Database.open(f"sqlite:///{path}/labwright.db", clock=lambda: time.time() + self.late_s)
        self.people, self.approvals, self.numbers = People(self.database), Approvals(self.database), count(1)
        self.asked: dict[int, Question] = {}
        campaign = {"name": "study", "digest": "", "text": "", "folder": "", "state": "running", "created_at": ""}
        with self.database.write() as connection:
            connection.execute(insert(campaigns).values(**campaign))
        for name in NAMES:
            self.people.add(name, f"hash of {name}", by=None if name == "ada" else self.people.get("ada"))

    def wait(self, *demands) -> int:
        number = next(self.numbers)
        row = {"id": number, "campaign_id": 1, "number": number, "state": "waiting", "proposal": "{}", "outcomes": "{}"}
        self.asked[number] = question = replace(QUESTION, demands=demands or QUESTION.demands)
        with self.database.write() as connection:
            connection.execute(insert(trials).values(**row, proposed_at=""))
            ask(connection, number, question)
        return number

    def sign(self, number, name, say=Say.APPROVE, seen=None, why=None):
        seen = seen or self.approvals.of("study", number).digest
        return self.approvals.sign("study", number, person=self.people.get(name), say=say, seen=seen, why=why)

    def verdict(self, number, would_ask=None):
        with self.database.write() as connection:
            return verdict(connection, number, would_ask or self.asked[number])

    def sql(self, text):
        with self.database.write() as connection:
            connection.exec_driver_sql(text)

    def kinds(self):
        with self.database.read() as connection:
            return [e.kind for e in entries(connection, "campaign/study") if e.kind.startswith("approval")]

    def agrees(self) -> bool:
        """Whether the last word of the ledger on each approval is what the tables say."""
        told: dict[tuple[str, int], dict[str, object]] = {}
        with self.database.read() as connection:
            for entry in entries(connection, "campaign/study"):
                if entry.kind.startswith("approval"):
                    body = json.loads(entry.body)
                    told.setdefault(("study", body["trial"]), {}).update(body)
            held = facts(connection)
        return all({n: told[key][n] for n in said} == said for key, said in held.items()) and told.keys() == held.keys()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("bench"))
    yield bench
    bench.database.close()


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.database.close()


def test_what_waits_is_shown_with_its_exact_content(bench):
    bench.wait()

    (found,) = bench.approvals.waiting("study")

    assert (found.name, found.content, found.state) == ("study/1", CONTENT, "waiting")
    assert found.digest == sealed(CONTENT, ("high",), (Demand(),), found.expires_at)
    assert bench.approvals.waiting("other") == []
    assert bench.verdict(1).missing == ("1 person on record",)


def test_it_is_cleared_when_somebody_approved_exactly_that(bench):
    bench.wait()

    assert bench.sign(1, "ada").state is ApprovalState.APPROVED
    assert bench.verdict(1).state is ApprovalState.APPROVED
    assert bench.kinds() == ["approval.asked", "approval.signed", "approval.approved"]
    assert bench.agrees()


def test_two_people_are_two_and_one_person_counts_once(bench):
    bench.wait(Demand(people=2))
    bench.sign(1, "ada")

    with pytest.raises(InvalidTransition, match="signed by ada already"):
        bench.sign(1, "ada")

    assert bench.verdict(1).state is ApprovalState.WAITING
    assert bench.sign(1, "grace").state is ApprovalState.APPROVED


def test_who_is_not_named_may_neither_approve_nor_refuse(bench):
    bench.wait(Demand(by=("ada", "grace")))

    for say in Say:
        with pytest.raises(NotAuthorised, match=r"linus may not decide.*1 person of ada, grace"):
            bench.sign(1, "linus", say)

    assert bench.verdict(1).state is ApprovalState.WAITING


def test_every_demand_must_be_met(bench):
    bench.wait(Demand(by=("ada",)), Demand(people=2))

    assert bench.sign(1, "grace").missing == ("1 person of ada", "1 more on record")
    assert bench.sign(1, "ada").missing == ()


def test_one_refusal_is_enough_and_final(bench):
    bench.wait(Demand(people=2))
    bench.sign(1, "ada")

    assert bench.sign(1, "grace", Say.REFUSE, why="the fan is broken").state is ApprovalState.REFUSED

    with pytest.raises(InvalidTransition, match=r"refused \(grace: the fan is broken\)"):
        bench.sign(1, "linus")
    assert bench.verdict(1).why == "grace: the fan is broken"
    assert bench.approvals.waiting() == []
    assert bench.agrees()


def test_who_approved_may_still_refuse_while_the_trial_waits(bench):
    bench.wait()
    bench.sign(1, "ada")

    bench.sign(1, "ada", Say.REFUSE)

    assert bench.verdict(1).state is ApprovalState.REFUSED
    assert [s.say for s in bench.approvals.of("study", 1).signatures] == [Say.REFUSE]


def test_what_has_run_cannot_be_refused_any_more(bench):
    bench.wait()
    bench.sign(1, "ada")
    bench.verdict(1)
    bench.sql("UPDATE trials SET state = 'running'")

    with pytest.raises(InvalidTransition, match="is running and does not wait any more"):
        bench.sign(1, "grace", Say.REFUSE)
    bench.late_s = 61.0
    assert bench.approvals.of("study", 1).state is ApprovalState.APPROVED


def test_a_trial_that_was_withdrawn_waits_for_nobody(bench):
    bench.wait()
    bench.sql("UPDATE trials SET state = 'withdrawn'")

    assert bench.approvals.waiting() == []
    with pytest.raises(InvalidTransition, match="does not wait any more"):
        bench.sign(1, "ada")


def test_too_late_is_too_late_and_on_record_once(bench):
    bench.wait()
    bench.sign(1, "ada")
    bench.late_s = 61.0

    assert bench.approvals.of("study", 1).state is ApprovalState.EXPIRED
    assert bench.approvals.waiting() == []
    with pytest.raises(InvalidTransition, match="expired"):
        bench.sign(1, "grace")
    bench.verdict(1)

    assert bench.verdict(1).state is ApprovalState.EXPIRED
    assert bench.kinds().count("approval.expired") == 1


@pytest.mark.parametrize("other", [{"content": CONTENT + " "}, {"demands": (Demand(people=2),)}, {"reasons": ("hot",)}])
def test_what_would_be_done_must_be_what_was_approved(bench, other):
    bench.wait()
    bench.sign(1, "ada")

    assert bench.verdict(1, replace(QUESTION, **other)).state is ApprovalState.VOID
    assert bench.verdict(1).state is ApprovalState.VOID
    assert bench.kinds()[-1] == "approval.void"
    assert bench.agrees()


def test_what_a_person_was_shown_must_be_what_is_on_record(bench):
    bench.wait()

    with pytest.raises(Overtaken, match="not what ada was shown"):
        bench.sign(1, "ada", seen=digest("something else"))

    assert bench.verdict(1).signatures == ()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE approvals SET content = replace(content, '2.5', '9.5')",
        "UPDATE approvals SET demands = '[]'",
        """UPDATE approvals SET demands = '[{"by":["mallory"],"people":1}]'""",
        "UPDATE approvals SET expires_at = expires_at + 1000000",
        "UPDATE approvals SET reasons = '[]'",
        f"UPDATE approvals SET digest = '{digest('x')}'",
    ],
)
def test_a_record_that_was_changed_clears_nothing(bench, sql):
    bench.wait()
    bench.sign(1, "ada")
    assert bench.approvals.of("study", 1).state is ApprovalState.APPROVED

    bench.sql(sql)

    assert bench.verdict(1).state is not ApprovalState.APPROVED
    assert not bench.agrees()


def test_whoever_was_removed_neither_signs_nor_counts(bench):
    bench.wait(Demand(people=2))
    bench.sign(1, "grace")
    grace = bench.people.get("grace")
    bench.people.remove("grace", by=bench.people.get("ada"))

    assert bench.sign(1, "ada").missing == ("1 more on record",)
    with pytest.raises(NotAuthorised, match="was removed"):
        bench.approvals.sign("study", 1, person=grace, say=Say.REFUSE, seen="")


def test_a_trial_that_asks_nobody_is_not_found(bench):
    with pytest.raises(NotFound, match="study/3"):
        bench.approvals.of("study", 3)
    with pytest.raises(NotFound, match="study/3"):
        bench.sign(3, "ada")


def test_a_question_and_its_trial_are_one_transaction(bench):
    with pytest.raises(ZeroDivisionError), bench.database.write() as connection:
        row = {"id": 1, "campaign_id": 1, "number": 1, "state": "waiting", "proposal": "{}", "outcomes": "{}"}
        connection.execute(insert(trials).values(**row, proposed_at=""))
        ask(connection, 1, Question(content=CONTENT, reasons=(), demands=(Demand(),), expires_s=1.0))
        raise ZeroDivisionError

    assert bench.approvals.waiting() == []
    assert bench.kinds() == []


DEMAND = st.builds(Demand, by=st.lists(st.sampled_from(NAMES), unique=True).map(tuple), people=st.integers(1, 3))
SIGNING = st.tuples(st.sampled_from(NAMES), st.sampled_from([Say.APPROVE] * 3 + [Say.REFUSE]), st.booleans())


@settings(max_examples=25)
@given(st.lists(DEMAND, min_size=1, max_size=2), st.lists(SIGNING, max_size=6))
def test_no_signatures_of_too_few_people_ever_clear(shared, demands, signings):
    number, approved, refused = shared.wait(*demands), set(), False
    for name, say, right in signings:
        try:
            shared.sign(number, name, say, None if right else digest("other"))
        except PlatformError:
            continue
        refused |= say is Say.REFUSE
        approved |= {name} if say is Say.APPROVE else set()

    cleared = shared.verdict(number).state is ApprovalState.APPROVED

    enough = all(len({n for n in approved if not d.by or n in d.by}) >= d.people for d in demands)
    assert cleared == (enough and not refused)
    assert shared.agrees()
