"""What the disk itself takes: the floor under every commit."""

import os
import tempfile
import time
from pathlib import Path


def fsync_ms(folder: Path, times: int = 100) -> list[float]:
    """Return the milliseconds that each of so many 4 KiB writes took to be on disk, in a file of a folder."""
    taken = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(times):
            file.write(bytes(4096))
            start = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(1000 * (time.perf_counter() - start))
    return taken
