"""What somebody said of a trial on record: an approval, what became of an unknown run, a task that was done."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from labwright.core.approval import Say
from labwright.core.attachment import HandedIn
from labwright.core.states import TaskState
from labwright.core.trial import Statement
from labwright.storage.campaigns import stream_of
from labwright.storage.database import Database
from labwright.storage.database.packing import unpack
from labwright.storage.database.schema import campaigns, ledger, members, people, runs, signatures, tasks, trials

SIGNED = {Say.APPROVE.value: "approved", Say.REFUSE.value: "refused"}
DECIDED = {"run.done": "decided as done", "run.failed": "decided as failed", "run.queued": "decided as never run"}
RECORDED = {TaskState.DONE.value: "recorded", TaskState.FAILED.value: "recorded as failed"}


class Statements:
    """The statements of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, campaign: str, number: int | None = None) -> list[Statement]:
        """Return what was said of one trial, or of all of a campaign, the oldest first."""
        mine: list[ColumnElement[bool]] = [campaigns.c.name == campaign]
        mine += [] if number is None else [trials.c.number == number]
        with self._database.read() as connection:
            found = [*_signed(connection, *mine), *_recorded(connection, *mine), *_decided(connection, campaign, *mine)]
        return sorted(found, key=lambda said: said.at)


def _signed(connection: Connection, *mine: ColumnElement[bool]) -> Iterator[Statement]:
    whose = signatures.join(people).join(trials, signatures.c.trial_id == trials.c.id).join(campaigns)
    query = select(signatures, people.c.name, trials.c.number).select_from(whose).where(*mine)
    for row in connection.execute(query):
        yield Statement(trial=row.number, at=row.at, what=SIGNED[row.decision], by=row.name, why=row.why)


def _recorded(connection: Connection, *mine: ColumnElement[bool]) -> Iterator[Statement]:
    query = select(tasks, runs.c.id.label("run"), trials.c.number)
    query = query.select_from(_SERVED.join(tasks, tasks.c.command_id == runs.c.command_id))
    for row in connection.execute(query.where(tasks.c.state.in_(RECORDED), *mine)):
        said = unpack(row.reported)
        what = {"trial": row.number, "at": row.ended_at, "what": RECORDED[row.state], "run": row.run}
        files = tuple(HandedIn(**file) for file in said.get("files", ()))
        yield Statement(**what, by=said["by"], why=said["note"], sealed=said.get("sealed"), files=files)


def _decided(connection: Connection, campaign: str, *mine: ColumnElement[bool]) -> Iterator[Statement]:
    """Yield what somebody, or by now the resource itself, said of runs that were unknown: only the ledger tells it."""
    told = select(ledger).where(ledger.c.stream == stream_of(campaign), ledger.c.kind.in_(DECIDED))
    decided = [(row, unpack(row.body)) for row in connection.execute(told.where(ledger.c.body.like('%"by":"%')))]
    if not decided:
        return
    numbers: dict[int, list[int]] = {}
    for run, number in connection.execute(select(runs.c.id, trials.c.number).select_from(_SERVED).where(*mine)):
        numbers.setdefault(run, []).append(number)
    for row, body in decided:
        said: dict[str, Any] = {"at": row.at, "what": DECIDED[row.kind], "by": body.get("by"), "why": body["why"]}
        for number in numbers.get(body["run"], ()) if said["by"] else ():
            yield Statement(trial=number, run=body["run"], **said)


_SERVED = (
    runs.join(members)
    .join(trials, members.c.trial_id == trials.c.id)
    .join(campaigns, trials.c.campaign_id == campaigns.c.id)
)
