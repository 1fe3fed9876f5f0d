"""Those at work on a campaign in one process: who conducts it, and who serves its resources."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from labwright.campaigns.conclusion import Judge
from labwright.campaigns.loop import Conductor, Records, Watcher
from labwright.campaigns.permission import Permission
from labwright.campaigns.wiring import Wiring, declared, rewire
from labwright.core.campaign import Campaign
from labwright.core.capability import Capability
from labwright.core.recorder import Recorder
from labwright.core.run import Run
from labwright.core.values import Json, canonical
from labwright.planning.planner import Planner
from labwright.safety.approval import ApprovalReviewer
from labwright.safety.gate import Gate
from labwright.safety.limits import LimitsReviewer, SpaceReviewer
from labwright.safety.orders import GuardReviewer
from labwright.sites.available import Taken
from labwright.sites.post import Post
from labwright.sites.worker import Brief, Worker
from labwright.storage.presence import Presence


@dataclass(frozen=True, kw_only=True)
class Crew:
    """One process at work on a campaign, and its presence on record."""

    conductor: Conductor
    worker: Worker
    presence: Presence


def assemble(
    wiring: Wiring,
    planner: Planner,
    keys: Mapping[str, str],
    posts: Sequence[Post],
    *,
    records: Records,
    presence: Presence,
    watcher: Watcher,
    recorder: Callable[[Run], Recorder],
    others: Callable[[str], Brief],
    tell: Callable[[str], None] = lambda text: None,
    taken: Taken | None = None,
) -> Crew:
    """Return those who conduct a wired campaign and serve resources, not necessarily all that it uses.

    `keys`: what names the physical thing that each of the campaign's resources stands for. `recorder` gives what an
    adapter may tell of a run; `others` what must be known of other campaigns on the same resources; `tell`
    takes words on why something waits, and `taken` knows what people have taken by hand.
    """
    judge = Judge(wiring, keys)
    own = Brief(gate=device_gate_of(wiring), advance=judge.advance)
    conductor = Conductor(wiring, planner, Permission(wiring, gate_of(wiring)), judge, records, watcher)
    worker = Worker(
        posts,
        runs=records.runs,
        presence=presence,
        storage=records.thread,
        brief=lambda name: own if name == wiring.campaign.name else others(name),
        recorder=recorder,
        changed=conductor.wake,
        tell=tell,
        taken=taken,
    )
    conductor.queued, conductor.asked = worker.wake, lambda: worker.has_asked
    return Crew(conductor=conductor, worker=worker, presence=presence)


def gate_of(wiring: Wiring) -> Gate:
    """Return the gate that every proposal of a campaign must pass."""
    space, campaign = wiring.problem.space, wiring.campaign
    limits = LimitsReviewer(wiring.capabilities, campaign.limits)
    guards = [GuardReviewer(wiring.guards)] if wiring.guards else []
    return Gate([SpaceReviewer(space), limits, *guards, ApprovalReviewer(campaign.approvals, space)])


def device_gate_of(wiring: Wiring) -> Gate:
    """Return the gate that every command of a campaign must pass at the device."""
    return Gate([LimitsReviewer(wiring.capabilities, wiring.campaign.limits)])


def said_by(wiring: Wiring, keys: Mapping[str, str], sources: Mapping[str, str] | None = None) -> str:
    """Return what another process must know to serve a campaign's resources, as JSON; read back by `brief_of`.

    `sources`: the sha256 of what each source says, for the record.
    """
    said: dict[str, Json] = {"keys": dict(keys), "capabilities": declared(wiring)}
    return canonical(said | ({"sources": dict(sources)} if sources else {}))


def sources_of(said: str | None) -> dict[str, str]:
    """Return the sha256 of what each source said, from what `said_by` wrote; none before a campaign began."""
    found: dict[str, str] = json.loads(said or "{}").get("sources", {})
    return found


def keys_of(said: str) -> dict[str, str]:
    """Return what each of a campaign's resources stands for, by its name, from what `said_by` wrote."""
    keys: dict[str, str] = json.loads(said)["keys"]
    return keys


def brief_of(campaign: Campaign, said: str) -> Brief:
    """Return what a worker must know of a campaign, from what its resources said when it began."""
    found = json.loads(said)
    wiring = rewire(campaign, found["capabilities"])
    return Brief(gate=device_gate_of(wiring), advance=Judge(wiring, keys_of(said)).advance)


def can_do(campaign: Campaign, said: str | None) -> Mapping[str, Capability]:
    """Return each capability as its resource declared it when the campaign began; none before that."""
    return rewire(campaign, json.loads(said or "{}").get("capabilities", "{}")).capabilities
