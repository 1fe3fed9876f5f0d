"""Tasks for people: put once for each command, ended once by what somebody reports."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, or_, select, update

from labwright.core.attachment import HandedIn
from labwright.core.command import Failure, Measurement, Outcome
from labwright.core.errors import InvalidInput, NotAuthorised, NotFound
from labwright.core.form import Field, FieldKind, observe
from labwright.core.person import Person
from labwright.core.reason import legible
from labwright.core.states import OPEN_RUNS, CampaignState, RunState, TaskState
from labwright.core.task import Addressees, PostedTask, Report, Task
from labwright.core.values import Json, digest
from labwright.storage import beliefs
from labwright.storage.campaigns import stream_of
from labwright.storage.database import Database
from labwright.storage.database.ledger import append, now
from labwright.storage.database.packing import pack, unpack
from labwright.storage.database.schema import campaigns, runs, tasks
from labwright.storage.objects import Objects
from labwright.storage.records import outcome_from, outcome_record
from labwright.storage.skills import able, check_here, skills_of


class Tasks:
    """The tasks of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, command_id: str, campaign: str, trials: Sequence[int], resource: str, task: Task) -> PostedTask:
        """Put a task before people; one that is there already for that command stays as it is."""
        with self._database.write() as connection:
            if not _find(connection, _tasks().where(tasks.c.command_id == command_id)):
                self._insert(connection, command_id, campaign, _asked(command_id, trials, resource, task))
            return _found(_find(connection, _tasks().where(tasks.c.command_id == command_id)))

    def open(self, campaign: str | None = None) -> list[PostedTask]:
        """Return the tasks that somebody still waits for, of one campaign or of all, the oldest first."""
        query = _open() if campaign is None else _open().where(campaigns.c.name == campaign)
        with self._database.read() as connection:
            return [_posted(row) for row in connection.execute(query)]

    def awaited_by(self, campaign: str) -> list[PostedTask]:
        """Return the open tasks of a campaign, and those of others on the things for which its runs are queued."""
        mine = select(runs.c.thing).join(campaigns).where(campaigns.c.name == campaign)
        wanted = mine.where(runs.c.state == RunState.QUEUED.value)
        query = _open().where(or_(campaigns.c.name == campaign, runs.c.thing.in_(wanted)))
        with self._database.read() as connection:
            return [_posted(row) for row in connection.execute(query)]

    def get(self, task_id: int) -> PostedTask:
        """Return one task; an unknown number raises NotFound."""
        with self._database.read() as connection:
            return _get(connection, task_id)

    def answer(
        self, task_id: int, values: Mapping[str, Measurement], by: str | None = None, note: str | None = None
    ) -> PostedTask:
        """Record what was found; what does not fit its fields, or comes a second time, raises InvalidInput."""
        [posted] = self.report([Report(task=task_id, values=values, note=note)], by)
        return posted

    def fail(self, task_id: int, why: str, by: str | None = None) -> PostedTask:
        """Record that a task was not done, or not to its end, and why."""
        [posted] = self.report([Report(task=task_id, values={}, failed=why)], by)
        return posted

    def report(
        self, reports: Sequence[Report], by: str | None = None, *, signer: Person | None = None
    ) -> list[PostedTask]:
        """Record several reports together, or none of them; see `answer`. Their files are kept first.

        `signer`: who reports, having just shown their secret. A task that must be signed is taken from nobody else, and
        only from those whom it is for; anything else raises NotAuthorised.
        """
        with self._database.read() as connection:
            for report in reports:
                _check_takes(connection, _get(connection, report.task), report, signer)
        for file in (file for report in reports for file in report.files.values()):
            Objects(self._database.objects).put(file.data)
        with self._database.write() as connection:
            for report in reports:
                posted = _get(connection, report.task)
                _check_takes(connection, posted, report, signer)
                _end(connection, posted, report, signer.name if signer else by, is_signed=signer is not None)
            return [_get(connection, report.task) for report in reports]

    def claim(self, task_id: int, by: str, *, signer: Person | None = None) -> PostedTask:
        """Record that somebody is at a task, so that nobody else begins it; the last who said so counts.

        One that must be signed is claimed by nobody but those whom it is for; see `report`.
        """
        legible(by, "by")
        with self._database.write() as connection:
            posted = _get(connection, task_id)
            _check_open(posted)
            _check_may(connection, posted, signer)
            claimed: dict[str, Json] = {"by": signer.name if signer else by, "at": now()}
            connection.execute(update(tasks).where(tasks.c.id == task_id).values(claimed=pack(claimed)))
            append(connection, stream_of(posted.campaign), "task.claimed", {"task": task_id, "claimed": claimed})
            return _get(connection, task_id)

    def able(self, skill: str) -> list[str]:
        """Return who has a skill now."""
        with self._database.read() as connection:
            return able(connection, skill)

    def meant_for(self, person: str, posted: Sequence[PostedTask]) -> list[PostedTask]:
        """Return those of some tasks that are for a person, or for anybody."""
        with self._database.read() as connection:
            has = skills_of(connection, person)
        return [task for task in posted if task.task.to.admits(person, has)]

    def answered(self, command_id: str) -> Outcome | None:
        """Return what was reported for a command, or None while nobody has."""
        query = select(tasks.c.reported).where(tasks.c.command_id == command_id)
        with self._database.read() as connection:
            text = connection.execute(query).scalar()
        return None if text is None else outcome_from(unpack(text)["outcome"])

    def _insert(self, connection: Connection, command_id: str, campaign: str, asked: dict[str, Json]) -> None:
        campaign_id = connection.execute(select(campaigns.c.id).where(campaigns.c.name == campaign)).scalar()
        if campaign_id is None:
            raise NotFound(f"No campaign named {campaign!r}; its task cannot be put before anybody.")
        row = {"campaign_id": campaign_id, "command_id": command_id, "asked": pack(asked)}
        result = connection.execute(insert(tasks).values(**row, state=TaskState.OPEN.value, since=now()))
        assert result.inserted_primary_key is not None
        body: dict[str, Json] = {"task": int(result.inserted_primary_key[0]), "task_state": TaskState.OPEN.value}
        append(connection, stream_of(campaign), "task.open", {**body, "asked": asked})


def _check_takes(connection: Connection, posted: PostedTask, report: Report, signer: Person | None) -> None:
    """Raise NotAuthorised or InvalidInput where a report cannot be recorded."""
    _check_open(posted)
    _check_may(connection, posted, signer)
    _observed(posted, report)


def _check_open(posted: PostedTask) -> None:
    if posted.state is TaskState.WITHDRAWN:
        raise InvalidInput(f"{posted.withdrawn} Nothing was recorded now.")
    if posted.state is not TaskState.OPEN:
        raise InvalidInput(
            f"{posted} was recorded already, {posted.recorded}, as {posted.state}. Nothing was recorded now."
        )


def _check_may(connection: Connection, posted: PostedTask, signer: Person | None) -> None:
    """Raise NotAuthorised where a report must be signed, and this person does not, or may not."""
    if signer is not None:
        check_here(connection, signer.name)
    if not posted.task.signed:
        return
    to, nothing = posted.task.to, "Nothing was recorded."
    if signer is None:
        raise NotAuthorised(f"{posted} is taken only from somebody who shows who they are: --as NAME. {nothing}")
    has = skills_of(connection, signer.name)
    if not to.admits(signer.name, has):
        others = f" Who has it: {', '.join(able(connection, to.skill)) or 'nobody'}." if to.skill else ""
        raise NotAuthorised(f"{signer.name} may not report on {posted}: it is for {to}.{others} {nothing}")


def _end(connection: Connection, posted: PostedTask, report: Report, by: str | None, *, is_signed: bool) -> None:
    for what, said in (("failed", report.failed), ("note", report.note), ("by", by)):
        legible(said or "", f"{posted}: {what}")
    state = TaskState.FAILED if report.failed else TaskState.DONE
    reported = _reported(connection, posted, report, by, is_signed=is_signed)
    body: dict[str, Json] = {"task": posted.id, "task_state": state.value, "reported": reported}
    at = append(connection, stream_of(posted.campaign), f"task.{state.value}", body).at
    held = update(tasks).where(tasks.c.id == posted.id, tasks.c.state == TaskState.OPEN.value)
    changed = connection.execute(held.values(state=state.value, reported=pack(reported), ended_at=at)).rowcount
    if changed != 1:
        raise InvalidInput(f"{posted} was recorded by somebody else just now. Nothing was recorded now.")
    if report.beliefs:
        assert by is not None
        beliefs.give(connection, posted.campaign, report.beliefs, by=by, why=report.note, task=posted.id)


def _reported(
    connection: Connection, posted: PostedTask, report: Report, by: str | None, *, is_signed: bool
) -> dict[str, Json]:
    """Return what was reported as it is put on record; of what was signed, with the digest of all of it."""
    reported: dict[str, Json] = {"outcome": outcome_record(_observed(posted, report)), "by": by, "note": report.note}
    if report.files:
        reported["files"] = [
            {"field": n, "name": f.name, "kind": f.kind, "size": len(f.data), "reference": f.reference}
            for n, f in report.files.items()
        ]
    if is_signed:
        asked = connection.execute(select(tasks.c.asked).where(tasks.c.id == posted.id)).scalar_one()
        reported["sealed"] = seal(posted.id, asked, reported)
    return reported


def seal(task: int, asked: str, reported: Mapping[str, Json]) -> str:
    """Return the sha256 of what somebody signs: what was asked, as it is on record, what they report, their name."""
    return digest(pack([task, asked, {name: said for name, said in reported.items() if name != "sealed"}]))


def forged(connection: Connection) -> Iterator[str]:
    """Say of which tasks the record is not what was signed."""
    for row in connection.execute(select(tasks).where(tasks.c.reported.is_not(None))):
        reported = unpack(row.reported)
        if reported.get("sealed") not in (None, seal(row.id, row.asked, reported)):
            yield f"task {row.id}: what is on record is not what {reported.get('by')} signed."


def _observed(posted: PostedTask, report: Report) -> Outcome:
    if report.failed:
        return Failure(reason=report.failed)
    try:
        return observe(posted.task.fields, report.values, report.files)
    except InvalidInput as error:
        raise InvalidInput(f"{posted}: {error}") from error


def _asked(command_id: str, trials: Sequence[int], resource: str, task: Task) -> dict[str, Json]:
    given: dict[str, Json] = {n: {"value": m.value, "unit": m.unit, "sd": m.sd} for n, m in task.given.items()}
    asked: list[Json] = [asdict(field) for field in task.fields]
    said: dict[str, Json] = {"title": task.title, "instructions": task.instructions, "due_s": task.due_s}
    what: dict[str, Json] = {"command": command_id, "trials": list(trials), "resource": resource}
    who: dict[str, Json] = {"people": list(task.to.people), "skill": task.to.skill, "signed": task.signed}
    return {**what, **said, **who, "given": given, "fields": asked}


def _tasks() -> Select[tuple[Any, ...]]:
    columns = select(tasks, campaigns.c.name.label("campaign"), campaigns.c.state.label("campaign_state"))
    joined = columns.add_columns(runs.c.state.label("run_state")).join(campaigns, tasks.c.campaign_id == campaigns.c.id)
    return joined.outerjoin(runs, runs.c.command_id == tasks.c.command_id).order_by(tasks.c.id)


def _open() -> Select[tuple[Any, ...]]:
    awaited = or_(runs.c.state.is_(None), runs.c.state.in_([state.value for state in OPEN_RUNS]))
    return _tasks().where(tasks.c.state == TaskState.OPEN.value, awaited)


def _find(connection: Connection, query: Select[tuple[Any, ...]]) -> PostedTask | None:
    row = connection.execute(query).first()
    return None if row is None else _posted(row)


def _found(posted: PostedTask | None) -> PostedTask:
    assert posted is not None
    return posted


def _get(connection: Connection, task_id: int) -> PostedTask:
    found = _find(connection, _tasks().where(tasks.c.id == task_id))
    if found is None:
        raise NotFound(f"There is no task {task_id}. See `labwright tasks` for those that are open.")
    return found


def _posted(row: Row[tuple[Any, ...]]) -> PostedTask:
    asked, reported = unpack(row.asked), unpack(row.reported) if row.reported else {}
    claimed = unpack(row.claimed) if row.claimed else {}
    task = _task(asked)
    return PostedTask(
        id=row.id,
        command_id=row.command_id,
        campaign=row.campaign,
        campaign_state=CampaignState(row.campaign_state),
        trials=tuple(asked["trials"]),
        resource=asked["resource"],
        task=task,
        state=_state(row.state, row.run_state),
        since=row.since,
        due=_due(row.since, task.due_s),
        ended_at=row.ended_at,
        by=reported.get("by"),
        note=reported.get("note"),
        outcome=outcome_from(reported["outcome"]) if reported else None,
        sealed=reported.get("sealed"),
        files=tuple(HandedIn(**file) for file in reported.get("files", ())),
        claimed_by=claimed.get("by"),
        claimed_at=claimed.get("at"),
    )


def _state(state: str, run: str | None) -> TaskState:
    """Return how a task stands: whose run was called off, or decided by a person, is waited for by nobody any more."""
    is_over = run is not None and RunState(run) not in OPEN_RUNS
    return TaskState.WITHDRAWN if is_over and state == TaskState.OPEN.value else TaskState(state)


def _task(asked: Mapping[str, Any]) -> Task:
    return Task(
        title=asked["title"],
        instructions=asked["instructions"],
        given={name: Measurement(**m) for name, m in asked["given"].items()},
        fields=tuple(_field(f) for f in asked["fields"]),
        due_s=asked["due_s"],
        to=Addressees(people=tuple(asked.get("people", ())), skill=asked.get("skill")),
        signed=asked.get("signed", False),
    )


_KNOWN = frozenset(field.name for field in fields(Field))


def _field(record: Mapping[str, Any]) -> Field:
    """Read a field back; earlier versions wrote fewer things of it, and one that is no more."""
    known = {name: value for name, value in record.items() if name in _KNOWN}
    levels, kind = known["levels"], FieldKind(known.get("kind", FieldKind.VALUE))
    more = {"levels": None if levels is None else tuple(levels), "types": tuple(known.get("types", ()))}
    return Field(**{**known, **more, "kind": kind})


def _due(since: str, due_s: float | None) -> str | None:
    if due_s is None:
        return None
    at = datetime.fromisoformat(since).astimezone(UTC) + timedelta(seconds=due_s)
    return at.isoformat(timespec="milliseconds")
