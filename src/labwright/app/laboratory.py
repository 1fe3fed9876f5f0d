"""Everything on record in one database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self
from uuid import uuid4

from labwright.campaigns.crew import Crew, assemble, brief_of
from labwright.campaigns.file import CampaignFile, parse_campaign
from labwright.campaigns.loop import Records, Watcher
from labwright.campaigns.wiring import Wiring
from labwright.core.campaign import Campaign, CampaignRecord
from labwright.core.command import Silent
from labwright.core.errors import NotFound
from labwright.core.trial import Trial
from labwright.planning.planner import Planner
from labwright.sites.worker import Brief, Post, Worker
from labwright.storage.campaigns import Campaigns, campaign_what
from labwright.storage.database import Database
from labwright.storage.presence import Presence
from labwright.storage.runs import Runs
from labwright.storage.thread import StorageThread
from labwright.storage.trials import Trials
from labwright.storage.verification import Verification, verify


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
            runs=Runs(database, worker),
            presence=Presence(database, worker),
        )

    def records(self, thread: StorageThread) -> Records:
        """Return what the loop keeps its facts in, by way of the storage thread."""
        return Records(campaigns=self.campaigns, trials=self.trials, runs=self.runs, thread=thread)

    def crew(
        self,
        wiring: Wiring,
        planner: Planner,
        keys: Mapping[str, str],
        posts: Sequence[Post],
        thread: StorageThread,
        watcher: Watcher,
    ) -> Crew:
        """Return those who conduct a campaign and serve resources in this process; `keys`: of all that it names."""
        return assemble(
            wiring,
            planner,
            keys,
            posts,
            records=self.records(thread),
            presence=self.presence,
            watcher=watcher,
            recorder=lambda run: Reports(watcher.progress),
            others=self.brief,
        )

    def worker(self, post: Post, thread: StorageThread, tell: Callable[[str], None]) -> Worker:
        """Return who serves a resource for whatever campaigns use it."""
        return Worker(
            [post],
            runs=self.runs,
            presence=self.presence,
            storage=thread,
            brief=cache(self.brief),
            recorder=lambda run: Silent(),
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
        return Standing(file=file_of(record), record=record, trials=self.trials.of(name), owned=owned)

    def verify(self) -> Verification:
        """Check the ledger's chains, and the tables against them."""
        return verify(self.database)


def file_of(record: CampaignRecord) -> CampaignFile:
    """Return the file that a campaign began with."""
    return parse_campaign(record.text, Path(record.folder) / f"{record.name}.yaml", name=record.name)
