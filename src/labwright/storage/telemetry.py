"""Samples on record, batch by batch: each an object that describes itself, and a row that says where to find it."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, insert, select

from labwright.core.errors import LedgerBroken
from labwright.core.telemetry import Channel, Gap, Kind, Quality
from labwright.core.values import Json, Value
from labwright.storage.campaigns import stream_of
from labwright.storage.database import Database
from labwright.storage.database.ledger import append
from labwright.storage.database.packing import pack, unpack
from labwright.storage.database.schema import campaigns, runs, telemetry
from labwright.storage.objects import Objects

FORMAT = "labwright telemetry 1"
QUALITIES = tuple(Quality)
Times = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Samples as they came: (channel, time, value, quality) each, with what is missing."""

    channels: tuple[Channel, ...]
    samples: Sequence[tuple[str, float, Value, Quality]]
    gaps: tuple[Gap, ...] = ()

    @property
    def span(self) -> tuple[float, float]:
        """The first and the last time that it speaks of."""
        times = [s[1] for s in self.samples] + [t for gap in self.gaps for t in (gap.start, gap.end)]
        return min(times), max(times)


@dataclass(frozen=True, kw_only=True)
class Series:
    """What is known of one channel, in the order of time, each time once.

    `at` (n,): seconds since 1970; `values` (n,): numbers, or words as objects. `late` came after a later one, and
    `repeated` were of a time that was there already; of those the best was kept, or else the first that came.
    """

    channel: Channel
    at: Times
    values: NDArray[Any]
    qualities: tuple[Quality, ...]
    gaps: tuple[Gap, ...]
    late: int
    repeated: int


class Telemetry:
    """The samples of one database."""

    def __init__(self, database: Database, objects: Objects) -> None:
        self._database, self._objects = database, objects

    def put(self, run_id: int, campaign: str, resource: str, batch: Batch) -> str:
        """Keep a batch of a run; it is on record when its reference is returned."""
        reference = self._objects.put(encode(batch))
        first, last = batch.span
        said: dict[str, Json] = {
            "run": run_id,
            "resource": resource,
            "channels": [c.id for c in batch.channels],
            "first": first,
            "last": last,
            "samples": len(batch.samples),
            "object": reference,
        }
        with self._database.write() as connection:
            row = {**said, "run_id": said["run"], "channels": pack(said["channels"])}
            result = connection.execute(insert(telemetry).values({n: v for n, v in row.items() if n != "run"}))
            assert result.inserted_primary_key is not None
            body: dict[str, Json] = {"batch": int(result.inserted_primary_key[0]), "telemetry": said}
            append(connection, stream_of(campaign), "telemetry", body)
        return reference

    def of(self, campaign: str, run_ids: Sequence[int] | None = None) -> dict[tuple[str, str], Series]:
        """Return every channel of a campaign, or of some of its runs, by resource and id."""
        query = select(telemetry.c.resource, telemetry.c.object).join(runs, runs.c.id == telemetry.c.run_id)
        query = query.join(campaigns, campaigns.c.id == runs.c.campaign_id).where(campaigns.c.name == campaign)
        if run_ids is not None:
            query = query.where(telemetry.c.run_id.in_(run_ids))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(telemetry.c.id)).all()
        batches: dict[str, list[Batch]] = {}
        for row in rows:
            batches.setdefault(row.resource, []).append(decode(self._objects.get(row.object)))
        return {(name, s.channel.id): s for name, found in batches.items() for s in merged(found)}


def facts(connection: Connection) -> Iterator[tuple[str, str, int, str, Json]]:
    """Yield what the table says of each batch, as the ledger has it: campaign, what it is of, its number, the fact."""
    names = ("resource", "first", "last", "samples", "object")
    joined = telemetry.outerjoin(runs, runs.c.id == telemetry.c.run_id).outerjoin(campaigns)
    for row in connection.execute(select(telemetry, campaigns.c.name).select_from(joined)):
        told: dict[str, Json] = {name: getattr(row, name) for name in names}
        yield row.name, "batch", row.id, "telemetry", {**told, "run": row.run_id, "channels": unpack(row.channels)}


def encode(batch: Batch) -> bytes:
    """Write a batch as a zip of numpy arrays with a header in JSON: anybody can read it in twenty years."""
    places = {channel.id: i for i, channel in enumerate(batch.channels)}
    words = sorted({value for _, _, value, _ in batch.samples if isinstance(value, str)})
    word = {text: i for i, text in enumerate(words)}
    header: dict[str, Any] = {
        "format": FORMAT,
        "channels": [asdict(c) for c in batch.channels],
        "qualities": list(QUALITIES),
        "words": words,
        "gaps": [asdict(g) for g in batch.gaps],
    }
    file = io.BytesIO()
    np.savez_compressed(
        file,
        header=np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8),
        channel=np.array([places[s[0]] for s in batch.samples], dtype=np.uint16),
        at=np.array([s[1] for s in batch.samples], dtype=np.float64),
        value=np.array([word[s[2]] if isinstance(s[2], str) else s[2] for s in batch.samples], dtype=np.float64),
        quality=np.array([QUALITIES.index(s[3]) for s in batch.samples], dtype=np.uint8),
    )
    return file.getvalue()


def decode(data: bytes) -> Batch:
    """Read what `encode` wrote; anything else raises LedgerBroken."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())
            channel, at, value, quality = (arrays[n].tolist() for n in ("channel", "at", "value", "quality"))
        channels = tuple(Channel(**{**c, "kind": Kind(c["kind"])}) for c in header["channels"])
        words = header["words"]
        samples = [
            (channels[c].id, t, words[int(v)] if channels[c].kind is Kind.WORD else v, QUALITIES[q])
            for c, t, v, q in zip(channel, at, value, quality, strict=True)
        ]
        return Batch(channels=channels, samples=samples, gaps=tuple(Gap(**g) for g in header["gaps"]))
    except (ValueError, KeyError, IndexError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise LedgerBroken(f"A batch of samples cannot be read: {error}. Restore it from a backup.") from error


def merged(batches: Sequence[Batch]) -> list[Series]:
    """Return each channel of some batches, in the order in which they came, as one series."""
    channels: dict[str, Channel] = {channel.id: channel for batch in batches for channel in batch.channels}
    samples: dict[str, list[tuple[float, Value, Quality]]] = {name: [] for name in channels}
    for batch in batches:
        for name, at, value, quality in batch.samples:
            samples[name].append((at, value, quality))
    gaps = [gap for batch in batches for gap in batch.gaps]
    return [_series(channels[n], found, [g for g in gaps if g.channel in (None, n)]) for n, found in samples.items()]


def _series(channel: Channel, came: Sequence[tuple[float, Value, Quality]], gaps: Sequence[Gap]) -> Series:
    latest = np.maximum.accumulate([-np.inf, *(at for at, _, _ in came)])
    best: dict[float, tuple[Value, Quality]] = {}
    for at, value, quality in came:
        if at not in best or QUALITIES.index(quality) < QUALITIES.index(best[at][1]):
            best[at] = (value, quality)
    times = sorted(best)
    kind: type[Any] = object if channel.kind is Kind.WORD else np.float64
    return Series(
        channel=channel,
        at=np.array(times, dtype=np.float64),
        values=np.array([best[at][0] for at in times], dtype=kind),
        qualities=tuple(best[at][1] for at in times),
        gaps=tuple(sorted(gaps, key=lambda g: g.start)),
        late=sum(bool(at < before) for (at, _, _), before in zip(came, latest, strict=False)),
        repeated=len(came) - len(times),
    )


def summary(series: Mapping[tuple[str, str], Series]) -> list[dict[str, Json]]:
    """Return what people want to know of each channel first."""
    return [_summed(resource, s) for (resource, _), s in sorted(series.items())]


def _summed(resource: str, s: Series) -> dict[str, Json]:
    trusted = [v for v, q in zip(s.values, s.qualities, strict=True) if q is not Quality.BAD]
    numbers = [float(v) for v in trusted] if s.channel.kind is Kind.NUMBER else []
    return {
        "resource": resource,
        "channel": s.channel.id,
        "unit": s.channel.unit,
        "samples": len(s.at),
        "first": float(s.at[0]) if len(s.at) else None,
        "last": float(s.at[-1]) if len(s.at) else None,
        "lowest": min(numbers, default=None),
        "highest": max(numbers, default=None),
        "not_good": sum(q is not Quality.GOOD for q in s.qualities),
        "gaps": len(s.gaps),
        "late": s.late,
        "repeated": s.repeated,
    }
