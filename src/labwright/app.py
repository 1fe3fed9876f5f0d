"""The one place that builds and wires objects."""

import asyncio
import difflib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self
from uuid import uuid4

from pydantic import ValidationError

from labwright import plugins
from labwright.campaigns.attendant import Attendant
from labwright.campaigns.crew import Crew, assemble, gate_of
from labwright.campaigns.file import CampaignFile, find_file, parse_campaign, read_campaign, renamed
from labwright.campaigns.hand import Hand, Imported
from labwright.campaigns.loop import Records, Watcher
from labwright.campaigns.wiring import Wiring, wire
from labwright.core.campaign import Campaign, CampaignRecord, PlugIn
from labwright.core.capability import Capability
from labwright.core.command import Silent
from labwright.core.errors import CampaignChanged, InvalidInput, NotFound, ResourceUnavailable
from labwright.core.states import CampaignState
from labwright.core.trial import Proposal, Trial
from labwright.core.values import canonical, digest
from labwright.core.verdict import Verdict
from labwright.planning.planner import Planner
from labwright.resources.resource import Resource, ResourceKind
from labwright.settings import Settings
from labwright.sites.worker import Brief, Post
from labwright.storage.campaigns import Campaigns, campaign_what
from labwright.storage.corrections import Corrections
from labwright.storage.database import Database
from labwright.storage.presence import Presence, at_work
from labwright.storage.runs import Runs
from labwright.storage.thread import StorageThread
from labwright.storage.trials import Trials
from labwright.storage.verification import Verification, verify

DATABASE = "labwright.db"
ENDED = frozenset({CampaignState.FINISHED, CampaignState.STOPPED, CampaignState.FAILED})


class Reports(Silent):
    """Passes on how far a run is."""

    def __init__(self, tell: Callable[[float, str], None]) -> None:
        super().__init__()
        self._tell = tell

    def progress(self, fraction: float, text: str = "") -> None:
        """Pass the report on."""
        self._tell(fraction, text)


@dataclass(frozen=True, kw_only=True)
class Laboratory:
    """One database with everything on record in it."""

    database: Database
    campaigns: Campaigns
    trials: Trials
    corrections: Corrections
    runs: Runs
    presence: Presence

    @classmethod
    def of(cls, database: Database) -> Self:
        """Return the laboratory of a database, seen by a worker with a random id of its own."""
        worker = uuid4().hex
        return cls(
            database=database,
            campaigns=Campaigns(database),
            trials=Trials(database, worker),
            corrections=Corrections(database),
            runs=Runs(database, worker),
            presence=Presence(database, worker),
        )

    def records(self, thread: StorageThread) -> Records:
        """Return what the loop keeps its facts in, by way of the storage thread."""
        return Records(campaigns=self.campaigns, trials=self.trials, runs=self.runs, thread=thread)

    def crew(
        self, wiring: Wiring, planner: Planner, posts: Mapping[str, Post], thread: StorageThread, watcher: Watcher
    ) -> Crew:
        """Return those who conduct a campaign and serve its resources in this process."""
        return assemble(
            wiring,
            planner,
            posts,
            records=self.records(thread),
            presence=self.presence,
            watcher=watcher,
            recorder=lambda run: Reports(watcher.progress),
            others=self.brief,
        )

    def brief(self, name: str) -> Brief:
        """Return what a worker must know of a campaign on record."""
        raise NotFound(f"Campaign {name!r} is served by another process.")

    def hand(self, name: str) -> Hand:
        """Return a person's hand on a campaign; an unknown name raises NotFound."""
        campaign = file_of(self.campaigns.get(name)).campaign
        return Hand(campaign, self.campaigns, self.trials, self.corrections)

    def verify(self) -> Verification:
        """Check the ledger's chains, and the tables against them."""
        return verify(self.database)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A campaign as it stands on record, with its file and its trials; `owned`: another process conducts it now."""

    file: CampaignFile
    record: CampaignRecord
    trials: list[Trial]
    owned: bool

    @property
    def campaign(self) -> Campaign:
        """The campaign that the file describes, with the budget that it has by now."""
        campaign, budget = self.file.campaign, self.record.budget
        return campaign if budget is None else replace(campaign, trials=budget)

    def how_to_run(self, folder: Path) -> str:
        """Return the command with which a campaign of that folder goes on."""
        path = find_file(folder, self.record.text)
        if path is None:
            return "labwright run with its file"
        own = parse_campaign(self.record.text, path).campaign.name == self.record.name
        shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        return f"labwright run {shown}{'' if own else f' --new {self.record.name}'}"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a check found: the wired campaign, the first proposal, and what the gate says of it."""

    wiring: Wiring
    first: Proposal
    verdict: Verdict


class App:
    """What the faces call."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def database_url(self, folder: Path) -> str:
        """Return the URL that is set, or else `labwright.db` in the folder."""
        return self._settings.database_url or f"sqlite:///{(folder / DATABASE).absolute()}"

    @contextmanager
    def laboratory(self, folder: Path, *, create: bool = False) -> Iterator[Laboratory]:
        """Open the database for a campaign's folder; without `create`, one that is not there is an error."""
        url = self.database_url(folder)
        database = Database.open(url, busy_timeout_s=self._settings.busy_timeout_s, create=create)
        try:
            yield Laboratory.of(database)
        finally:
            database.close()

    def check(self, path: Path) -> Checked:
        """Read a campaign file and hold it against its resources, which are asked what they can do; nothing moves."""
        return asyncio.run(self._check(read_campaign(path)))

    def standing(self, laboratory: Laboratory, name: str) -> Standing:
        """Return a campaign as it is on record; an unknown name raises NotFound."""
        record = laboratory.campaigns.get(name)
        file = file_of(record)
        owned = laboratory.presence.holder(campaign_what(name)) is not None
        return Standing(file=file, record=record, trials=laboratory.trials.of(name), owned=owned)

    def run(
        self, path: Path, *, name: str | None, watcher: Callable[[Wiring], Watcher], tell: Callable[[str], None]
    ) -> Standing:
        """Run a campaign file to its end, or take it up where it was left; a finished one is only shown."""
        file = read_campaign(path, name=name)
        folder = path.absolute().parent
        with self.laboratory(folder, create=True) as laboratory:
            record = laboratory.campaigns.find(file.campaign.name)
            if record is not None:
                _refuse_change(record, file)
            if record is None or record.state not in ENDED:
                asyncio.run(self._run(file, laboratory, watcher, tell))
            return self.standing(laboratory, file.campaign.name)

    def stop(self, folder: Path, name: str) -> list[str]:
        """Send a campaign's resources to their safe state, then record that it is stopped; return what went wrong."""
        with self.laboratory(folder) as laboratory:
            standing = self.standing(laboratory, name)
            # The database lies beside the file, also where both were moved together.
            home = Path(standing.record.folder) if self._settings.database_url else folder
            problems = asyncio.run(self._stop_all(standing.file, home))
            laboratory.campaigns.change(name, "stop", "stopped by a person")
            laboratory.runs.call_off(name, "the campaign was stopped")
            laboratory.trials.withdraw_open(name, "the campaign was stopped")
        return problems

    async def _check(self, file: CampaignFile) -> Checked:
        async with self._opened(file, file.path.absolute().parent) as resources:
            wiring = wire(file.campaign, capabilities_of(resources), file.problems())
        first = planner_of(file.campaign).propose(wiring.problem, [], [], 1, seed=file.campaign.seed)[0]
        return Checked(wiring=wiring, first=first, verdict=gate_of(wiring).review(wiring.plan(first.point)))

    async def _run(
        self,
        file: CampaignFile,
        laboratory: Laboratory,
        watcher: Callable[[Wiring], Watcher],
        tell: Callable[[str], None],
    ) -> None:
        folder = file.path.absolute().parent
        async with self._opened(file, folder) as resources:
            wiring = wire(file.campaign, capabilities_of(resources), file.problems())
            posts = self._posts(file.campaign, resources, folder)
            with at_work(laboratory.presence, f"campaign {file.campaign.name}"):
                if not await self._hold(laboratory, file.campaign.name, tell):
                    return
                _begin(laboratory.campaigns, file, "{}")
                thread = StorageThread()
                try:
                    crew = laboratory.crew(wiring, planner_of(file.campaign), posts, thread, watcher(wiring))
                    await Attendant(crew, tell=tell).conduct(poll_s=self._settings.poll_s)
                finally:
                    thread.close()

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
        return record is None or record.state not in ENDED

    def _posts(self, campaign: Campaign, resources: Mapping[str, Resource], folder: Path) -> dict[str, Post]:
        """Return the campaign's resources as they are served, by name."""
        found = {}
        for name, resource in resources.items():
            plug_in = self._addressed(name, campaign.resources[name])
            found[name] = Post(key=_key(plug_in, folder), resource=resource, capacity=plug_in.capacity)
        return found

    @asynccontextmanager
    async def _opened(self, file: CampaignFile, folder: Path) -> AsyncIterator[dict[str, Resource]]:
        """Open every resource of a campaign; a wrong option raises InvalidCampaign with its line."""
        problems = file.problems()
        self._check_urls(file.campaign)
        async with AsyncExitStack() as stack:
            resources = {}
            for name, plug_in in file.campaign.resources.items():
                try:
                    resources[name] = await stack.enter_async_context(
                        _open(name, self._addressed(name, plug_in), folder)
                    )
                except InvalidInput as error:
                    problems.add(("resources", name), str(error))
            problems.raise_any()
            yield resources

    async def _stop_all(self, file: CampaignFile, folder: Path) -> list[str]:
        problems = []
        for name, plug_in in file.campaign.resources.items():
            try:
                async with _open(name, self._addressed(name, plug_in), folder) as resource:
                    await resource.stop()
            except (InvalidInput, ResourceUnavailable) as error:
                problems.append(f"{name} could not be told to stop: {error}")
        return problems

    def _addressed(self, name: str, plug_in: PlugIn) -> PlugIn:
        """Return the plug-in with the address that the settings give its resource, if they do."""
        url = next((u for n, u in self._settings.urls.items() if n.lower() == name.lower()), None)
        return plug_in if url is None else replace(plug_in, options={**plug_in.options, "url": url})

    def _check_urls(self, campaign: Campaign) -> None:
        """Refuse an address for a resource that the campaign does not have: it was meant for another."""
        known = {name.lower() for name in campaign.resources}
        unknown = [name for name in self._settings.urls if name.lower() not in known]
        if unknown:
            raise InvalidInput(
                f"LABWRIGHT_URLS gives an address for {', '.join(unknown)}, but the campaign's resources are "
                f"{', '.join(campaign.resources)}."
            )

    def draft(self, path: Path) -> str:
        """Put a campaign on record that is to be run later, or only look whether its file is still the same."""
        file = read_campaign(path)
        with self.laboratory(path.absolute().parent, create=True) as laboratory:
            record = laboratory.campaigns.find(file.campaign.name)
            if record is None:
                _add(laboratory.campaigns, file)
            else:
                _refuse_change(record, file)
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
            _add(laboratory.campaigns, file)
            return laboratory.hand(new).take_over(standing.record.name, standing.trials)


def planner_of(campaign: Campaign) -> Planner:
    """Return the planner that a campaign names."""
    kind = plugins.load("labwright.planners", campaign.planner.kind)
    planner: Planner = kind(kind.Options(**campaign.planner.options))
    return planner


def _open(name: str, plug_in: PlugIn, folder: Path) -> AbstractAsyncContextManager[Resource]:
    kind: ResourceKind = plugins.load("labwright.resources", plug_in.kind)
    try:
        options = kind.Options(**plug_in.options)
    except ValidationError as error:
        raise InvalidInput(f"{name}: its options cannot be used: {error}") from error
    return kind.open(name, options, folder)


def capabilities_of(resources: Mapping[str, Resource]) -> dict[str, Capability]:
    """Return every capability by its full name: resource.capability."""
    return {f"{name}.{c.name}": c for name, resource in resources.items() for c in resource.capabilities()}


def _key(plug_in: PlugIn, folder: Path) -> str:
    """Return what names the physical thing: the same for two campaigns that use it, each by a name of its own."""
    kind = plugins.load("labwright.resources", plug_in.kind)
    identity = getattr(kind, "identity", None)
    if identity is not None:
        return f"{plug_in.kind} {identity(kind.Options(**plug_in.options), folder)}"
    return f"{plug_in.kind} {digest(canonical([dict(plug_in.options), str(folder)]))[:12]}"


def file_of(record: CampaignRecord) -> CampaignFile:
    """Return the file that a campaign began with."""
    return parse_campaign(record.text, Path(record.folder) / f"{record.name}.yaml", name=record.name)


def _refuse_change(record: CampaignRecord, file: CampaignFile) -> None:
    if digest(file.campaign.text) == record.digest:
        return
    lines = difflib.unified_diff(
        record.text.splitlines(), file.campaign.text.splitlines(), "as it began", "as it is now", lineterm="", n=0
    )
    raise CampaignChanged(
        f"{file.path} has changed since campaign {record.name!r} began; nothing was run.\n"
        + "\n".join(f"  {line}" for line in lines)
        + "\nPut the file back to go on, or start another campaign with it: --new NAME."
    )


def _add(campaigns: Campaigns, file: CampaignFile) -> CampaignRecord:
    campaign, folder = file.campaign, str(file.path.absolute().parent)
    return campaigns.add(campaign.name, campaign.text, folder, priority=campaign.priority)


def _begin(campaigns: Campaigns, file: CampaignFile, declared: str) -> None:
    name = file.campaign.name
    record = campaigns.find(name) or _add(campaigns, file)
    campaigns.declare(name, declared)
    if record.state is CampaignState.DRAFT:
        campaigns.change(name, "start")
    elif record.state is CampaignState.PAUSED:
        campaigns.change(name, "resume")
