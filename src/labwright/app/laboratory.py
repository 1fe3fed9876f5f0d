"""Everything on record in one database."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Self
from uuid import uuid4

from labwright.app.record import TrialRecord
from labwright.campaigns.believing import read_beliefs
from labwright.campaigns.crew import Crew, assemble, brief_of, can_do, keys_of, sources_of
from labwright.campaigns.decision import observation_of, words_of
from labwright.campaigns.file import CampaignFile, find_file, recall_campaign
from labwright.campaigns.hand import Hand
from labwright.campaigns.loop import Records, Watcher
from labwright.campaigns.wiring import Wiring
from labwright.core.approval import Approval
from labwright.core.belief import Belief, GivenBelief
from labwright.core.campaign import Campaign, CampaignRecord
from labwright.core.capability import Capability
from labwright.core.command import Failure
from labwright.core.errors import InvalidCampaign, InvalidInput, InvalidTransition, NotFound, Overtaken
from labwright.core.reason import stated
from labwright.core.recorder import Recorder
from labwright.core.run import Run, thing_of
from labwright.core.states import CampaignState, RunState
from labwright.core.task import PostedTask
from labwright.core.trial import Trial
from labwright.core.values import Json
from labwright.planning.planner import Planner
from labwright.sites.available import Taken
from labwright.sites.duty import Duty
from labwright.sites.post import Post
from labwright.sites.received import received
from labwright.sites.recorder import RunRecorder
from labwright.sites.worker import Brief, Worker
from labwright.storage.approvals import Approvals
from labwright.storage.backup import Restored, backup, restore
from labwright.storage.beliefs import Beliefs
from labwright.storage.campaigns import Campaigns, campaign_what
from labwright.storage.corrections import Corrections
from labwright.storage.database import Database
from labwright.storage.database.thread import StorageThread
from labwright.storage.guards import GuardRecord, Guards, GuardState
from labwright.storage.materials import Materials
from labwright.storage.objects import Objects
from labwright.storage.presence import LEASE_S, Presence, WorkerRecord, holding_of
from labwright.storage.reservations import Reservation, Reservations
from labwright.storage.runs import Runs
from labwright.storage.statements import Statements
from labwright.storage.tasks import Tasks
from labwright.storage.telemetry import Series, Telemetry
from labwright.storage.trials import Trials
from labwright.storage.verification import Verification, verify


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A campaign as it stands on record, with its file and its trials; `owned`: another process conducts it now.

    `beliefs`: what people said since of where they expect the best, also what they took back.
    """

    file: CampaignFile
    record: CampaignRecord
    trials: list[Trial]
    owned: bool
    beliefs: Sequence[GivenBelief] = ()

    @property
    def campaign(self) -> Campaign:
        """The campaign that the file describes, with the budget that it has by now."""
        campaign, budget = self.file.campaign, self.record.budget
        return campaign if budget is None else replace(campaign, trials=budget)

    def how_to_run(self, folder: Path) -> str:
        """Return the command with which a campaign of that folder goes on."""
        path = find_file(folder, self.record.text) or find_file(Path(self.record.folder), self.record.text)
        if path is None:
            return f"labwright run FILE, with its file as it began; none like it is in {from_here(folder)} any more"
        own = recall_campaign(self.record.text, path).campaign.name == self.record.name
        return f"labwright run {from_here(path)}{'' if own else f' --new {self.record.name}'}"


@dataclass(frozen=True, kw_only=True)
class Overview:
    """How a laboratory stands: its campaigns, who works on what, and what waits for people.

    `called`: what campaigns call the things that processes hold. `unreadable`: of a campaign whose file cannot be read
    any more, by its name, why.
    """

    standings: list[Standing]
    unreadable: Mapping[str, str]
    workers: list[WorkerRecord]
    called: Mapping[str, str]
    unknown: list[Run]
    approvals: list[Approval]
    tasks: list[PostedTask]
    guards: list[GuardRecord]
    taken: list[Reservation]


@dataclass(frozen=True, kw_only=True)
class Laboratory:
    """One database with everything on record in it."""

    database: Database
    campaigns: Campaigns
    trials: Trials
    corrections: Corrections
    statements: Statements
    runs: Runs
    presence: Presence
    materials: Materials
    beliefs: Beliefs

    @classmethod
    def of(cls, database: Database, *, lease_s: float = LEASE_S) -> Self:
        """Return the laboratory of a database, seen by a worker with a random id of its own."""
        worker = uuid4().hex
        return cls(
            database=database,
            campaigns=Campaigns(database),
            trials=Trials(database, worker),
            corrections=Corrections(database),
            statements=Statements(database),
            runs=Runs(database, worker),
            presence=Presence(database, worker, lease_s=lease_s),
            materials=Materials(database),
            beliefs=Beliefs(database),
        )

    def records(self, thread: StorageThread) -> Records:
        """Return what the loop keeps its facts in, by way of the storage thread."""
        approvals = Approvals(self.database)
        return Records(
            campaigns=self.campaigns,
            trials=self.trials,
            runs=self.runs,
            approvals=approvals,
            materials=self.materials,
            beliefs=self.beliefs,
            thread=thread,
        )

    def crew(
        self,
        wiring: Wiring,
        planner: Planner,
        keys: Mapping[str, str],
        posts: Sequence[Post],
        thread: StorageThread,
        watcher: Watcher,
        tell: Callable[[str], None] = lambda text: None,
    ) -> Crew:
        """Return those who conduct a campaign and serve resources in this process; `keys`: of all that it names."""
        return assemble(
            wiring,
            planner,
            keys,
            [self._on_duty(post, thread) for post in posts],
            records=self.records(thread),
            presence=self.presence,
            watcher=watcher,
            recorder=self.recorder(thread, watcher.progress),
            others=cache(self.brief),
            tell=tell,
            taken=Taken(Reservations(self.database), thread),
        )

    def worker(self, post: Post, thread: StorageThread, tell: Callable[[str], None]) -> Worker:
        """Return who serves a resource for whatever campaigns use it."""
        return Worker(
            [self._on_duty(post, thread)],
            runs=self.runs,
            presence=self.presence,
            storage=thread,
            brief=cache(self.brief),
            recorder=self.recorder(thread, lambda fraction, text: None),
            tell=tell,
            taken=Taken(Reservations(self.database), thread),
            sole=False,
        )

    def _on_duty(self, post: Post, thread: StorageThread) -> Post:
        """Return the post with who follows the record of its monitor, where one stands before it."""
        if post.guard is None:
            if self.guards.find(thing_of(post.key)) is not None:
                raise InvalidInput(
                    f"A monitor stands before {post.resource.name}, as it is on record, and this campaign leaves it "
                    "out. Say `guard:` with its limits in the file."
                )
            return post
        return replace(post, duty=Duty(post.guard, self.guards, thread, self.runs.worker))

    @property
    def guards(self) -> Guards:
        """What is on record of the monitors before instruments."""
        return Guards(self.database)

    def recorder(self, thread: StorageThread, progress: Callable[[float, str], None]) -> Callable[[Run], Recorder]:
        """Return what gives a run's adapter its recorder."""
        tasks, objects = Tasks(self.database), Objects(self.database.objects)
        telemetry = Telemetry(self.database, objects)
        return lambda run: RunRecorder(
            run, tasks=tasks, objects=objects, telemetry=telemetry, storage=thread, watcher_progress=progress
        )

    def brief(self, name: str) -> Brief:
        """Return what a worker must know of a campaign on record, without asking its resources again."""
        record = self.campaigns.get(name)
        if record.declared is None:
            raise NotFound(f"Campaign {name!r} has not begun: nobody has said yet what its resources can do.")
        return brief_of(file_of(record).campaign, record.declared)

    def standing(self, name: str) -> Standing:
        """Return a campaign as it is on record; an unknown name raises NotFound."""
        record = self.campaigns.get(name)
        owned = self.presence.holder(campaign_what(name)) is not None
        trials, beliefs = self.trials.of(name), self.beliefs.of(name)
        return Standing(file=file_of(record), record=record, trials=trials, owned=owned, beliefs=beliefs)

    def earlier(self, name: str) -> tuple[Campaign, list[Trial]]:
        """Return a campaign with its trials, for another to learn from; an unknown name raises NotFound."""
        return file_of(self.campaigns.get(name)).campaign, self.trials.of(name)

    def beliefs_in(self, name: str, texts: Sequence[str], weight: float) -> list[Belief]:
        """Return what texts such as `temperature=60 degC within 5 K` say of a campaign; every problem is named."""
        campaign = file_of(self.campaigns.get(name)).campaign
        return read_beliefs(campaign, texts, weight)

    def sources_of(self, name: str) -> dict[str, str]:
        """Return the sha256 of what each source of a campaign said when it was last taken up."""
        record = self.campaigns.find(name)
        return sources_of(record.declared if record else None)

    def record(self, name: str, number: int) -> TrialRecord:
        """Return all that is on record of a trial; an unknown one raises NotFound."""
        campaign, trial = self.campaigns.get(name), self.trials.get(name, number)
        file, runs, objects = file_of(campaign), self.runs.of(name, number), Objects(self.database.objects)
        kept = {reference for run in runs for reference in getattr(run.outcome_of(number), "objects", ())}
        return TrialRecord(
            campaign=file.campaign,
            trial=trial,
            runs=runs,
            capabilities=can_do(file.campaign, campaign.declared),
            samples=self.materials.samples(name, number),
            corrections=self.corrections.of(name, number),
            statements=self.statements.of(name, number),
            files={reference: path for reference in kept if (path := objects.find(reference)) is not None},
            beliefs=self.beliefs.of(name),
        )

    def told(self, name: str, number: int | None = None) -> dict[tuple[str, str], Series]:
        """Return what resources told during a trial, or a campaign, by resource and channel."""
        objects = Objects(self.database.objects)
        of = None if number is None else [run.id for run in self.runs.of(name, self.trials.get(name, number).number)]
        self.campaigns.get(name)
        return Telemetry(self.database, objects).of(name, of)

    def decide_done(self, number: int, found: Json, *, why: str, by: str) -> Run:
        """Record what a person read off after an unknown run, by the outputs of its capability."""
        run = self.unknown(number)
        campaign = file_of(self.campaigns.get(run.campaign)).campaign
        outcome = observation_of(run, found, self.capability(run), campaign)
        self.runs.decide(run, outcome, self.brief(run.campaign).advance, why=stated(why), by=by)
        return self.runs.get(number)

    def decide_failed(self, number: int, *, why: str, by: str) -> Run:
        """Record that an unknown run ended without a result, as a person saw."""
        run = self.unknown(number)
        self.runs.decide(run, Failure(reason=stated(why)), self.brief(run.campaign).advance, why=stated(why), by=by)
        return self.runs.get(number)

    def decide_never_ran(self, number: int, *, why: str, by: str) -> Run:
        """Record that an unknown run never moved anything, as a person saw; it is queued again."""
        return self.runs.requeue(self.unknown(number), stated(why), by=by)

    def end_reported(self, name: str) -> None:
        """End the runs of a stopped campaign on which people have reported, where no process follows them any more."""
        record = self.campaigns.get(name)
        if record.state is not CampaignState.STOPPED:
            return
        self.presence.bury()
        tasks = Tasks(self.database)
        left, expired = self.runs.left_behind([run.key for run in self.runs.open(name)])
        for run in left + expired:
            outcome = tasks.answered(run.command_id) if run.campaign == name else None
            # Of another kind of resource, a task may be a part only of what it does.
            if outcome is not None and file_of(record).campaign.resources[run.resource].is_people:
                with suppress(Overtaken):  # a process took it up just now, and ends it
                    run = self.runs.adopt(run)
                    self.runs.end(run, received(run, outcome), self.brief(name).advance)

    def overview(self) -> Overview:
        """Return how everything stands now."""
        standings, unreadable = list[Standing](), dict[str, str]()
        for record in self.campaigns.all():
            try:
                standings.append(self.standing(record.name))
            except InvalidCampaign as error:  # a plug-in is gone, or the file is of another version
                unreadable[record.name] = str(error)
        return Overview(
            standings=standings,
            unreadable=unreadable,
            workers=self.presence.all(),
            called=self.called(),
            unknown=self.runs.unknown(),
            approvals=Approvals(self.database).waiting(),
            tasks=Tasks(self.database).open(),
            guards=[g for g in self.guards.all() if g.state is not GuardState.DISARMED],
            taken=list(Reservations(self.database).now().values()),
        )

    def called(self) -> dict[str, str]:
        """Return what campaigns call each physical thing, by what a process holds of it."""
        names: dict[str, dict[str, None]] = {}
        for record in self.campaigns.all():
            for name, key in keys_of(record.declared).items() if record.declared else ():
                names.setdefault(holding_of(thing_of(key)), {})[name] = None
        return {what: " / ".join(several) for what, several in names.items()}

    def left_of(self, campaign: Campaign) -> int:
        """Return how many trials a campaign has left to begin; all of them where it has not begun."""
        record = self.campaigns.find(campaign.name)
        budget = campaign.trials if record is None or record.budget is None else record.budget
        return max(budget - sum(t.uses_budget for t in self.trials.of(campaign.name)), 0)

    def capability(self, run: Run) -> Capability:
        """Return what a run asks its resource to do, as it was declared when the campaign began."""
        record = self.campaigns.get(run.campaign)
        found = can_do(file_of(record).campaign, record.declared).get(run.use)
        if found is None:
            raise NotFound(f"Nobody has said on record what {run.use} can do.")
        return found

    def unknown(self, number: int) -> Run:
        """Return a run of which nobody can say what became; any other raises InvalidTransition."""
        run = self.runs.get(number)
        if run.state is not RunState.UNKNOWN:
            raise InvalidTransition(
                f"Run {number}, {run},", run.state, "be decided", ["nothing: only an unknown run can be"]
            )
        return run

    def told_of_unknown(self, number: int) -> str:
        """Write what an unknown run did and what each decision would mean, for a person who must decide."""
        run, shelf = self.unknown(number), self.materials
        return words_of(run, self.capability(run), shelf.outlook(run), shelf.taken(run), self.runs.late(run))

    def backup(self, file: Path) -> int:
        """Write all that is on record to a new file; return how many entries of the ledger it holds."""
        return backup(self.database, file)

    def restore(self, file: Path) -> Restored:
        """Fill this laboratory, which must be empty, from a backup."""
        return restore(file, self.database)

    def hand(self, name: str) -> Hand:
        """Return a person's hand on a campaign; an unknown name raises NotFound."""
        campaign = file_of(self.campaigns.get(name)).campaign
        return Hand(campaign, self.campaigns, self.trials, self.corrections)

    def verify(self) -> Verification:
        """Check the ledger's chains, and the tables against them."""
        return verify(self.database)


def from_here(path: Path) -> str:
    """Write a path as it can be typed in a shell, from the folder in which the user is."""
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return shlex.quote(str(shown))


def place_of(folder: Path) -> str:
    """Return what to type after a command, so that it acts on that folder from the one in which the user is."""
    return "" if folder.absolute() == Path.cwd() else f" {from_here(folder.absolute())}"


def file_of(record: CampaignRecord) -> CampaignFile:
    """Return the file that a campaign began with."""
    return recall_campaign(record.text, Path(record.folder) / f"{record.name}.yaml", name=record.name)
