"""One process that conducts a campaign on instruments in memory."""

from collections.abc import Mapping
from pathlib import Path

from labwright.app import Laboratory, capabilities_of, planner_of
from labwright.campaigns.attendant import Attendant
from labwright.campaigns.crew import said_by
from labwright.campaigns.file import CampaignFile, parse_campaign
from labwright.campaigns.sources import with_sources
from labwright.campaigns.wiring import wire
from labwright.core.states import CampaignState
from labwright.planning.planner import Planner
from labwright.resources.resource import Resource
from labwright.sites.post import Post
from labwright.storage.database import Database
from labwright.storage.database.thread import StorageThread
from labwright.storage.presence import at_work
from labwright.testing.watcher import SilentWatcher


class Session:
    """A campaign, given as the text of its file, with resources that stand in for those that the file names.

    Each call of `conduct` is a process of its own on the same database: it begins the campaign, or takes it up. `keys`
    say which physical thing each resource is, where it is not named like it.
    """

    def __init__(
        self, text: str, resources: Mapping[str, Resource], database: Path, keys: Mapping[str, str] | None = None
    ) -> None:
        self.file: CampaignFile = parse_campaign(text, database.with_suffix(".yaml"))
        self._resources = dict(resources)
        self._keys = {name: name for name in resources} | dict(keys or {})
        self._url = f"sqlite:///{database}"
        self.told: list[str] = []

    @property
    def name(self) -> str:
        """The campaign's name."""
        return self.file.campaign.name

    async def conduct(
        self,
        *,
        planner: Planner | None = None,
        storage: StorageThread | None = None,
        watcher: SilentWatcher | None = None,
        poll_s: float = 0.01,
    ) -> CampaignState:
        """Conduct the campaign until it ends or is interrupted; return its state."""
        database = Database.open(self._url)
        thread = storage or StorageThread(database)
        try:
            laboratory = Laboratory.of(database)
            wiring = wire(self.file.campaign, capabilities_of(self._resources), self.file.problems())
            wiring = with_sources(wiring, self.file.path.parent, laboratory.earlier, self.file.problems())
            self._begin(laboratory)
            named = self.file.campaign.resources
            keys = self._keys
            posts = [Post(key=keys[n], resource=r, capacity=named[n].capacity) for n, r in self._resources.items()]
            laboratory.campaigns.declare(self.name, said_by(wiring, keys))
            laboratory.runs.follow(self.name, keys, wiring.movable)
            choice = planner or planner_of(self.file.campaign)
            with at_work(laboratory.presence, f"campaign {self.name}"):
                crew = laboratory.crew(
                    wiring, choice, keys, posts, thread, watcher or SilentWatcher(), self.told.append
                )
                return await Attendant(crew, tell=self.told.append).conduct(poll_s=poll_s)
        finally:
            thread.close()
            database.close()

    def laboratory(self) -> Laboratory:
        """Open what is on record; close its database after use."""
        return Laboratory.of(Database.open(self._url))

    def _begin(self, laboratory: Laboratory) -> None:
        record = laboratory.campaigns.find(self.name)
        if record is None:
            laboratory.campaigns.add(self.name, self.file.campaign.text, "")
            laboratory.campaigns.change(self.name, "start")
        elif record.state is CampaignState.PAUSED:
            laboratory.campaigns.change(self.name, "resume")
