"""People, their secrets, and what was tried against them."""

import pytest

from labwright.access import Cost, authenticate, seal
from labwright.core.errors import InvalidInput, NotAuthorised, NotFound
from labwright.storage.database import Database
from labwright.storage.database.ledger import entries
from labwright.storage.people import People, facts, lock_s

CHEAP = Cost(memory_kib=64, passes=1, lanes=1)
SECRETS = {name: f"the secret of {name}" for name in ("ada", "grace", "linus")}


@pytest.fixture
def database(tmp_path):
    database = Database.open(f"sqlite:///{tmp_path}/labwright.db")
    yield database
    database.close()


@pytest.fixture
def people(database):
    people = People(database)
    ada = people.add("ada", seal(SECRETS["ada"], CHEAP))
    people.add("grace", seal(SECRETS["grace"], CHEAP), by=ada)
    return people


def told(database):
    with database.read() as connection:
        return [(e.kind, e.body) for e in entries(connection, "people")]


def later(database, seconds):
    """Let the locks be over by that many seconds."""
    with database.write() as connection:
        connection.exec_driver_sql(f"UPDATE people SET locked_until = locked_until - {seconds}")


def fail(people, name, times):
    for _ in range(times):
        with pytest.raises(NotAuthorised, match="not the secret"):
            authenticate(people, name, "a wrong one entirely")


def test_the_right_secret_names_its_owner(people):
    assert authenticate(people, "ada", SECRETS["ada"]).name == "ada"


def test_another_persons_secret_is_not_ones_own(people):
    with pytest.raises(NotAuthorised):
        authenticate(people, "grace", SECRETS["ada"])


def test_a_stranger_is_told_who_is_on_record(people):
    with pytest.raises(NotAuthorised, match=r"No person named 'eve'.*ada, grace"):
        authenticate(people, "eve", SECRETS["ada"])


def test_only_the_first_person_needs_nobody_to_vouch(people):
    with pytest.raises(NotAuthorised, match="--as NAME"):
        people.add("linus", seal(SECRETS["linus"], CHEAP))

    assert [(p.name, p.added_by) for p in people.all()] == [("ada", None), ("grace", "ada")]


def test_also_when_all_but_one_have_left_nobody_comes_unvouched(people):
    people.remove("ada", by=people.get("grace"))

    with pytest.raises(NotAuthorised):
        people.add("linus", seal(SECRETS["linus"], CHEAP))
    with pytest.raises(NotAuthorised, match="ada was removed"):
        people.add("linus", seal(SECRETS["linus"], CHEAP), by=people.get("ada"))
    with pytest.raises(InvalidInput, match="only person"):
        people.remove("grace", by=people.get("grace"))


def test_one_who_has_left_can_do_nothing_and_their_name_is_not_given_again(people):
    people.remove("grace", by=people.get("ada"))

    with pytest.raises(NotAuthorised, match="grace was removed"):
        authenticate(people, "grace", SECRETS["grace"])
    with pytest.raises(InvalidInput, match="on record already"):
        people.add("Grace", seal(SECRETS["grace"], CHEAP), by=people.get("ada"))
    with pytest.raises(InvalidInput, match="left already"):
        people.remove("grace", by=people.get("ada"))


@pytest.mark.parametrize("name", ["", "a b", "-ada", "ada\n", "a" * 61, "äda", "ada;"])
def test_a_name_that_could_be_misread_is_refused(people, name):
    with pytest.raises(InvalidInput, match="cannot name a person"):
        people.add(name, "x", by=people.get("ada"))


def test_nobody_of_that_name_is_not_found(people):
    with pytest.raises(NotFound, match="On record: ada, grace"):
        people.remove("eve", by=people.get("ada"))


def test_a_changed_secret_is_the_only_one(people):
    people.change_secret(authenticate(people, "ada", SECRETS["ada"]), seal("another long secret", CHEAP))

    assert authenticate(people, "ada", "another long secret").name == "ada"
    with pytest.raises(NotAuthorised):
        authenticate(people, "ada", SECRETS["ada"])


def test_after_five_wrong_secrets_even_the_right_one_must_wait(people):
    fail(people, "ada", 5)

    with pytest.raises(NotAuthorised, match=r"locked for \d+ s more, after 5 wrong"):
        authenticate(people, "ada", SECRETS["ada"])
    assert authenticate(people, "grace", SECRETS["grace"]).name == "grace"


def test_the_wait_grows_and_a_right_secret_ends_it(people, database):
    fail(people, "ada", 5)
    later(database, 31)
    fail(people, "ada", 1)
    later(database, 31)
    with pytest.raises(NotAuthorised, match="locked"):
        authenticate(people, "ada", SECRETS["ada"])

    later(database, 30)
    authenticate(people, "ada", SECRETS["ada"])

    fail(people, "ada", 4)
    assert authenticate(people, "ada", SECRETS["ada"]).name == "ada"


def test_locks_double_up_to_an_hour():
    assert [lock_s(n) for n in (0, 4, 5, 6, 7, 11, 12, 10_000)] == [0, 0, 30, 60, 120, 1920, 3600, 3600]


def test_an_attempt_that_was_cut_off_counts_as_a_wrong_one(people):
    for _ in range(5):
        people.attempt("ada")  # killed before the secret was checked, or many at once

    with pytest.raises(NotAuthorised, match="locked"):
        authenticate(people, "ada", SECRETS["ada"])


def test_the_ledger_tells_who_came_who_left_and_what_was_tried(people, database):
    fail(people, "ada", 2)
    people.remove("grace", by=people.get("ada"))

    kinds = [kind for kind, _ in told(database)]

    assert kinds == ["person.added", "person.added", *["person.wrong_secret"] * 2, "person.removed"]


def test_no_secret_and_no_hash_of_one_is_told(people, database):
    fail(people, "ada", 1)
    people.change_secret(people.get("ada"), seal("another long secret", CHEAP))

    everything = "".join(body for _, body in told(database)) + repr(people.all())

    for text in ("another long", "a wrong one", "argon2", *SECRETS.values()):
        assert text not in everything


def test_a_hash_that_was_exchanged_differs_from_the_ledger(people, database):
    with database.write() as connection:
        before = facts(connection)[1]
        connection.exec_driver_sql(f"UPDATE people SET secret = '{seal('one of mine, hihi', CHEAP)}' WHERE id = 1")
        after = facts(connection)[1]

    assert before["secret_sha256"] in told(database)[0][1]
    assert after["secret_sha256"] not in "".join(body for _, body in told(database))
