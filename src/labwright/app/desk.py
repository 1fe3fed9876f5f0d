"""What people do besides running campaigns: their tasks, their skills, and where they expect the best."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from labwright.access import Credential, authenticate
from labwright.app.laboratory import Laboratory, file_of
from labwright.campaigns.clerk import Clerk
from labwright.campaigns.spreadsheet import read_sheet, write_sheet
from labwright.campaigns.worksheet import Filled, check_replaceable, read_filled, worksheet
from labwright.core.belief import GivenBelief
from labwright.core.campaign import Campaign
from labwright.core.errors import InvalidInput
from labwright.core.person import Person, Skill
from labwright.core.reason import legible, stated
from labwright.core.states import CampaignState
from labwright.core.task import PostedTask, Report
from labwright.storage.objects import Objects
from labwright.storage.people import People
from labwright.storage.skills import Skills
from labwright.storage.tasks import Tasks

Open = Callable[[Path], AbstractContextManager[Laboratory]]


@dataclass(frozen=True, kw_only=True)
class About:
    """Who has each skill that tasks call for, and where the files lie that they show, by their references."""

    able: Mapping[str, Sequence[str]]
    files: Mapping[str, Path]


class Desk:
    """Where people find what they are asked to do, and report on it; `laboratory` opens that of a folder."""

    def __init__(self, laboratory: Open) -> None:
        self._laboratory = laboratory

    def tasks(self, folder: Path, name: str | None = None, *, person: str | None = None) -> list[PostedTask]:
        """Return the open tasks of one campaign, or of all, and of them those that a person may take up."""
        with self._laboratory(folder) as laboratory:
            if name is not None:
                laboratory.campaigns.get(name)
            tasks = Tasks(laboratory.database)
            found = tasks.open(name)
            if person is None:
                return found
            People(laboratory.database).get(person)
            return tasks.meant_for(person, found)

    def task(self, folder: Path, number: int) -> PostedTask:
        """Return one task; an unknown number raises NotFound."""
        with self._laboratory(folder) as laboratory:
            return Tasks(laboratory.database).get(number)

    def about(self, folder: Path, tasks: Sequence[PostedTask]) -> About:
        """Return what must be known to take up some tasks."""
        with self._laboratory(folder) as laboratory:
            wanted = {t.task.to.skill for t in tasks}
            able = {skill: Tasks(laboratory.database).able(skill) for skill in wanted if skill is not None}
            shown = {str(m.value) for t in tasks for m in t.task.given.values()}
            objects = Objects(laboratory.database.objects)
            files = {reference: path for reference in shown if (path := objects.find(reference)) is not None}
        return About(able=able, files=files)

    def worksheet(self, folder: Path, name: str, path: Path) -> list[PostedTask]:
        """Write the open tasks of a campaign as a sheet to be filled in, and return them; none writes nothing."""
        tasks = self.tasks(folder, name)
        if tasks:
            check_replaceable(path)
            write_sheet(path, worksheet(tasks, path.name))
        return tasks

    def record(
        self,
        folder: Path,
        name: str,
        path: Path,
        *,
        by: str | None = None,
        signer: Credential | None = None,
        decimal: str | None = None,
        valid_only: bool = False,
    ) -> Filled:
        """Record a filled worksheet: all of it, or its valid rows, or nothing; return what it said."""
        with self._laboratory(folder) as laboratory:
            laboratory.campaigns.get(name)
            tasks, clerk = Tasks(laboratory.database), _clerk(laboratory, name, path.parent)
            filled = read_filled(read_sheet(path), name, tasks.get, clerk, decimal=decimal)
            if filled.problems and not valid_only:
                raise InvalidInput("\n  ".join([f"{path.name}: nothing was recorded.", *filled.problems]))
            person = _shown(laboratory, signer)
            tasks.report(filled.reports, by, signer=person)
            laboratory.end_reported(name)
            return filled

    def clerk(self, folder: Path, posted: PostedTask) -> Clerk:
        """Return who takes in a report on a task, with files looked for from here."""

        def campaign() -> Campaign:
            with self._laboratory(folder) as laboratory:
                return file_of(laboratory.campaigns.get(posted.campaign)).campaign

        return Clerk(campaign, Path())

    def report(
        self, folder: Path, report: Report, *, by: str | None = None, signer: Credential | None = None
    ) -> PostedTask:
        """Record one report, signed by whoever shows their secret; see `Tasks.report`."""
        with self._laboratory(folder) as laboratory:
            person = _shown(laboratory, signer)
            [posted] = Tasks(laboratory.database).report([report], by, signer=person)
            laboratory.end_reported(posted.campaign)
            return posted

    def claim(self, folder: Path, number: int, *, by: str | None, signer: Credential | None = None) -> PostedTask:
        """Record that somebody is at a task; see `Tasks.claim`."""
        with self._laboratory(folder) as laboratory:
            person = _shown(laboratory, signer)
            if person is None and not (by or "").strip():
                raise InvalidInput("Say who claims it: --by NAME, or with your secret --as NAME. Nothing was recorded.")
            return Tasks(laboratory.database).claim(number, (by or "").strip(), signer=person)

    def skills(self, folder: Path) -> list[Skill]:
        """Return every skill on record, also those that are over."""
        with self._laboratory(folder) as laboratory:
            return Skills(laboratory.database).all()

    def vouch(self, folder: Path, person: str, skill: str, *, by: Credential, until: date | None) -> Skill:
        """Record that a person has a skill, by the word of whoever shows their secret."""
        with self._laboratory(folder) as laboratory:
            return Skills(laboratory.database).vouch(person, skill, by=_person(laboratory, by), until=until)

    def revoke(self, folder: Path, person: str, skill: str, *, by: Credential, why: str) -> Skill:
        """Record that a person's skill counts no more."""
        with self._laboratory(folder) as laboratory:
            return Skills(laboratory.database).revoke(person, skill, by=_person(laboratory, by), why=stated(why))

    def believe(
        self, folder: Path, name: str, texts: Sequence[str], *, by: Credential, why: str | None, weight: float
    ) -> list[GivenBelief]:
        """Record where somebody who shows their secret expects the best; it counts from the next proposal on."""
        with self._laboratory(folder) as laboratory:
            state = laboratory.campaigns.get(name).state
            if state in (CampaignState.STOPPED, CampaignState.FAILED):
                raise InvalidInput(
                    f"Campaign {name!r} is {state} for good: nobody would heed it. Nothing was recorded."
                )
            said = laboratory.beliefs_in(name, texts, weight)
            person = _person(laboratory, by)
            reason = None if why is None else legible(why.strip(), "--why") or None
            return laboratory.beliefs.give(name, said, by=person, why=reason)

    def retract(self, folder: Path, number: int, *, by: Credential, why: str) -> GivenBelief:
        """Record that a belief counts no more."""
        with self._laboratory(folder) as laboratory:
            return laboratory.beliefs.retract(number, by=_person(laboratory, by), why=stated(why))


def _clerk(laboratory: Laboratory, name: str, folder: Path) -> Clerk:
    return Clerk(lambda: file_of(laboratory.campaigns.get(name)).campaign, folder)


def _shown(laboratory: Laboratory, by: Credential | None) -> Person | None:
    return None if by is None else _person(laboratory, by)


def _person(laboratory: Laboratory, by: Credential) -> Person:
    return authenticate(People(laboratory.database), by.name, by.secret)
