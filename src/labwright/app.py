"""The one place that builds and wires objects."""

import asyncio
import difflib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self
from uuid import uuid4

from pydantic import ValidationError

from labwright import plugins
from labwright.campaigns.attendant import Attendant
from labwright.campaigns.file import CampaignFile, parse_campaign, read_campaign
from labwright.campaigns.loop import Conductor, Records, Watcher
from labwright.campaigns.spreadsheet import read_sheet, write_sheet
from labwright.campaigns.wiring import Wiring, wire
from labwright.campaigns.worksheet import Filled, check_replaceable, read_filled, worksheet
from labwright.core.campaign import Campaign, CampaignRecord, PlugIn
from labwright.core.capability import Capability
from labwright.core.errors import CampaignChanged, InvalidInput, ResourceUnavailable
from labwright.core.states import CampaignState
from labwright.core.task import PostedTask
from labwright.core.trial import Proposal, Trial
from labwright.core.values import digest
from labwright.core.verdict import Verdict
from labwright.planning.planner import Planner
from labwright.resources.resource import Resource, ResourceKind
from labwright.safety.gate import Gate
from labwright.safety.limits import LimitsReviewer, SpaceReviewer
from labwright.settings import Settings
from labwright.sites.worker import Worker
from labwright.storage.campaigns import Campaigns
from labwright.storage.database import Database
from labwright.storage.ownership import is_owned, ownership
from labwright.storage.runs import Runs
from labwright.storage.tasks import Tasks
from labwright.storage.thread import StorageThread
from labwright.storage.trials import Trials
from labwright.storage.verification import Verification, verify

DATABASE = "labwright.db"
ENDED = frozenset({CampaignState.FINISHED, CampaignState.STOPPED, CampaignState.FAILED})


@dataclass(frozen=True, kw_only=True)
class Laboratory:
    """One database with everything on record in it."""

    database: Database
    campaigns: Campaigns
    trials: Trials
    runs: Runs

    @classmethod
    def of(cls, database: Database) -> Self:
        """Return the laboratory of a database, seen by a worker with an id of its own."""
        worker = f"{os.getpid()}-{uuid4().hex[:8]}"
        trials, runs = Trials(database, worker), Runs(database, worker)
        return cls(database=database, campaigns=Campaigns(database), trials=trials, runs=runs)

    def records(self, thread: StorageThread) -> Records:
        """Return what the loop keeps its facts in, by way of the storage thread."""
        return Records(campaigns=self.campaigns, trials=self.trials, runs=self.runs, thread=thread)

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
        """The campaign that the file describes."""
        return self.file.campaign


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
        file = parse_campaign(record.text, Path(record.folder) / f"{name}.yaml", name=name)
        owned = is_owned(laboratory.database.path, name)
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
                with ownership(laboratory.database.path, file.campaign.name):
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
        async with self._opened(file, file.path.absolute().parent) as resources:
            wiring = wire(file.campaign, capabilities_of(resources), file.problems())
            _begin(laboratory.campaigns, file)
            thread = StorageThread()
            try:
                conductor, worker = assemble(
                    wiring, planner_of(file.campaign), resources, laboratory.records(thread), watcher(wiring)
                )
                attendant = Attendant(conductor, worker, tell=tell)
                await attendant.conduct(poll_s=self._settings.stop_poll_s)
            finally:
                thread.close()

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

    def tasks(self, folder: Path, name: str | None = None) -> list[PostedTask]:
        """Return the open tasks of one campaign, or of all; an unknown name raises NotFound."""
        with self.laboratory(folder) as laboratory:
            if name is not None:
                laboratory.campaigns.get(name)
            return Tasks(laboratory.database).open(name)

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
        by: str | None,
        decimal: str | None = None,
        valid_only: bool = False,
    ) -> Filled:
        """Record a filled worksheet: all of it, or its valid rows, or nothing; return what it said."""
        with self.laboratory(folder) as laboratory:
            laboratory.campaigns.get(name)
            tasks = Tasks(laboratory.database)
            filled = read_filled(read_sheet(path), name, tasks.get, decimal=decimal)
            if filled.problems and not valid_only:
                raise InvalidInput("\n  ".join([f"{path.name}: nothing was recorded.", *filled.problems]))
            tasks.report(filled.reports, by)
            return filled


def assemble(
    wiring: Wiring, planner: Planner, resources: Mapping[str, Resource], records: Records, watcher: Watcher
) -> tuple[Conductor, Worker]:
    """Return the conductor of a wired campaign and the worker that commands its resources."""
    conductor = Conductor(wiring, planner, gate_of(wiring), records, watcher)
    worker = Worker(
        resources,
        wiring.capabilities,
        gate=Gate([LimitsReviewer(wiring.capabilities, wiring.campaign.limits)]),
        runs=records.runs,
        storage=records.thread,
        conclude=conductor.conclude,
    )
    return conductor, worker


def gate_of(wiring: Wiring) -> Gate:
    """Return the gate that every proposal of a campaign must pass."""
    limits = LimitsReviewer(wiring.capabilities, wiring.campaign.limits)
    return Gate([SpaceReviewer(wiring.problem.space), limits])


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


def _begin(campaigns: Campaigns, file: CampaignFile) -> None:
    name = file.campaign.name
    record = campaigns.find(name) or campaigns.add(name, file.campaign.text, str(file.path.absolute().parent))
    if record.state is CampaignState.DRAFT:
        campaigns.change(name, "start")
    elif record.state is CampaignState.PAUSED:
        campaigns.change(name, "resume")
