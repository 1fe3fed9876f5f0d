"""Lots and samples on record: what is there, reserved, taken and given back, on both databases."""

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import date
from functools import partial
from itertools import accumulate

import pytest

from labwright.core.command import Failure, Observation
from labwright.core.errors import InvalidInput, InvalidUnit, NotFound, OutOfStock, Overtaken
from labwright.core.material import Act, Handling, Materials, SampleState, Taking
from labwright.core.run import Conclusion, NewRun, Next
from labwright.core.states import RunState, TrialState
from labwright.core.trial import Proposal
from labwright.storage.backup import backup, restore
from labwright.storage.campaigns import Campaigns
from labwright.storage.database import Database
from labwright.storage.materials import Materials as Shelf
from labwright.storage.runs import Runs
from labwright.storage.trials import Trials
from labwright.storage.verification import verify

POINT = Proposal(point={"x": 1.0}, source="test", reason="test")
MAKE_FILM = Handling(step=0, sample="film", act=Act.MAKE, place="coater")


@pytest.fixture
def database(database_url):
    with closing(Database.open(database_url)) as database:
        Campaigns(database).add("study", "name: study", "")
        Campaigns(database).change("study", "start")
        yield database
        assert verify(database).problems == ()


@pytest.fixture
def shelf(database):
    return Shelf(database)


def taking(amount, unit="mL", step=0, lot="ink"):
    return Taking(step=step, lot=lot, amount=amount, unit=unit)


def trial(name, *takings):
    new = NewRun(step=0, resource="coater", key="coater", capability="coat", command_id=name, inputs={}, material=True)
    return POINT, Next(runs=(new,), materials=Materials(takings=takings, handlings=(MAKE_FILM,)))


def begin(database, *trials, worker="w", parallel=100):
    return Trials(database, worker).begin("study", trials, budget=1000, parallel=parallel)


def claim(database, worker="w"):
    runs = Runs(database, worker)
    return runs.claim(runs.queued(["coater"], 100), {"coater": 100})


def ended(state=TrialState.OBSERVED):
    return lambda point, number, runs: Next(conclusion=Conclusion(state=state))


def test_a_lot_is_kept_in_its_first_unit_and_tells_what_was_done_with_it(shelf):
    shelf.add("ink", 500, "mL", expires=date(2999, 1, 1), location="shelf 3", why="delivered")
    shelf.add("ink", 0.5, "L")
    lot = shelf.correct("ink", 0.9, "L", why="some was spilt")

    assert (lot.left, lot.unit, lot.expires, lot.location) == (pytest.approx(900), "mL", "2999-01-01", "shelf 3")
    assert [(e.kind.value, e.amount) for e in shelf.entries("ink")] == [
        ("added", 500),
        ("added", 500),
        ("corrected", pytest.approx(-100)),
    ]


@pytest.mark.parametrize(
    ("name", "amount", "unit", "expires", "error"),
    [
        ("my ink", 1, "mL", None, InvalidInput),
        ("ink", 0, "mL", None, InvalidInput),
        ("ink", float("nan"), "mL", None, InvalidInput),
        ("ink", 1, "blobs", None, InvalidUnit),
        ("ink", 1, "g", None, InvalidUnit),
        ("ink", 1, "mL", date(2001, 1, 1), InvalidInput),
    ],
)
def test_what_is_no_amount_of_a_lot_is_refused(shelf, name, amount, unit, expires, error):
    shelf.add("ink", 1, "mL")

    with pytest.raises(error):
        shelf.add(name, amount, unit, expires=expires)

    assert [lot.left for lot in shelf.lots()] == [1]


def test_a_bare_number_is_no_amount_of_what_is_kept_in_a_unit(shelf):
    shelf.add("ink", 1, "mL")
    shelf.add("vials", 1, None)

    for act in (shelf.add, partial(shelf.correct, why="?")):
        with pytest.raises(InvalidUnit, match="lot ink: no unit was given, but 'mL' is declared there"):
            act("ink", 20, None)
    assert shelf.add("vials", 2, None).left == 3


def test_only_a_lot_that_is_there_can_be_corrected(shelf):
    with pytest.raises(NotFound, match=r"No lot named 'ink'.*On record: none"):
        shelf.correct("ink", 1, "mL", why="?")


def test_what_a_trial_takes_is_reserved_as_it_begins_then_taken_then_free_again_if_it_never_was(database, shelf):
    shelf.add("ink", 10, "mL")
    begin(database, trial("a", taking(2), taking(0.003, "L", step=1)))
    assert (shelf.lot("ink").left, shelf.lot("ink").reserved) == (10, 5)
    assert shelf.lot("ink").holders == ("study/1", "study/1")

    (run,) = claim(database)
    assert (shelf.lot("ink").left, shelf.lot("ink").reserved) == (8, 3)

    Runs(database, "w").end(run, Failure(reason="it broke"), ended(TrialState.FAILED))
    assert (shelf.lot("ink").left, shelf.lot("ink").reserved) == (8, 0)


def test_a_trial_for_which_a_lot_lacks_does_not_begin_and_the_message_says_who_has_the_rest(database, shelf):
    shelf.add("ink", 3, "mL")
    begin(database, trial("a", taking(2)))

    with pytest.raises(OutOfStock) as short:
        begin(database, trial("b", taking(5)))

    assert str(short.value) == (
        "Lot ink has 3 mL left, 2 mL of it reserved by trial study/1; this trial needs 5 mL. "
        'Add to it: labwright lots add ink --amount "...", then run the same command again.'
    )
    assert len(Trials(database, "w").of("study")) == 1


def test_those_for_which_there_is_enough_begin_and_the_others_are_left_out(database, shelf):
    shelf.add("ink", 5, "mL")

    assert begin(database, trial("a", taking(2)), trial("b", taking(2)), trial("c", taking(2))) == 2


def test_an_amount_of_another_dimension_is_refused_as_a_trial_begins(database, shelf):
    shelf.add("ink", 5, "mL")

    with pytest.raises(OutOfStock, match="Lot ink is kept in mL, and this trial takes 1 g of it"):
        begin(database, trial("a", taking(1, "g")))


def test_a_queued_run_whose_lot_was_corrected_below_what_it_takes_stays_queued(database, shelf):
    shelf.add("ink", 5, "mL")
    begin(database, trial("a", taking(3)), trial("b", taking(2)))
    shelf.correct("ink", 4, "mL", why="spilt")

    (first,) = claim(database)

    assert first.trials == (1,)
    (second,) = [r for r in Runs(database, "w").of("study") if r.state is RunState.QUEUED]
    assert shelf.lacking(second) == (
        "lot ink has 1 mL left; coater.coat of trial study/2 needs 2 mL. "
        'Add to it: labwright lots add ink --amount "..."'
    )


def test_a_run_that_never_ran_gives_back_what_it_took_and_an_unknown_one_does_not(database, shelf):
    shelf.add("ink", 5, "mL")
    begin(database, trial("a", taking(3)))
    (run,) = claim(database)
    runs = Runs(database, "w")

    runs.lose(run, "nobody knows")
    assert shelf.lot("ink").left == 2
    assert [s.state for s in shelf.samples("study")] == [SampleState.UNKNOWN]

    runs.requeue(runs.get(run.id), "it never ran", by="ada")
    assert (shelf.lot("ink").left, shelf.lot("ink").reserved) == (5, 3)
    assert [s.state for s in shelf.samples("study")] == [SampleState.NOT_MADE]


def test_after_a_restore_what_was_queued_may_have_been_taken(database, shelf, tmp_path):
    shelf.add("ink", 5, "mL")
    begin(database, trial("a", taking(3)))
    backup(database, tmp_path / "backup.db")

    with closing(Database.open(f"sqlite:///{tmp_path / 'new.db'}")) as restored:
        restore(tmp_path / "backup.db", restored)

        assert Shelf(restored).lot("ink").left == 2
        assert [s.state for s in Shelf(restored).samples()] == [SampleState.UNKNOWN]
        assert verify(restored).problems == ()


def test_a_changed_amount_is_seen_by_verification(database, shelf):
    from sqlalchemy import update

    from labwright.storage.database.schema import lot_entries, takings

    shelf.add("ink", 5, "mL")
    begin(database, trial("a", taking(3)))
    with database.write() as connection:
        connection.execute(update(lot_entries).values(amount=50.0))
        connection.execute(update(takings).values(amount=1.0))

    assert [p.split(":")[0] + p.split(" on ")[1].split(":")[0] for p in verify(database).problems] == [
        "campaign/studytrial 1",
        "lotsentry 1",
    ]
    with database.write() as connection:
        connection.execute(update(lot_entries).values(amount=5.0))
        connection.execute(update(takings).values(amount=3.0))


class Hand:
    """One worker process of its own that does what comes to its mind."""

    def __init__(self, url, seed, number):
        self.database, self.name, self.mine = Database.open(url), f"w{number}", []
        self.runs, self.draw = Runs(self.database, self.name), random.Random(10 * seed + number)

    def work(self):
        acts = [self.begin, self.claim, self.claim, self.end, self.lose, self.decide, self.correct]
        with closing(self.database):
            for turn in range(12):
                with suppress(OutOfStock, Overtaken):
                    self.draw.choice(acts)(turn)

    def begin(self, turn):
        begin(self.database, trial(f"{self.name}-{turn}", taking(self.draw.choice([1, 2.5, 7]))), worker=self.name)

    def claim(self, turn):
        self.mine += claim(self.database, self.name)

    def end(self, turn):
        if self.mine:
            self.runs.end(self.mine.pop(), self.draw.choice([Observation(values={}), Failure(reason="no")]), ended())

    def lose(self, turn):
        if self.mine:
            self.runs.lose(self.mine.pop(), "gone")

    def decide(self, turn):
        for run in self.runs.unknown(["coater"])[:1]:
            self.runs.requeue(run, "never ran", by="ada")

    def correct(self, turn):
        if self.draw.random() < 0.3:
            Shelf(self.database).correct("ink", self.draw.choice([1.0, 15.0]), "mL", why="looked")


@pytest.mark.parametrize("seed", range(3))
def test_several_workers_never_take_more_than_there_is(database, database_url, seed):
    shelf = Shelf(database)
    shelf.add("ink", 20, "mL")
    hands = [Hand(database_url, seed, number) for number in range(3)]

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(hand.work) for hand in hands]:
            done.result()

    left = list(accumulate(e.amount for e in shelf.entries("ink")))
    assert min(left) >= -1e-9
    assert shelf.lot("ink").left == pytest.approx(left[-1])
    assert {e.kind.value for e in shelf.entries("ink")} >= {"added", "taken"}
