"""Campaigns on record."""

from sqlalchemy import Connection, Row, insert, select, update

from labwright.core.campaign import CampaignRecord
from labwright.core.errors import NotFound
from labwright.core.states import CAMPAIGN_TRANSITIONS, CampaignState
from labwright.core.values import digest
from labwright.storage.database import Database
from labwright.storage.database.ledger import append, now
from labwright.storage.database.schema import campaigns
from labwright.storage.database.transaction import lock
from labwright.storage.transitions import Held, move


def stream_of(name: str) -> str:
    """Return the name of a campaign's stream in the ledger."""
    return f"campaign/{name}"


def campaign_what(name: str) -> str:
    """Return what a process holds while it conducts a campaign."""
    return f"campaign {name}"


class Campaigns:
    """The campaigns of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, text: str, folder: str, *, priority: int = 0) -> CampaignRecord:
        """Record a new campaign as a draft."""
        hashed = digest(text)
        with self._database.write(stream_of(name)) as connection:
            row = {"name": name, "digest": hashed, "text": text, "folder": folder, "priority": priority}
            connection.execute(insert(campaigns).values(**row, state=CampaignState.DRAFT.value, created_at=now()))
            body = {"campaign_state": CampaignState.DRAFT.value, "digest": hashed, "text": text, "folder": folder}
            append(connection, stream_of(name), "campaign.added", body)
        return self.get(name)

    def find(self, name: str) -> CampaignRecord | None:
        """Return a campaign, or None where there is none of that name."""
        with self._database.read() as connection:
            row = connection.execute(select(campaigns).where(campaigns.c.name == name)).first()
        return _record(row) if row else None

    def get(self, name: str) -> CampaignRecord:
        """Return a campaign; an unknown name raises NotFound."""
        found = self.find(name)
        if found is None:
            names = ", ".join(c.name for c in self.all()) or "none"
            raise NotFound(f"No campaign named {name!r} in {self._database.name}. On record: {names}.")
        return found

    def all(self) -> list[CampaignRecord]:
        """Return every campaign, the oldest first."""
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(select(campaigns).order_by(campaigns.c.id))]

    def at_work(self) -> list[CampaignRecord]:
        """Return the campaigns that run or finish what they have begun."""
        return [c for c in self.all() if c.state in (CampaignState.RUNNING, CampaignState.PAUSED) and c.declared]

    def declare(self, name: str, declared: str) -> None:
        """Record what the campaign's resources say that they can do, as JSON; the same again changes nothing."""
        if self.get(name).declared == declared:
            return
        with self._database.write(stream_of(name)) as connection:
            connection.execute(update(campaigns).where(campaigns.c.name == name).values(declared=declared))
            append(connection, stream_of(name), "campaign.declared", {"declared": declared})

    def move(self, name: str, folder: str) -> None:
        """Record that the campaign's file lies in another folder now, where relative paths start; the same is fine."""
        if self.get(name).folder == folder:
            return
        with self._database.write(stream_of(name)) as connection:
            connection.execute(update(campaigns).where(campaigns.c.name == name).values(folder=folder))
            append(connection, stream_of(name), "campaign.moved", {"folder": folder})

    def extend(self, name: str, more: int, *, file_budget: int) -> CampaignRecord:
        """Let the campaign spend so many trials more than it may by now; a finished one is paused then.

        `file_budget` is what its file says. Raises InvalidTransition where it was stopped or has failed.
        """
        with self._database.write(stream_of(name)) as connection:
            row = connection.execute(select(campaigns).where(campaigns.c.name == name)).one()
            state, budget = CampaignState(row.state), (file_budget if row.budget is None else row.budget) + more
            held = Held(name=name, table=campaigns, id=row.id, state=state)
            why = f"{more} more trials were allowed" if state is CampaignState.FINISHED else row.why
            new = move(connection, held, CAMPAIGN_TRANSITIONS, "extend", why=why, budget=budget)
            body = {"campaign_state": new.value, "why": why, "budget": budget, "more": more}
            append(connection, stream_of(name), "campaign.extended", body)
        return self.get(name)

    def change(self, name: str, action: str, why: str | None = None) -> CampaignState:
        """Move a campaign by an action such as pause; one that its state does not allow raises InvalidTransition."""
        state = self.get(name).state
        with self._database.write(stream_of(name)) as connection:
            row_id = connection.execute(select(campaigns.c.id).where(campaigns.c.name == name)).scalar_one()
            held = Held(name=name, table=campaigns, id=row_id, state=state)
            new = move(connection, held, CAMPAIGN_TRANSITIONS, action, why=why)
            append(connection, stream_of(name), f"campaign.{action}", {"campaign_state": new.value, "why": why})
        return new


def settle(connection: Connection, halt: str, why: str) -> None:
    """Let each campaign that is left because of a halt say how it stands now that the halt is over."""
    left = select(campaigns.c.name, campaigns.c.state).where(campaigns.c.why == halt).order_by(campaigns.c.name)
    for name, state in connection.execute(left).all():
        lock(connection, stream_of(name))
        still = update(campaigns).where(campaigns.c.name == name, campaigns.c.why == halt)
        if connection.execute(still.values(why=why)).rowcount:
            append(connection, stream_of(name), "campaign.settled", {"campaign_state": state, "why": why})


def _record(row: Row[tuple[object, ...]]) -> CampaignRecord:
    values = {key: value for key, value in row._mapping.items() if key != "id"}
    return CampaignRecord(**{**values, "state": CampaignState(values["state"])})
