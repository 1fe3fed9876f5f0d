"""What one run's resource streams, put on record batch by batch."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from labwright.core.errors import InvalidInput, StorageUnavailable
from labwright.core.run import Run
from labwright.core.telemetry import Channel, Gap, Quality, Stream, by_id
from labwright.core.values import Value
from labwright.storage.database.thread import StorageThread
from labwright.storage.telemetry import Batch, Telemetry

FLUSH_S = 2.0  # what a crash may cost of the samples; they never wait for the disk
MOST = 1_000_000  # samples that are held while the database cannot be used; then the oldest half is given up
log = logging.getLogger(__name__)


class RunStream:
    """The samples of one run. A sample is taken at once; a batch of them is written every few seconds."""

    def __init__(self, run: Run, channels: Sequence[Channel], telemetry: Telemetry, storage: StorageThread) -> None:
        self._run, self._telemetry, self._storage = run, telemetry, storage
        self._channels = dict(by_id(channels))
        self._samples: list[tuple[str, float, Value, Quality]] = []
        self._gaps: list[Gap] = []

    def add(self, channel: str, at: float, value: object, quality: Quality = Quality.GOOD) -> None:
        """Take one sample; see `Stream.add`. A channel that was not opened raises InvalidInput."""
        try:
            kept, quality = self._channels[channel].judge(value, quality)
        except KeyError:
            opened = ", ".join(self._channels) or "none"
            raise InvalidInput(
                f"{self._run.resource}: {channel!r} is not among the channels opened: {opened}."
            ) from None
        if not math.isfinite(at):
            raise InvalidInput(f"{self._run.resource}: a sample of {channel!r} has the time {at}; expected seconds.")
        self._samples.append((channel, float(at), kept, quality))
        if len(self._samples) > MOST:
            self._give_up()

    def gap(self, gap: Gap) -> None:
        """Take note that samples are missing."""
        self._gaps.append(gap)

    def _give_up(self) -> None:
        half = self._samples[: MOST // 2]
        del self._samples[: MOST // 2]
        times = [at for _, at, _, _ in half]
        self._gaps.append(Gap(channel=None, start=min(times), end=max(times), why="they could not be written in time"))

    async def flush(self) -> None:
        """Write what has come; what cannot be written is kept in hand."""
        samples, gaps = self._samples, self._gaps
        if not samples and not gaps:
            return
        self._samples, self._gaps = [], []
        batch = Batch(channels=tuple(self._channels.values()), samples=samples, gaps=tuple(gaps))
        run = self._run
        try:
            await self._storage(self._telemetry.put, run.id, run.campaign, run.resource, batch)
        except StorageUnavailable:
            self._samples, self._gaps = samples + self._samples, gaps + self._gaps
            raise

    async def keep_flushing(self, ended: asyncio.Event) -> None:
        """Write every few seconds until it has ended, and then the rest. It is not to be cancelled: half is written."""
        last = False
        while not last:
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), FLUSH_S)
            last = ended.is_set()
            try:
                await self.flush()
            except StorageUnavailable as error:
                if last:
                    raise
                log.warning("The samples of %s are kept in hand: %s", self._run, error)


@asynccontextmanager
async def streaming(
    run: Run, channels: Sequence[Channel], telemetry: Telemetry, storage: StorageThread
) -> AsyncIterator[Stream]:
    """Open the channels of a run; when it is left, all that was added is on record."""
    stream = RunStream(run, channels, telemetry, storage)
    ended = asyncio.Event()
    flushing = asyncio.create_task(stream.keep_flushing(ended))
    try:
        yield stream
    finally:
        ended.set()
        await asyncio.shield(flushing)
