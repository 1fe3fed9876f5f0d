"""Forms that people fill in, with files, and reports that they sign."""

import csv
import io
import json
import os
import pty
import select
import subprocess
import sys
import threading
import time

import pytest

from labwright.access import Cost, seal
from labwright.core.attachment import Attachment
from labwright.core.command import Measurement, Observation
from labwright.core.errors import InvalidInput, NotAuthorised
from labwright.core.form import Field, FieldKind
from labwright.core.task import Addressees, Report, Task
from labwright.storage.campaigns import Campaigns
from labwright.storage.database import Database
from labwright.storage.database.ledger import entries
from labwright.storage.objects import Objects
from labwright.storage.people import People
from labwright.storage.skills import Skills
from labwright.storage.tasks import Tasks

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89\0\0\0\0IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0"
MASS = Field(name="mass", unit="mg", low=0, high=500)
CLEAR = Field(name="clear", kind=FieldKind.YES_NO)
REMARK = Field(name="remark", kind=FieldKind.WORDS, required=False)
PHOTO = Field(name="photo", kind=FieldKind.FILE, types=("image/png", "image/jpeg"), largest=1000)
FORM = (MASS, CLEAR, REMARK, PHOTO)
CHEAP = Cost(memory_kib=64, passes=1, lanes=1)  # what a secret costs is tested elsewhere


class Bench:
    """A database with a campaign, people with secrets, and the command line."""

    def __init__(self, folder, call, monkeypatch) -> None:
        self.folder, self._call, self._monkeypatch = folder, call, monkeypatch
        self.database = Database.open(f"sqlite:///{folder}/labwright.db")
        Campaigns(self.database).add("study", "name: study", str(folder))
        self.tasks = Tasks(self.database)
        self.secrets: dict[str, str] = {}
        (folder / "good.png").write_bytes(PNG)

    def call(self, *words: str, secret: str = "") -> tuple[int, str, str]:
        self._monkeypatch.setattr("sys.stdin", io.StringIO(f"{secret}\n"))
        return self._call(*words)

    def told(self, *words: str, secret: str = "") -> str:
        code, out, error = self.call(*words, secret=secret)
        assert code == 0, error
        return out

    def add(self, name: str, *skills: str) -> None:
        people, self.secrets[name] = People(self.database), f"the-secret-of-{name}"
        person = people.add(name, seal(self.secrets[name], CHEAP), by=next(iter(people.all()), None))
        for skill in skills:
            Skills(self.database).vouch(name, skill, by=person)

    def put(self, *fields: Field, number: int = 1, **more) -> None:
        task = Task(title="ada.weigh", instructions="Weigh it.", given={}, fields=fields, **more)
        self.tasks.put(f"c{number}", "study", (number,), "ada", task)

    def done(self, *words: str, as_: str | None = None) -> tuple[int, str, str]:
        signed = [] if as_ is None else ["--as", as_]
        return self.call("done", "1", *words, *signed, secret=self.secrets.get(as_ or "", ""))

    def ledger(self, stream: str = "campaign/study") -> list[tuple[str, dict]]:
        with self.database.read() as connection:
            return [(entry.kind, json.loads(entry.body)) for entry in entries(connection, stream)]


@pytest.fixture
def bench(tmp_path, command_line, monkeypatch):
    bench = Bench(tmp_path, command_line, monkeypatch)
    yield bench
    bench.database.close()


GOOD = ("--set", "mass=0.2 g", "--set", "clear=Yes", "--set", "photo=good.png")


def test_a_form_is_reported_with_its_file_and_all_of_it_is_on_record(bench):
    bench.put(*FORM)

    code, out, error = bench.done(*GOOD, "--note", "humid", "--by", "Ada")

    assert code == 0, error
    reference = Attachment(name="good.png", data=PNG).reference
    assert f"Recorded task 1 (ada.weigh, trial 1): clear = yes, mass = 200 mg, photo = {reference}." in out
    found = bench.tasks.answered("c1")
    assert isinstance(found, Observation)
    assert {n: m.value for n, m in found.values.items()} == {"mass": 200.0, "clear": "yes", "photo": reference}
    assert found.objects == (reference,)
    assert Objects(bench.database.objects).get(reference) == PNG
    kind, body = bench.ledger()[-1]
    assert kind == "task.done"
    assert body["reported"]["files"] == [
        {"field": "photo", "name": "good.png", "kind": "image/png", "size": len(PNG), "reference": reference}
    ]
    assert "sealed" not in body["reported"]
    assert bench.call("verify")[0] == 0


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        (
            "notes.png",
            b"only words, whatever the name says\n",
            "notes.png is text/plain by its content; expected a file",
        ),
        ("page.png", b"<html><script>alert(1)</script></html>", "page.png is text/plain by its content"),
        ("scan.png", b"%PDF-1.7\n", "scan.png is application/pdf by its content"),
        ("zeros.png", bytes(100), "zeros.png is of no kind that is known by its content"),
        ("cut.png", PNG[:8], "cut.png is of no kind that is known by its content"),
        ("empty.png", b"", "empty.png is empty"),
        (
            "large.png",
            PNG + bytes(1000),
            "large.png is too large; expected a file, image/png or image/jpeg, at most 1 kB",
        ),
        ("absent.png", None, "there is no file absent.png"),
    ],
)
def test_a_file_that_is_not_what_is_wanted_is_refused_and_not_kept(bench, name, data, words):
    bench.put(*FORM)
    if data is not None:
        (bench.folder / name).write_bytes(data)

    code, _, error = bench.done("--set", "mass=200", "--set", "clear=no", "--set", f"photo={name}")

    assert (code, bench.tasks.answered("c1")) == (2, None)
    assert words in error
    assert not [path for path in bench.database.objects.rglob("*") if path.is_file()]


def test_what_a_file_is_called_does_not_matter(bench):
    bench.put(PHOTO)
    (bench.folder / "photo.txt").write_bytes(JPEG)

    assert bench.done("--set", "photo=photo.txt")[0] == 0
    assert bench.ledger()[-1][1]["reported"]["files"][0]["kind"] == "image/jpeg"


def test_nothing_is_read_from_what_is_no_file(bench):
    bench.put(PHOTO)
    os.mkfifo(bench.folder / "pipe.png")

    for name in ("pipe.png", "/dev/zero", "."):
        code, _, error = bench.done("--set", f"photo={name}")
        assert (code, "there is no file" in error) == (2, True)


def test_every_problem_is_named_at_once_and_nothing_is_recorded(bench):
    bench.put(*FORM)

    code, _, error = bench.done("--set", "mass=900", "--set", "clear=perhaps", "--set", "photo=x.png", "--set", "mas=1")

    assert (code, bench.tasks.answered("c1")) == (2, None)
    for words in ("mass is 900; expected 0 to 500 mg", "clear is 'perhaps'; expected yes or no", "no file x.png"):
        assert words in error
    assert "did you mean 'mass'?" in error


def test_what_may_be_left_out_may_and_nothing_else(bench):
    bench.put(*FORM)

    code, _, error = bench.done("--set", "mass=1", "--set", "remark=cloudy")

    assert code == 2
    assert "clear is missing; expected yes or no; photo is missing; expected a file" in error
    assert "remark" not in error


def test_a_task_that_was_not_done_says_why(bench):
    bench.put(*FORM)

    assert "Recorded task 1 (ada.weigh, trial 1) as failed: it broke." in bench.done("--failed", "it broke")[1]
    code, _, error = bench.done("--failed", "again")
    assert (code, "was recorded already" in error) == (2, True)


def test_a_worksheet_takes_files_words_and_yes_or_no(bench):
    bench.put(*FORM)
    bench.told("worksheet", "study", "-o", "sheet.csv")
    with (bench.folder / "sheet.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    assert (
        "remark: words (may be left out); photo: a file, image/png or image/jpeg, at most 1 kB" in row["instructions"]
    )
    (bench.folder / "photos").mkdir()
    (bench.folder / "photos" / "a.png").write_bytes(PNG)
    row |= {"mass (mg)": "12", "clear": "no", "photo": "photos/a.png", "remark": "3,5"}

    def write(**cells: str) -> None:
        with (bench.folder / "sheet.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
            writer.writerow(row | cells)

    write(photo="sheet.csv")
    code, _, error = bench.call("record", "study", "sheet.csv")
    assert code == 2
    assert "sheet.csv, line 2: photo: sheet.csv is text/plain by its content" in error
    write()
    assert bench.told("record", "study", "sheet.csv") == "Recorded 1 task: 1.\n"
    assert bench.tasks.answered("c1").values["remark"] == Measurement(value="3,5")
    assert "Already recorded: 1." in bench.told("record", "study", "sheet.csv")


def test_a_worksheet_is_signed_as_a_whole_or_not_recorded_where_one_row_must_be(bench):
    bench.add("ada")
    bench.put(MASS)
    bench.put(MASS, number=2, signed=True)
    assert "then: labwright record study sheet.csv --as NAME" in bench.told("worksheet", "study", "-o", "sheet.csv")
    (bench.folder / "sheet.csv").write_text("task,mass (mg)\n1,12\n2,13\n")

    code, _, error = bench.call("record", "study", "sheet.csv", "--by", "ada")
    assert (code, "task 2 (ada.weigh, trial 2) is taken only from somebody who shows" in error) == (8, True)
    assert [bench.tasks.answered(c) for c in ("c1", "c2")] == [None, None]
    assert bench.call("record", "study", "sheet.csv", "--as", "ada", secret="the-secret-of-eve")[0] == 8
    bench.told("record", "study", "sheet.csv", "--as", "ada", secret=bench.secrets["ada"])

    assert [(p.by, bool(p.sealed)) for p in (bench.tasks.get(1), bench.tasks.get(2))] == [("ada", True)] * 2
    assert bench.call("verify")[0] == 0


def test_a_report_that_must_be_signed_is_taken_from_nobody_without_a_secret(bench):
    bench.add("ada")
    bench.put(MASS, signed=True)

    assert "for: anybody, to be signed: --as NAME" in bench.told("tasks")
    for words in ([], ["--by", "ada"]):
        code, _, error = bench.done("--set", "mass=1", *words)
        assert code == 8
        assert "is taken only from somebody who shows who they are: --as NAME. Nothing was recorded." in error
    assert bench.tasks.answered("c1") is None
    code, _, error = bench.done("--set", "mass=1", "--by", "Ada", as_="ada")
    assert (code, "Use one of them" in error) == (2, True)


@pytest.mark.parametrize(("name", "secret"), [("ada", "of eve"), ("ada", ""), ("eve", "of ada"), ("nobody", "of ada")])
def test_a_forged_signature_records_nothing(bench, name, secret):
    bench.add("ada")
    bench.add("eve")
    bench.put(MASS, signed=True)
    given = bench.secrets.get(secret.removeprefix("of "), "")

    code, _, error = bench.call("done", "1", "--set", "mass=1", "--as", name, secret=given)

    assert code == 8, error
    assert bench.tasks.answered("c1") is None
    assert [kind for kind, _ in bench.ledger()][-1] == "task.open"


def test_a_signed_report_is_in_the_ledger_with_who_when_and_the_digest_of_it(bench):
    bench.add("ada")
    bench.put(MASS, PHOTO, signed=True)

    out = bench.done("--set", "mass=1", "--set", "photo=good.png", as_="ada")[1]

    kind, body = bench.ledger()[-1]
    sealed = body["reported"]["sealed"]
    assert (kind, body["reported"]["by"], len(sealed)) == ("task.done", "ada", 64)
    assert f"to be signed by ada: mass = 1, photo = good.png, image/png, {len(PNG)} bytes (sha256 " in out
    assert f"ada signed it (sha256 {sealed[:12]})." in out
    assert bench.tasks.get(1).sealed == sealed


def test_a_signed_report_that_somebody_changes_is_seen(bench):
    bench.add("ada")
    bench.put(MASS, signed=True)
    bench.done("--set", "mass=1", as_="ada")

    with bench.database.write() as connection:
        connection.exec_driver_sql("""UPDATE tasks SET reported = replace(reported, '"value":1.0', '"value":2.0')""")

    code, out, _ = bench.call("verify")
    assert code != 0
    assert "task 1: what is on record is not what ada signed." in out


@pytest.mark.parametrize(
    ("to", "words"),
    [
        (Addressees(people=("grace",)), "eve may not report on task 1 (ada.weigh, trial 1): it is for grace."),
        (Addressees(skill="tlc"), "it is for whoever has the skill tlc. Who has it: ada, grace."),
        (Addressees(skill="nmr"), "it is for whoever has the skill nmr. Who has it: nobody."),
        (Addressees(people=("eve",), skill="tlc"), "it is for whoever has the skill tlc among eve."),
    ],
)
def test_only_those_whom_it_is_for_may_sign(bench, to, words):
    for name, skills in (("ada", ["tlc"]), ("grace", ["tlc"]), ("eve", ["hplc"])):
        bench.add(name, *skills)
    bench.put(MASS, to=to, signed=True)

    code, _, error = bench.done("--set", "mass=1", as_="eve")

    assert code == 8
    assert words in error
    assert bench.tasks.answered("c1") is None


def test_who_a_task_is_for_is_only_an_address_where_nothing_is_signed(bench):
    bench.add("ada", "tlc")
    bench.add("eve")
    bench.put(MASS, to=Addressees(skill="tlc"))

    assert "  for: whoever has the skill tlc (ada)\n" in bench.told("tasks", "--for", "ada")
    assert bench.told("tasks", "--for", "eve") == "No task for eve is open.\n"
    assert bench.call("tasks", "--for", "nobody")[0] == 2
    assert bench.done("--set", "mass=1", "--by", "Eve")[0] == 0


def test_somebody_who_was_removed_signs_nothing(bench):
    bench.add("ada")
    bench.add("eve")
    bench.put(MASS, signed=True)
    bench.told("people", "remove", "eve", "--as", "ada", secret=bench.secrets["ada"])

    code, _, error = bench.done("--set", "mass=1", as_="eve")
    assert (code, "eve was removed" in error) == (8, True)
    eve = People(bench.database).get("eve")  # who had shown her secret just before
    with pytest.raises(NotAuthorised, match="eve was removed"):
        bench.tasks.report([Report(task=1, values={"mass": Measurement(value=1.0)})], signer=eve)
    assert bench.tasks.answered("c1") is None


def test_a_skill_counts_until_it_is_taken_back_or_its_day_is_over(bench):
    bench.add("ada")
    bench.add("eve", "tlc")
    ada = bench.secrets["ada"]
    bench.put(MASS, to=Addressees(skill="tlc"), signed=True)

    assert "eve: added" in bench.told("people") and "  has the skill tlc, by their own word\n" in bench.told("people")
    bench.told("people", "revoke", "eve", "tlc", "--as", "ada", "--why", "never trained", secret=ada)
    assert bench.done("--set", "mass=1", as_="eve")[0] == 8
    code, _, error = bench.call("people", "revoke", "eve", "tlc", "--as", "ada", "--why", "twice", secret=ada)
    assert (code, "eve has no skill 'tlc' that counts now; they have none" in error) == (2, True)
    code, _, error = bench.call("people", "vouch", "eve", "tlc", "--as", "ada", "--until", "2020-01-01", secret=ada)
    assert (code, "2020-01-01 is over" in error) == (2, True)
    bench.told("people", "vouch", "eve", "tlc", "--as", "ada", "--until", "2999-12-31", secret=ada)
    assert "  has the skill tlc, by the word of ada, until 2999-12-31\n" in bench.told("people")
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE skills SET until = 1.0 WHERE until IS NOT NULL")
    assert bench.done("--set", "mass=1", as_="eve")[0] == 8
    bench.told("people", "vouch", "eve", "tlc", "--as", "ada", secret=ada)
    assert bench.done("--set", "mass=1", as_="eve")[0] == 0
    said = [(kind, body["added_by"], body["ended_by"]) for kind, body in bench.ledger("people") if "skill" in kind]
    assert said[:2] == [("skill.vouched", "eve", None), ("skill.revoked", "eve", "ada")]


def test_without_a_secret_nobody_has_a_skill(bench):
    bench.add("ada")

    assert bench.call("people", "vouch", "ada", "tlc", "--as", "ada", secret="guessed-it-perhaps")[0] == 8
    assert bench.call("people", "vouch", "eve", "tlc", "--as", "ada", secret=bench.secrets["ada"])[0] == 2
    assert "skill" not in bench.told("people")


def test_of_two_reports_at_once_one_is_recorded(bench):
    bench.add("ada")
    bench.add("eve")
    bench.put(MASS, signed=True)
    people, said = People(bench.database), list[object]()
    gate = threading.Barrier(2)

    def report(name: str, mass: float) -> None:
        other = Database.open(f"sqlite:///{bench.folder}/labwright.db")
        try:
            gate.wait()
            said.append(
                Tasks(other).report([Report(task=1, values={"mass": Measurement(value=mass)})], signer=people.get(name))
            )
        except InvalidInput as error:
            said.append(error)
        finally:
            other.close()

    both = [threading.Thread(target=report, args=one) for one in (("ada", 1.0), ("eve", 2.0))]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()

    assert sorted(isinstance(one, InvalidInput) for one in said) == [False, True]
    assert [kind for kind, _ in bench.ledger()].count("task.done") == 1
    posted = bench.tasks.get(1)
    assert (posted.by, posted.outcome.values["mass"].value) in (("ada", 1.0), ("eve", 2.0))
    assert bench.call("verify")[0] == 0


def test_who_is_at_a_task_is_said_to_everybody_and_another_may_claim_it_after(bench):
    bench.put(MASS)

    assert bench.told("claim", "1", "--by", "Ada") == "task 1 (ada.weigh, trial 1) is claimed by Ada.\n"
    assert "\n  claimed by Ada, 20" in bench.told("tasks")
    assert "task 1 (ada.weigh, trial 1), claimed by Ada. Look" in bench.told("status")
    assert "is claimed by Eve. Ada had claimed it before." in bench.told("claim", "1", "--by", "Eve")
    assert [(kind, body["claimed"]["by"]) for kind, body in bench.ledger() if kind == "task.claimed"] == [
        ("task.claimed", "Ada"),
        ("task.claimed", "Eve"),
    ]
    code, _, error = bench.call("claim", "1")
    assert (code, "Say who claims it" in error) == (2, True)
    assert bench.done("--set", "mass=1", "--by", "Ada")[0] == 0
    code, _, error = bench.call("claim", "1", "--by", "Ada")
    assert (code, "was recorded already" in error) == (2, True)
    assert bench.call("verify")[0] == 0


def test_what_must_be_signed_is_claimed_only_by_those_whom_it_is_for(bench):
    bench.add("ada", "tlc")
    bench.add("eve")
    bench.put(MASS, to=Addressees(skill="tlc"), signed=True)

    assert bench.call("claim", "1", "--by", "ada")[0] == 8
    assert bench.call("claim", "1", "--as", "eve", secret=bench.secrets["eve"])[0] == 8
    assert bench.tasks.get(1).claimed_by is None
    bench.told("claim", "1", "--as", "ada", secret=bench.secrets["ada"])
    assert bench.tasks.get(1).claimed_by == "ada"


def test_what_is_late_is_said_in_the_overview(bench):
    bench.put(MASS, due_s=0.001)

    assert "Waits for a person: task 1 (ada.weigh, trial 1), LATE since 20" in bench.told("status")
    assert json.loads(bench.told("status", "--json"))["late"] == [1]


def test_a_form_is_filled_in_at_a_terminal(bench):
    bench.add("ada")
    bench.put(*FORM, signed=True)
    answers = ["y", "heavy", "200", "yes", "", "absent.png", "good.png", "humid", "ada", bench.secrets["ada"]]

    code, screen = _at_terminal(bench.folder, "done", "1", answers=answers)

    assert code == 0, screen
    assert "expected 0 to 500 mg." in screen and "there is no file absent.png" in screen
    assert bench.secrets["ada"] not in screen
    posted = bench.tasks.get(1)
    assert (posted.by, posted.note, posted.outcome.values["mass"].value) == ("ada", "humid", 200.0)
    assert posted.sealed is not None and posted.sealed[:12] in screen


def _at_terminal(folder, *words: str, answers: list[str]) -> tuple[int, str]:
    """Run a command at a terminal, and type each answer when it asks for one."""
    here, there = pty.openpty()
    command = [sys.executable, "-m", "labwright", *words]
    process = subprocess.Popen(command, cwd=folder, stdin=there, stdout=there, stderr=there, start_new_session=True)
    os.close(there)
    screen, seen, end = "", 0, time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([here], [], [], 0.2)[0]:
            try:
                screen += os.read(here, 4096).decode()
            except OSError:  # the other side is closed
                break
        elif answers and screen[seen:].rstrip(" ").endswith(":"):
            seen = len(screen)
            os.write(here, f"{answers.pop(0)}\n".encode())
    os.close(here)
    return process.wait(30), screen
