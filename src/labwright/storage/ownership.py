"""One process conducts a campaign at a time: a lock that dies with its process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labwright.core.errors import CampaignBusy, StorageUnavailable


def is_owned(database: Path, campaign: str) -> bool:
    """Say whether some other process conducts the campaign now."""
    try:
        with _lock_file(database, campaign).open("r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _lock_file(database: Path, campaign: str) -> Path:
    return database.with_name(f"{database.name}.{campaign}.lock")


@contextmanager
def ownership(database: Path, campaign: str) -> Iterator[None]:
    """Hold the campaign for this process; where another holds it, raise CampaignBusy with its process id."""
    path = _lock_file(database, campaign)
    try:
        file = path.open("a+")
    except OSError as error:
        raise StorageUnavailable(f"The lock {path} cannot be opened: {error}.") from error
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike flock, no child inherits it
        except (BlockingIOError, PermissionError):
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise CampaignBusy(
                f"Campaign {campaign!r} is already run by process {holder}. "
                "Watch it with `labwright status`, or end it with `labwright stop`."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
