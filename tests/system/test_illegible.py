"""Texts of people that UTF-8 or a database cannot keep are refused in words, before anything is written, everywhere."""

import json
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from labwright.access import Credential
from labwright.app import App
from labwright.core.command import Measurement
from labwright.core.errors import InvalidInput
from labwright.core.form import Field
from labwright.core.task import Task
from labwright.settings import Settings
from labwright.storage.database.schema import metadata
from labwright.storage.tasks import Tasks

CAMPAIGN = """
name: study
space: {x: {kind: continuous, low: 0, high: 1}}
objectives: {y: {goal: minimize}}
procedure: [{use: bench.sqrt, with: {x: $x}, gives: {y: $y}}]
resources: {bench: {kind: function, call: "math:sqrt", outputs: {y: null}}}
planner: {kind: sampling}
budget: {trials: 1}
"""
GOOD = {"m": Measurement(value=1.0)}
ADA = Credential(name="ada", secret="a very good secret")
WEIGH = Task(title="weigh", instructions="", given={}, fields=(Field(name="m"),))


class Desk:
    """Everything that takes a text, on one database with a campaign, a person, a lot and a task."""

    def __init__(self, folder, url):
        self.app, self.folder = App(Settings(database_url=url)), folder
        self.draft("study", "what?")
        self.app.add_person(folder, ADA.name, ADA.secret, by=None)
        self.app.add_lot(folder, "water", (1.0, "mL"))
        self.tasks(lambda tasks: tasks.put("c", "study", [1], "bench", WEIGH))

    def draft(self, name, question):
        file = self.folder / f"{name}.yaml"
        file.write_text(CAMPAIGN.replace("name: study", f"name: {name}\nquestion: {json.dumps(question)}"))
        self.app.draft(file)

    def tasks(self, act):
        with self.app.laboratory(self.folder) as laboratory:
            return act(Tasks(laboratory.database))

    def hand(self, act):
        with self.app.laboratory(self.folder) as laboratory:
            return act(laboratory.hand("study"))

    def clone(self, name):
        with self.app.laboratory(self.folder) as laboratory:
            standing = laboratory.standing("study")
        self.app.clone(standing, name, self.folder / "clone.yaml", with_history=True)

    def rows(self):
        with self.app.laboratory(self.folder) as laboratory, laboratory.database.read() as connection:
            counts = [connection.execute(select(func.count()).select_from(t)) for t in metadata.sorted_tables]
            return [count.scalar_one() for count in counts]


WAYS = {
    "the campaign file": lambda desk, odd: desk.draft("other", odd),
    "a new name": lambda desk, odd: desk.clone(odd),
    "a campaign's name": lambda desk, odd: desk.app.samples(desk.folder, odd),
    "a person's name": lambda desk, odd: desk.app.add_person(desk.folder, odd, ADA.secret, by=ADA),
    "who says so": lambda desk, odd: desk.app.remove_person(desk.folder, "ada", by=replace(ADA, name=odd)),
    "a lot's place": lambda desk, odd: desk.app.add_lot(desk.folder, "salt", (1.0, "g"), location=odd),
    "a lot's reason": lambda desk, odd: desk.app.add_lot(desk.folder, "water", (1.0, "mL"), why=odd),
    "a reason": lambda desk, odd: desk.hand(lambda hand: hand.exclude(1, odd)),
    "why a point": lambda desk, odd: desk.hand(lambda hand: hand.add(["x=0.5"], why=odd)),
    "a value": lambda desk, odd: desk.hand(lambda hand: hand.add([f"x={odd}"], why=None)),
    "a note": lambda desk, odd: desk.tasks(lambda tasks: tasks.answer(1, GOOD, note=odd)),
    "who reports": lambda desk, odd: desk.tasks(lambda tasks: tasks.answer(1, GOOD, by=odd)),
    "a reported word": lambda desk, odd: desk.tasks(lambda tasks: tasks.answer(1, {"m": Measurement(value=odd)})),
    "why not": lambda desk, odd: desk.tasks(lambda tasks: tasks.fail(1, odd)),
}


def test_a_text_that_cannot_be_kept_is_refused_before_anything_is_written(tmp_path, database_url):
    desk = Desk(tmp_path, database_url)
    before = desk.rows()

    for way, give in WAYS.items():
        for odd in ("zero \0", "half \ud800", "no UTF-8 \udcff"):
            with pytest.raises(InvalidInput) as refused:
                give(desk, odd)
            assert ascii(odd)[1:-1] in ascii(str(refused.value)).replace("\\\\", "\\"), way
            assert desk.rows() == before, way
