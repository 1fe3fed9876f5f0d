"""What the faces call: it opens, builds and wires everything."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from labwright import plugins
from labwright.access import Credential, authenticate, seal
from labwright.app.booking import Booking
from labwright.app.desk import Desk
from labwright.app.equipment import Equipment, capabilities_of
from labwright.app.filing import begin, file_away, refuse_change
from labwright.app.guarding import Guarding
from labwright.app.laboratory import Laboratory, Standing, file_of, from_here, place_of
from labwright.app.probing import Probing
from labwright.app.settling import Settling
from labwright.campaigns.attendant import Attendant
from labwright.campaigns.crew import gate_of, said_by
from labwright.campaigns.file import CampaignFile, parse_campaign, read_campaign, renamed
from labwright.campaigns.hand import Imported
from labwright.campaigns.loop import Watcher
from labwright.campaigns.service import Service, Wanted, attend
from labwright.campaigns.sources import changed, check_answers, digests, left_out, with_sources
from labwright.campaigns.waits import Waits
from labwright.campaigns.wiring import Wiring, wire
from labwright.core.approval import Approval, Say
from labwright.core.campaign import Campaign, CampaignRecord
from labwright.core.errors import InvalidInput, NotFound, PlatformError, StorageUnavailable
from labwright.core.material import Lot, LotEntry, Sample
from labwright.core.need import Supply
from labwright.core.person import Person
from labwright.core.reason import stated
from labwright.core.run import Run
from labwright.core.states import CampaignState
from labwright.core.trial import Proposal, Trial
from labwright.core.verdict import Verdict
from labwright.planning.planner import Planner
from labwright.settings import Settings
from labwright.storage.approvals import Approvals
from labwright.storage.campaigns import campaign_what
from labwright.storage.database import Database
from labwright.storage.database.thread import StorageThread
from labwright.storage.people import People
from labwright.storage.presence import WorkerRecord, at_work
from labwright.storage.tasks import Tasks

DATABASE = "labwright.db"
ENDED = frozenset({CampaignState.FINISHED, CampaignState.STOPPED, CampaignState.FAILED})


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a check found: the wired campaign, the first proposal, and what the gate says of it.

    `supplies`: of each lot, what the trials that are left would take; None: what is there cannot be read.
    """

    wiring: Wiring
    first: Proposal
    verdict: Verdict
    supplies: tuple[Supply, ...] | None


# A number with its unit, as it was written.
Quantity = tuple[float, str | None]

# Puts on record what a person, by name, saw of a run, by number.
Decision = Callable[[Laboratory, int, str], Run]


@dataclass(frozen=True, kw_only=True)
class Faces:
    """Who looks on: `watcher` is made for a campaign that begins, `tell` takes a line for people."""

    watcher: Callable[[Wiring], Watcher]
    tell: Callable[[str], None]


class App:
    """What the faces call."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._equipment = Equipment(settings)

    @property
    def desk(self) -> Desk:
        """What people do besides running campaigns: their tasks, skills and beliefs."""
        return Desk(self.laboratory)

    def database_url(self, folder: Path) -> str:
        """Return the URL that is set, or else `labwright.db` in the folder."""
        return self._settings.database_url or f"sqlite:///{(folder / DATABASE).absolute()}"

    @contextmanager
    def laboratory(self, folder: Path, *, create: bool = False) -> Iterator[Laboratory]:
        """Open the database for a campaign's folder; without `create`, one that is not there is an error."""
        url = self.database_url(folder)
        database = Database.open(url, busy_timeout_s=self._settings.busy_timeout_s, create=create)
        try:
            yield Laboratory.of(database, lease_s=self._settings.lease_s)
        except PlatformError as error:
            if (place := self.place(folder)) and "labwright " in str(error):
                error.add_note(f"Commands named here are for the database in{place}: give them in that folder.")
            raise
        finally:
            database.close()

    def place(self, folder: Path) -> str:
        """Return what to type after a command that takes a folder, so that it acts on this database from here."""
        return "" if self._settings.database_url else place_of(folder)

    def called(self, folder: Path, name: str) -> str:
        """Return how a campaign is to be named on the command line from here."""
        return from_here(folder.absolute() / name) if self.place(folder) else name

    def check(self, path: Path) -> Checked:
        """Read a campaign file and hold it against its resources, which are asked what they can do; nothing moves."""
        return asyncio.run(self._check(read_campaign(path)))

    def standing(self, laboratory: Laboratory, name: str) -> Standing:
        """Return a campaign as it is on record; an unknown name raises NotFound."""
        return laboratory.standing(name)

    def run(self, path: Path, *, name: str | None, faces: Faces, serve: bool = True) -> Standing:
        """Run a campaign file to its end, or take it up where it was left; a finished one is only shown.

        Without `serve` its runs are left to other processes, which `work`.
        """
        file = read_campaign(path, name=name)
        folder = path.absolute().parent
        with self.laboratory(folder, create=True) as laboratory:
            record = laboratory.campaigns.find(file.campaign.name)
            if record is not None:
                refuse_change(record, file)
            if record is None or not _is_over(laboratory, record):
                asyncio.run(self._run(file, laboratory, faces, serve=serve))
            return self.standing(laboratory, file.campaign.name)

    def work(self, folder: Path, *, tell: Callable[[str], None]) -> None:
        """Serve the resources of every campaign at work, until interrupted."""
        with self.laboratory(folder, create=True) as laboratory:
            asyncio.run(self._work(laboratory, tell))

    def stop(self, folder: Path, name: str, *, file: Path | None = None) -> list[str]:
        """Send a campaign's resources to their safe state, then record that it is stopped; return what went wrong.

        With its file they go there whatever the database does.
        """
        problems = []
        if file is not None:
            problems = asyncio.run(self._equipment.stop_all(read_campaign(file), folder))
        with self.laboratory(folder) as laboratory:
            standing = self.standing(laboratory, name)
            # The database lies beside the file, also where both were moved together.
            home = Path(standing.record.folder) if self._settings.database_url else folder
            if file is None:
                problems = asyncio.run(self._equipment.stop_all(standing.file, home))
            self.guarding.stopped(laboratory, standing.file.campaign, home)
            laboratory.campaigns.change(name, "stop", "stopped by a person")
            laboratory.runs.call_off(name, "the campaign was stopped")
            laboratory.end_reported(name)
            laboratory.trials.withdraw_open(name, "the campaign was stopped")
            if laboratory.runs.in_flight(name):  # one may have begun between the stop and its record
                problems = asyncio.run(self._equipment.stop_all(standing.file, home))
        return problems

    def people(self, folder: Path) -> list[Person]:
        """Return everyone on record, also those who have left."""
        with self.laboratory(folder) as laboratory:
            return People(laboratory.database).all()

    def add_person(self, folder: Path, name: str, secret: str, *, by: Credential | None) -> Person:
        """Put a person on record; only the first of a database needs nobody to vouch for them."""
        sealed = seal(secret)
        with self.laboratory(folder, create=True) as laboratory:
            people = People(laboratory.database)
            voucher = None if by is None else authenticate(people, by.name, by.secret)
            return people.add(name, sealed, by=voucher)

    def remove_person(self, folder: Path, name: str, *, by: Credential) -> Person:
        """End a person's part; what they signed stays on record, and counts no more where a trial still waits."""
        with self.laboratory(folder) as laboratory:
            people = People(laboratory.database)
            return people.remove(name, by=authenticate(people, by.name, by.secret))

    def change_secret(self, folder: Path, by: Credential, secret: str) -> None:
        """Give a person a new secret in place of the one that they show."""
        sealed = seal(secret)
        with self.laboratory(folder) as laboratory:
            people = People(laboratory.database)
            people.change_secret(authenticate(people, by.name, by.secret), sealed)

    def approvals(self, folder: Path) -> list[Approval]:
        """Return what waits for people, in every campaign."""
        with self.laboratory(folder) as laboratory:
            return Approvals(laboratory.database).waiting()

    def approval(self, folder: Path, campaign: str, number: int) -> Approval:
        """Return what people are asked about one trial, as it stands now."""
        with self.laboratory(folder) as laboratory:
            return Approvals(laboratory.database).of(campaign, number)

    def sign(self, folder: Path, seen: Approval, by: Credential, say: Say, why: str | None = None) -> Approval:
        """Record what a person says of exactly what they have seen; a reason that is given must say something."""
        why = None if why is None else stated(why)
        with self.laboratory(folder) as laboratory:
            person = authenticate(People(laboratory.database), by.name, by.secret)
            signed = Approvals(laboratory.database)
            return signed.sign(seen.campaign, seen.trial, person=person, say=say, seen=seen.digest, why=why)

    def draft(self, path: Path) -> str:
        """Put a campaign on record that is to be run later, or only look whether its file is still the same."""
        file = read_campaign(path)
        with self.laboratory(path.absolute().parent, create=True) as laboratory:
            record = laboratory.campaigns.find(file.campaign.name)
            if record is None:
                file_away(laboratory.campaigns, file)
            else:
                refuse_change(record, file)
        return file.campaign.name

    def clone(self, standing: Standing, new: str, out: Path, *, with_history: bool) -> Imported:
        """Write a campaign's file under a new name; with its history, that campaign is a draft with these results."""
        parse_campaign(standing.record.text, out, name=new)  # says what is wrong with the name
        file = parse_campaign(renamed(standing.record.text, new), out, name=new)
        if out.exists():
            raise InvalidInput(f"{out} exists; nothing was written. Name another file: -o FILE.yaml.")
        with self.laboratory(out.absolute().parent, create=with_history) as laboratory:
            if laboratory.campaigns.find(new) is not None:
                raise InvalidInput(f"A campaign named {new!r} is on record; nothing was written. Choose another --new.")
            out.write_text(file.campaign.text, encoding="utf-8")
            if not with_history:
                return Imported(numbers=())
            file_away(laboratory.campaigns, file)
            return laboratory.hand(new).take_over(standing.record.name, standing.trials)

    def declare_gone(self, folder: Path, worker: str, by: Credential, why: str) -> WorkerRecord:
        """Record that a process acts no more, by the word of a person who shows their secret."""
        with self.laboratory(folder) as laboratory:
            person = authenticate(People(laboratory.database), by.name, by.secret)
            return laboratory.presence.declare_gone(worker, why=stated(why), by=person.name)

    def decide(self, folder: Path, number: int, by: Credential, decision: Decision) -> Run:
        """Record what became of an unknown run, as a person who shows their secret saw it; return the run."""
        with self.laboratory(folder) as laboratory:
            person = authenticate(People(laboratory.database), by.name, by.secret)
            return decision(laboratory, number, person.name)

    def lots(self, folder: Path) -> list[Lot]:
        """Return every lot as it stands now."""
        with self.laboratory(folder) as laboratory:
            return laboratory.materials.lots()

    def lot(self, folder: Path, name: str) -> tuple[Lot, list[LotEntry]]:
        """Return a lot, and each change of its amount, the oldest first."""
        with self.laboratory(folder) as laboratory:
            return laboratory.materials.lot(name), laboratory.materials.entries(name)

    def add_lot(
        self,
        folder: Path,
        name: str,
        amount: Quantity,
        *,
        expires: date | None = None,
        location: str | None = None,
        why: str | None = None,
    ) -> Lot:
        """Put an amount of a lot on record, new or besides what is there."""
        with self.laboratory(folder, create=True) as laboratory:
            return laboratory.materials.add(name, *amount, expires=expires, location=location, why=why)

    def correct_lot(self, folder: Path, name: str, amount: Quantity, *, why: str) -> Lot:
        """Record how much of a lot is there, as somebody saw it."""
        with self.laboratory(folder) as laboratory:
            return laboratory.materials.correct(name, *amount, why=stated(why))

    def samples(self, folder: Path, campaign: str | None = None) -> list[Sample]:
        """Return the samples of one campaign, or of all; an unknown name raises NotFound."""
        with self.laboratory(folder) as laboratory:
            if campaign is not None:
                laboratory.campaigns.get(campaign)
            return laboratory.materials.samples(campaign)

    async def _check(self, file: CampaignFile) -> Checked:
        async with self._equipment.opened(file, file.path.absolute().parent) as resources:
            wiring = wire(file.campaign, capabilities_of(resources), file.problems())
            wiring = self.guarding.before(wiring, file, resources)
        wiring = self._with_sources(wiring, file)
        first = planner_of(file.campaign).propose(wiring.problem, [], [], 1, seed=file.campaign.seed)[0]
        check_answers(wiring.problem, first.point, file.problems())
        verdict = gate_of(wiring).review(wiring.plan(first.point))
        return Checked(wiring=wiring, first=first, verdict=verdict, supplies=self._supplies(wiring, file))

    def _with_sources(self, wiring: Wiring, file: CampaignFile) -> Wiring:
        """Return the wiring with what its sources know; a database is not made for that."""
        folder = file.path.absolute().parent
        if not any(origin.campaign for origin in file.campaign.sources):
            return with_sources(wiring, folder, _nothing_earlier, file.problems())
        with self.laboratory(folder) as laboratory:
            return with_sources(wiring, folder, laboratory.earlier, file.problems())

    @property
    def booking(self) -> Booking:
        """What people do with resources that campaigns share."""
        return Booking(self.laboratory, self._equipment)

    @property
    def probing(self) -> Probing:
        """What resources say of themselves."""
        return Probing(self.laboratory, self._equipment)

    @property
    def settling(self) -> Settling:
        """What people see of the things that resources handle."""
        return Settling(self.laboratory, self._equipment)

    @property
    def guarding(self) -> Guarding:
        """What people do with the monitors before instruments."""
        return Guarding(self.laboratory, self._equipment)

    def _supplies(self, wiring: Wiring, file: CampaignFile) -> tuple[Supply, ...] | None:
        """Hold what is left of a campaign against the lots on record; a database is not made for that."""
        folder, needs = file.path.absolute().parent, wiring.needs
        lots: dict[str, Lot] = {}
        left = wiring.campaign.trials
        if needs and (self._settings.database_url or (folder / DATABASE).exists()):
            try:
                with self.laboratory(folder) as laboratory:
                    lots = {lot.name: lot for lot in laboratory.materials.lots()}
                    left = laboratory.left_of(file.campaign)
            except StorageUnavailable:
                return None
        return tuple(Supply(need=need, trials=left, lot=lots.get(need.lot)) for need in needs if left)

    async def _run(self, file: CampaignFile, laboratory: Laboratory, faces: Faces, *, serve: bool) -> None:
        folder, name = file.path.absolute().parent, file.campaign.name
        async with self._equipment.opened(file, folder) as resources:
            wiring = wire(file.campaign, capabilities_of(resources), file.problems())
            wiring = with_sources(wiring, folder, laboratory.earlier, file.problems())
            wiring = self.guarding.before(wiring, file, resources)
            posts = self._equipment.posts(file.campaign, resources, folder)
            with at_work(laboratory.presence, f"campaign {name}"):
                if not await self._hold(laboratory, name, faces.tell):
                    return
                keys = {n: post.key for n, post in posts.items()}
                sources = digests(wiring.problem, file.campaign.sources, folder)
                for words in [*left_out(wiring.problem), *changed(laboratory.sources_of(name), sources)]:
                    faces.tell(words)
                begin(laboratory.campaigns, file, said_by(wiring, keys, sources))
                laboratory.runs.follow(name, keys, wiring.movable)
                with closing(StorageThread(laboratory.database)) as thread:
                    served = list(posts.values()) if serve else []
                    watcher, planner = faces.watcher(wiring), planner_of(file.campaign)
                    crew = laboratory.crew(wiring, planner, keys, served, thread, watcher, faces.tell)
                    attendant = Attendant(crew, tell=faces.tell)
                    async with self._waits(laboratory, name, folder, thread, faces.tell, serve=serve).told():
                        await attendant.conduct(poll_s=self._settings.poll_s, outage_s=self._settings.outage_s)

    def _waits(
        self,
        laboratory: Laboratory,
        name: str,
        folder: Path,
        thread: StorageThread,
        tell: Callable[[str], None],
        *,
        serve: bool,
    ) -> Waits:
        """Return who tells what a campaign waits for, with commands that work from here."""
        place = self.place(folder)
        same = ", with LABWRIGHT_DATABASE_URL set as here" if self._settings.database_url else ""
        return Waits(
            name,
            tasks=Tasks(laboratory.database),
            approvals=Approvals(laboratory.database),
            runs=laboratory.runs,
            presence=laboratory.presence,
            storage=thread,
            tell=tell,
            place=place,
            worker=None if serve else f"labwright worker{place}{same}",
        )

    async def _work(self, laboratory: Laboratory, tell: Callable[[str], None]) -> None:
        with at_work(laboratory.presence, "worker"), closing(StorageThread(laboratory.database)) as thread:
            told: set[str] = set()

            def unusable(campaign: str, why: str) -> None:
                if campaign not in told:
                    tell(f"{campaign} is not served: {why}")
                told.add(campaign)

            service = Service(
                lambda: self._wanted(laboratory, unusable),
                lambda post: laboratory.worker(post, thread, tell),
                presence=laboratory.presence,
                storage=thread,
                tell=tell,
            )
            if not laboratory.campaigns.at_work():
                tell(f"No campaign is at work in {laboratory.database.name}; waiting for one. Interrupt to end.")
            await attend(service, poll_s=self._settings.poll_s, tell=tell)

    def _wanted(self, laboratory: Laboratory, unusable: Callable[[str, str], None]) -> dict[str, Wanted]:
        """Return each resource of the campaigns that are at work, by its key.

        A campaign that cannot be read any more is told of, and holds up no other.
        """
        wanted: dict[str, Wanted] = {}
        for record in laboratory.campaigns.at_work():
            try:
                campaign, folder = file_of(record).campaign, Path(record.folder)
                keys = self._equipment.keys(campaign, folder)
            except PlatformError as error:
                unusable(record.name, str(error))
                continue
            for name, key in keys.items():
                opened = partial(self._equipment.post, campaign, name, folder)
                wanted.setdefault(key, Wanted(name=f"{name} of {campaign.name}", open=opened))
        return wanted

    async def _hold(self, laboratory: Laboratory, name: str, tell: Callable[[str], None]) -> bool:
        """Hold a campaign, if need be after the process that conducts it now; False when it has ended meanwhile."""
        told = False
        while (holder := laboratory.presence.hold(campaign_what(name), fenced=True)) is not None:
            if not told:
                tell(f"{name} is conducted by {holder}; waiting until that ends. Interrupt to leave.")
                told = True
            await asyncio.sleep(self._settings.poll_s)
            laboratory.presence.beat()
        record = laboratory.campaigns.find(name)
        return record is None or not _is_over(laboratory, record)


def _is_over(laboratory: Laboratory, record: CampaignRecord) -> bool:
    """Whether nothing is left to do: a process may have died before it recorded what a stopped campaign had begun."""
    return record.state in ENDED and not laboratory.runs.open(record.name)


def _nothing_earlier(name: str) -> tuple[Campaign, Sequence[Trial]]:
    raise NotFound(f"No campaign named {name!r}: there is no database.")


def planner_of(campaign: Campaign) -> Planner:
    """Return the planner that a campaign names."""
    kind = plugins.load("labwright.planners", campaign.planner.kind)
    planner: Planner = kind(kind.Options(**campaign.planner.options))
    return planner
