"""What is on record of monitors and of what people have taken by hand."""

import pytest
from sqlalchemy import update

from labwright.core.errors import InvalidInput, InvalidTransition, NotFound, Overtaken
from labwright.core.person import Person
from labwright.storage.database import Database
from labwright.storage.database.schema import guards, limit_keys, reservations
from labwright.storage.guards import Guards, GuardState
from labwright.storage.reservations import Reservations
from labwright.storage.verification import verify

ADA, BOB = (Person(name=name, secret="", added_at="") for name in ("Ada", "Bob"))
OVEN = {"instrument": "oven", "version": 2, "digest": "d2", "mode": "warm", "motion": False}


@pytest.fixture
def database(database_url):
    database = Database.open(database_url, create=True)
    yield database
    assert verify(database).problems == ()
    database.close()


def test_an_arming_is_taken_up_by_one_process_and_only_as_it_stands(database):
    found = Guards(database)
    armed = found.arm("opcua x", **OVEN, by=ADA)
    assert (armed.state, armed.worker, armed.fresh) == (GuardState.ARMED, None, True)

    taken = found.take_up(armed, "w1")

    assert taken.worker == "w1"
    with pytest.raises(Overtaken):
        found.take_up(armed, "w2")
    again = found.arm("opcua x", **OVEN, by=BOB)
    assert (again.serial, again.worker) == (armed.serial + 1, None)
    with pytest.raises(Overtaken):
        found.take_up(armed, "w1")


def test_only_the_process_that_goes_by_an_arming_ends_it_as_a_process(database):
    found = Guards(database)
    found.take_up(found.arm("opcua x", **OVEN, by=ADA), "w1")

    assert found.disarm("opcua x", why="it ended", by="the monitor", worker="w2").state is GuardState.ARMED
    assert found.disarm("opcua x", why="it ended", by="the monitor", worker="w1").state is GuardState.DISARMED


@pytest.mark.parametrize(("version", "digest"), [(1, "d1"), (2, "other")])
def test_limits_never_go_back(database, version, digest):
    found = Guards(database)
    found.arm("opcua x", **OVEN, by=ADA)

    with pytest.raises(InvalidInput, match=f"found limits of version {version}, expected one above 2"):
        found.arm("opcua x", **{**OVEN, "version": version, "digest": digest}, by=ADA)


def test_a_trip_stays_with_its_first_cause_until_two_people_reset_it(database):
    found = Guards(database)
    found.trip("opcua x", instrument="oven", why="the heartbeat was lost", by="the monitor")
    assert found.trip("opcua x", instrument="oven", why="it smells", by="Bob").why == "the heartbeat was lost"
    with pytest.raises(InvalidTransition, match="tripped"):
        found.arm("opcua x", **OVEN, by=ADA)

    reset = found.reset("opcua x", ADA, BOB)

    assert (reset.state, reset.by, reset.why) == (
        GuardState.DISARMED,
        "Ada and Bob",
        "reset after: the heartbeat was lost",
    )
    with pytest.raises(InvalidTransition):
        found.reset("opcua x", ADA, BOB)
    assert found.arm("opcua x", **OVEN, by=ADA).state is GuardState.ARMED


def test_a_key_is_trusted_until_it_is_ended(database):
    found = Guards(database)
    found.add_key("k1", ADA)
    found.add_key("k2", BOB)
    with pytest.raises(InvalidInput, match="on record already"):
        found.add_key("k1", BOB)

    found.end_key("k1", by=BOB, why="she left")

    assert found.keys() == {"k2": "Bob"}
    with pytest.raises(NotFound):
        found.end_key("k1", by=BOB, why="she left")


def test_what_was_never_armed_is_not_known(database):
    assert Guards(database).find("opcua x") is None
    with pytest.raises(NotFound, match="never armed"):
        Guards(database).disarm("opcua x", why="", by="Ada")


def test_a_thing_is_taken_by_one_and_free_when_its_time_is_over(database):
    found = Reservations(database)
    taken = found.take("opcua x", ADA, "alignment")
    assert found.now() == {"opcua x": taken}
    with pytest.raises(InvalidTransition, match=r"taken by Ada \(alignment\)"):
        found.take("opcua x", BOB, "me too")
    found.give_back("opcua x", BOB)
    assert found.now() == {}

    found.take("opcua x", ADA, "a moment", for_s=1e-6)

    assert found.now() == {}
    assert [r.why for r in found.of("opcua x")] == ["alignment", "a moment"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (update(guards).values(state="disarmed"), "guard state"),
        (update(guards).values(version=7), "version"),
        (update(limit_keys).values(ended_at="2026"), "trusted"),
        (update(reservations).values(person="Eve"), "by"),
        (update(reservations).values(ended_at="2026"), "given back"),
    ],
)
def test_a_row_that_was_changed_behind_the_ledgers_back_is_found(database_url, change, what):
    database = Database.open(database_url, create=True)
    Guards(database).arm("opcua x", **OVEN, by=ADA)
    Guards(database).add_key("k1", ADA)
    Reservations(database).take("opcua x", ADA, "alignment")
    assert verify(database).problems == ()

    with database.write() as connection:
        connection.execute(change)

    [problem] = verify(database).problems
    assert f": {what}:" in problem
    database.close()
