"""What the faces call: it opens, builds and wires everything."""

import asyncio
import difflib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from labwright import plugins
from labwright.app.laboratory import Laboratory, Standing
from labwright.campaigns.attendant import Attendant
from labwright.campaigns.crew import gate_of, said_by
from labwright.campaigns.file import CampaignFile, read_campaign
from labwright.campaigns.loop import Watcher
from labwright.campaigns.wiring import Wiring, wire
from labwright.core.campaign import Campaign, CampaignRecord, PlugIn
from labwright.core.capability import Capability
from labwright.core.errors import CampaignChanged, InvalidInput, ResourceUnavailable
from labwright.core.states import CampaignState
from labwright.core.trial import Proposal
from labwright.core.values import canonical, digest
from labwright.core.verdict import Verdict
from labwright.planning.planner import Planner
from labwright.resources.resource import Resource, ResourceKind
from labwright.settings import Settings
from labwright.sites.worker import Post
from labwright.storage.campaigns import Campaigns, campaign_what
from labwright.storage.database import Database
from labwright.storage.presence import at_work
from labwright.storage.thread import StorageThread

DATABASE = "labwright.db"
ENDED = frozenset({CampaignState.FINISHED, CampaignState.STOPPED, CampaignState.FAILED})


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
        return laboratory.standing(name)

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
                _begin(laboratory.campaigns, file, said_by(wiring, posts))
                thread = StorageThread(laboratory.database)
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


def _begin(campaigns: Campaigns, file: CampaignFile, declared: str) -> None:
    name, folder = file.campaign.name, str(file.path.absolute().parent)
    record = campaigns.find(name)
    if record is None:
        record = campaigns.add(name, file.campaign.text, folder, priority=file.campaign.priority)
    campaigns.declare(name, declared)
    if record.state is CampaignState.DRAFT:
        campaigns.change(name, "start")
    elif record.state is CampaignState.PAUSED:
        campaigns.change(name, "resume")
