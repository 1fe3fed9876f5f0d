"""Skills, signed reports and beliefs, as both kinds of database keep them."""

from dataclasses import replace
from datetime import date

import pytest

from labwright.core.attachment import Attachment
from labwright.core.belief import Belief
from labwright.core.command import Measurement
from labwright.core.errors import InvalidInput, NotAuthorised, NotFound
from labwright.core.form import Field, FieldKind
from labwright.core.task import Addressees, Report, Task
from labwright.storage.backup import backup, restore
from labwright.storage.beliefs import Beliefs
from labwright.storage.campaigns import Campaigns
from labwright.storage.database import Database
from labwright.storage.objects import Objects
from labwright.storage.people import People
from labwright.storage.skills import Skills
from labwright.storage.tasks import Tasks
from labwright.storage.verification import verify

WARM = Belief(parameter="t", near=60.0, within=5.0)
WET = Belief(parameter="s", likely={"water": 0.7})
JUDGE = Task(
    title="chemist.judge",
    instructions="Is it pure?",
    given={},
    fields=(Field(name="purity", unit="%", low=0, high=100),),
    to=Addressees(skill="esters"),
    signed=True,
)
PURE = {"purity": Measurement(value=98.5)}


@pytest.fixture
def database(database_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the files of a PostgreSQL database are kept
    database = Database.open(database_url)
    Campaigns(database).add("study", "name: study", "")
    people = People(database)
    ada = people.add("ada", "$argon2id$ada")
    people.add("eve", "$argon2id$eve", by=ada)
    yield database
    database.close()


def test_a_skill_reads_back_with_who_said_so_and_until_when(database):
    people, skills = People(database), Skills(database)

    said = skills.vouch("eve", "esters", by=people.get("ada"), until=date(2999, 12, 31))
    own = skills.vouch("ada", "gas chromatography", by=people.get("ada"))

    assert skills.all() == [said, own]
    assert [str(one) for one in skills.all()] == [
        "esters, by the word of ada, until 2999-12-31",
        "gas chromatography, by their own word",
    ]
    again = skills.vouch("eve", "esters", by=people.get("eve"))
    assert [(one.name, one.counts) for one in skills.all()] == [
        ("esters", False),
        ("gas chromatography", True),
        ("esters", True),
    ]
    skills.revoke("eve", "esters", by=people.get("ada"), why="never trained")
    assert skills.all()[-1].ended_why == "never trained"
    assert again.counts
    assert verify(database).problems == ()


@pytest.mark.parametrize("name", ["", " ", "esters ", "a\nb", "x" * 61, "-x"])
def test_what_names_no_skill_is_refused(database, name):
    with pytest.raises(InvalidInput, match="cannot name a skill"):
        Skills(database).vouch("eve", name, by=People(database).get("ada"))


def test_who_has_left_vouches_for_nobody_and_nobody_for_them(database):
    people, skills = People(database), Skills(database)
    ada, eve = people.get("ada"), people.get("eve")
    skills.vouch("eve", "esters", by=ada)
    people.remove("eve", by=ada)

    for person, by in (("ada", eve), ("eve", ada)):
        with pytest.raises(NotAuthorised, match="eve was removed"):
            skills.vouch(person, "nmr", by=by)
    assert Tasks(database).able("esters") == []
    with pytest.raises(NotFound):
        skills.vouch("nobody", "esters", by=ada)


def test_an_answer_with_beliefs_is_recorded_in_one_act_or_not_at_all(database):
    people, tasks = People(database), Tasks(database)
    tasks.put("c1", "study", (1,), "chemist", JUDGE)
    report = Report(task=1, values=PURE, beliefs=(WARM, WET), note="as ever")

    with pytest.raises(NotAuthorised, match="eve may not report on task 1"):
        tasks.report([report], signer=people.get("eve"))
    assert Beliefs(database).of("study") == []
    Skills(database).vouch("eve", "esters", by=people.get("ada"))
    [posted] = tasks.report([report], signer=people.get("eve"))

    assert (posted.by, len(posted.sealed or "")) == ("eve", 64)
    assert [(g.belief, g.by, g.task, g.why) for g in Beliefs(database).current("study")] == [
        (WARM, "eve", 1, "as ever"),
        (WET, "eve", 1, "as ever"),
    ]
    with pytest.raises(InvalidInput, match="was recorded already"):
        tasks.report([report], signer=people.get("eve"))
    assert len(Beliefs(database).of("study")) == 2
    assert verify(database).problems == ()


def test_a_file_is_kept_only_with_a_report_that_is_taken(database):
    people, tasks, words = People(database), Tasks(database), Field(name="words", kind=FieldKind.FILE)
    tasks.put("c1", "study", (1,), "chemist", replace(JUDGE, fields=(*JUDGE.fields, words)))
    Skills(database).vouch("ada", "esters", by=people.get("ada"))
    good = Report(task=1, values=PURE, files={"words": Attachment(name="a.txt", data=b"fine")})

    for report, person in ((replace(good, values={}), "ada"), (good, "eve")):
        with pytest.raises((InvalidInput, NotAuthorised)):
            tasks.report([report], signer=people.get(person))
    assert Objects(database.objects).find(good.files["words"].reference) is None
    tasks.report([good], signer=people.get("ada"))

    assert Objects(database.objects).get(good.files["words"].reference) == b"fine"


def test_of_one_person_the_newest_belief_of_a_parameter_counts_and_of_several_each(database):
    people, beliefs = People(database), Beliefs(database)
    ada, eve = people.get("ada"), people.get("eve")
    beliefs.give("study", [WARM, WET], by=ada, why=None)
    beliefs.give("study", [WARM], by=eve, why=None)

    [cold] = beliefs.give("study", [Belief(parameter="t", near=5.0, within=1.0)], by=ada, why="it burnt")

    assert [(g.id, g.by, g.belief.parameter) for g in beliefs.current("study")] == [
        (2, "ada", "s"),
        (3, "eve", "t"),
        (4, "ada", "t"),
    ]
    assert beliefs.of("study")[0].ended_why == f"said anew as belief {cold.id}"
    beliefs.retract(3, by=ada, why="she was asleep")
    with pytest.raises(InvalidInput, match="counts no more already: she was asleep"):
        beliefs.retract(3, by=ada, why="again")
    people.remove("eve", by=ada)
    with pytest.raises(NotAuthorised, match="eve was removed"):
        beliefs.give("study", [WARM], by=eve, why=None)
    with pytest.raises(NotFound):
        beliefs.give("nothing", [WARM], by=ada, why=None)
    assert verify(database).problems == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE skills SET added_by = 'eve'", "skill 1: added by"),
        ("UPDATE beliefs SET said = replace(said, '60.0', '70.0')", "belief 1: believed"),
        ("DELETE FROM beliefs", "belief 1: believed"),
        ("UPDATE beliefs SET ended_at = NULL WHERE id = 2", "belief 2: ended at"),
    ],
)
def test_what_is_changed_behind_the_ledgers_back_is_seen(database, change, words):
    people = People(database)
    Skills(database).vouch("eve", "esters", by=people.get("ada"))
    Beliefs(database).give("study", [WARM, WET], by=people.get("ada"), why=None)
    Beliefs(database).retract(2, by=people.get("ada"), why="no")
    assert verify(database).problems == ()

    with database.write() as connection:
        connection.exec_driver_sql(change)

    assert any(words in problem for problem in verify(database).problems)


def test_a_backup_holds_skills_and_beliefs(database, tmp_path):
    people = People(database)
    Skills(database).vouch("eve", "esters", by=people.get("ada"))
    Beliefs(database).give("study", [WARM], by=people.get("ada"), why=None)
    backup(database, tmp_path / "backup.db")

    other = Database.open(f"sqlite:///{tmp_path}/other.db")
    restore(tmp_path / "backup.db", other)

    assert Beliefs(other).of("study") == Beliefs(database).of("study")
    assert Skills(other).all() == Skills(database).all()
    other.close()
