"""A resource that is not to be had: nothing is begun on it, and why is said."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from labwright.access import Credential
from labwright.app import App
from labwright.app.named import Named
from labwright.core.availability import Busy
from labwright.core.errors import InvalidTransition, NotAuthorised, NotFound
from labwright.resources.calendars import read_calendar, write_calendar
from labwright.settings import Settings
from labwright.storage.database import Database
from labwright.storage.database.ledger import entries

LABWRIGHT = [sys.executable, "-m", "labwright"]
SECRET = "correct horse of Ada 42"
ADA = Credential(name="Ada", secret=SECRET)
CAMPAIGN = """\
name: adding
space:
  x: {kind: continuous, low: 0, high: 1}
objectives:
  y: {goal: maximize, unit: "1"}
procedure:
  - use: bench.measure
    with: {x: $x}
    gives: {y: $y}
    TIMEOUT
resources:
  bench:
    kind: function
    call: bench.py:measure
    inputs: {x: {low: 0, high: 1}}
    outputs: {y: "1"}
    AVAILABILITY
budget: {trials: 2}
planner: {kind: sampling}
"""


class Lab:
    def __init__(self, folder):
        self.folder, self.app = folder, App(Settings())
        (folder / "bench.py").write_text("def measure(x):\n    return {'y': x}\n")
        self.app.add_person(folder, "Ada", SECRET, by=None)
        (folder / "ada").write_text(f"{SECRET}\n")
        self.named = Named(folder=folder, campaign="adding", resource="bench", file=folder / "adding.yaml")
        self.write("capacity: 1")

    def write(self, availability, timeout=""):
        text = CAMPAIGN.replace("AVAILABILITY", availability).replace("    TIMEOUT\n", timeout)
        (self.folder / "adding.yaml").write_text(text)

    def run(self):
        return subprocess.Popen(
            [*LABWRIGHT, "run", "adding.yaml"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def labwright(self, *words):
        done = subprocess.run([*LABWRIGHT, *words], cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def begun(self):
        return [body for kind, body in self.ledger() if kind == "run.intended"]

    def ledger(self):
        database = Database.open(f"sqlite:///{self.folder / 'labwright.db'}")
        try:
            with database.read() as connection:
                return [(e.kind, json.loads(e.body)) for e in entries(connection)]
        finally:
            database.close()

    def calendar(self, *times):
        (self.folder / "bench.ics").write_bytes(write_calendar("bench", times))


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)


def waits(run, words):
    """Wait until it says so."""
    return any(words in line for line in iter(run.stdout.readline, ""))


def ended(run):
    run.kill()
    run.communicate()


def test_what_a_person_has_taken_is_left_alone_until_it_is_given_back(lab):
    lab.labwright("take", "adding.yaml", "bench", "--why", "alignment", "--as", "Ada", "--secret-file", "ada")
    run = lab.run()
    assert waits(run, "bench waits: Ada has taken it: alignment")
    assert "Taken: bench by Ada: alignment." in lab.labwright("status")
    assert lab.begun() == []

    lab.labwright("give-back", "adding.yaml", "bench", "--as", "Ada", "--secret-file", "ada")
    run.communicate(timeout=60)

    assert run.returncode == 0
    assert len(lab.begun()) == 2
    told = {kind: body for kind, body in lab.ledger() if kind.startswith("resource.")}
    assert told["resource.taken"]["why"] == "alignment"
    assert told["resource.given_back"]["by"] == "Ada"


def test_it_is_taken_by_one_at_a_time_by_those_who_show_who_they_are_and_for_as_long_as_said(lab):
    with pytest.raises(NotAuthorised):
        lab.app.booking.take(lab.named, Credential(name="Ada", secret="guessed"), "alignment", for_s=None)
    lab.app.booking.take(lab.named, ADA, "alignment", for_s=3600)
    with pytest.raises(InvalidTransition, match=r"taken by Ada \(alignment\)"):
        lab.app.booking.take(lab.named, ADA, "again", for_s=None)
    lab.app.booking.give_back(lab.named, ADA)
    with pytest.raises(NotFound, match="Nobody has taken it"):
        lab.app.booking.give_back(lab.named, ADA)
    lab.app.booking.take(lab.named, ADA, "a moment", for_s=0.001)

    lab.labwright("run", "adding.yaml")

    assert len(lab.begun()) == 2


def test_outside_its_hours_nothing_is_begun(lab):
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%a").lower()
    lab.write(f'availability: {{hours: {{{tomorrow}: "00:00-24:00"}}}}')

    run = lab.run()

    assert waits(run, "bench waits: it is closed at this hour")
    assert lab.begun() == []
    ended(run)


def test_during_an_event_of_its_calendar_nothing_is_begun_and_then_it_goes_on(lab):
    now = datetime.now(UTC)
    lab.calendar(Busy(start=now - timedelta(hours=1), end=now + timedelta(hours=1), why="Maintenance"))
    lab.write("availability: {calendars: bench.ics}")
    run = lab.run()
    assert waits(run, "bench waits: its calendar says 'Maintenance' until")
    assert lab.begun() == []

    lab.calendar(Busy(start=now + timedelta(hours=1), end=now + timedelta(hours=2), why="Maintenance"))
    run.communicate(timeout=60)

    assert len(lab.begun()) == 2


def test_a_calendar_that_cannot_be_read_takes_all_the_time(lab):
    lab.write("availability: {calendars: bench.ics}")

    run = lab.run()

    assert waits(run, "bench.ics cannot be read")
    ended(run)


def test_what_may_last_into_an_event_is_not_begun(lab):
    now = datetime.now(UTC)
    lab.calendar(Busy(start=now + timedelta(hours=1), end=now + timedelta(hours=2), why="Beam down"))
    lab.write("availability: {calendars: bench.ics}", timeout="    timeout: 2 h\n")

    run = lab.run()

    assert waits(run, "bench holds back run 1: bench: its calendar says 'Beam down'")
    assert lab.begun() == []
    ended(run)


def test_a_need_that_cannot_be_read_holds_it(lab):
    lab.write("availability: {needs: door = closed}")

    run = lab.run()

    assert waits(run, "bench waits: door = closed is not known: door cannot be read")
    ended(run)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("{timezone: Atlantis}", "line 16: resources.bench.availability: timezone: found 'Atlantis'"),
        ("{hours: {mon: always}}", "found 'always', expected hours as 08:00-18:00"),
        ("{needs: door is closed}", "expected a channel, one of = <= >=, and a value"),
        ("{needs: gate.beam = on}", "no resource is named 'gate'"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(lab, said, words):
    lab.write(f"availability: {said}")

    done = subprocess.run([*LABWRIGHT, "check", "adding.yaml"], cwd=lab.folder, capture_output=True, text=True)

    assert done.returncode != 0
    assert words in done.stderr


def test_its_calendar_shows_what_took_it(lab):
    now = datetime.now(UTC)
    lab.calendar(Busy(start=now + timedelta(hours=1), end=now + timedelta(hours=2), why="Maintenance"))
    lab.write("availability: {calendars: bench.ics}")
    lab.labwright("run", "adding.yaml")
    lab.app.booking.take(lab.named, ADA, "alignment", for_s=60)

    said = lab.labwright("calendar", "adding.yaml", "bench", "-o", "out.ics")

    assert "4 events" in said
    found = read_calendar(lab.folder / "out.ics", now - timedelta(days=1), now + timedelta(days=1), UTC)
    assert sorted(b.why for b in found) == [
        "Ada: alignment",
        "Maintenance",
        "bench.measure of trial adding/1",
        "bench.measure of trial adding/2",
    ]
