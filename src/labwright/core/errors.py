"""Every error that Labwright raises on purpose.

PlatformError
├── InvalidInput             a file, a table, an option or a value is not as it should be
│   ├── InvalidCampaign      the campaign file; holds every problem found, each with its line
│   ├── InvalidUnit          a unit is missing, unknown or of the wrong dimension
│   └── CampaignChanged      the file differs from the one that this campaign began with
├── NotFound                 no campaign, trial or plug-in of that name
│   └── PluginNotFound
├── MissingExtra             an optional package is not installed
├── ResourceUnavailable      an instrument or a server cannot be reached
├── HeldBack                 a command was not sent, because the instrument is not in a state for it
├── StorageUnavailable       the database cannot be opened, read or written
│   └── StorageDamaged       its file is not whole: to try again does not help
├── CampaignBusy             another process runs this campaign
├── CampaignHalted           the campaign cannot go on by itself
│   └── OutOfStock           a lot lacks what the next step would take from it
├── PoolExhausted            every candidate has been tried
├── InvalidTransition        the state does not allow that action
├── NotAuthorised            a secret is wrong, or that person may not do this
├── Overtaken                another process changed the same thing first
├── StaleEpoch               the device follows a newer holder of that command
└── LedgerBroken             the record does not agree with itself
"""

from collections.abc import Sequence


class PlatformError(Exception):
    """What was asked, why not, and what to do now."""


class InvalidInput(PlatformError):
    """Something given to Labwright is not as it should be."""


class InvalidCampaign(InvalidInput):
    """A campaign file with one problem or more."""

    def __init__(self, file: str, problems: Sequence[str]) -> None:
        self.file = file
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{file} has {count}; nothing was run.\n{lines}")


class InvalidUnit(InvalidInput):
    """A unit is missing, unknown or of the wrong dimension."""


class CampaignChanged(InvalidInput):
    """The campaign file differs from the one that this campaign began with."""


class NotFound(PlatformError):
    """Nothing of that name is on record."""


class PluginNotFound(NotFound):
    """No installed plug-in has that name."""


class MissingExtra(PlatformError):
    """An optional package is not installed."""

    def __init__(self, extra: str, wanted_by: str) -> None:
        self.extra = extra
        how = f"Install it in a clone of Labwright: pip install '.[{extra}]'"
        super().__init__(f"{wanted_by} needs the extra {extra!r}. {how}")


class ResourceUnavailable(PlatformError):
    """An instrument or a server cannot be reached."""


class HeldBack(PlatformError):
    """A command was not sent, because the instrument is not in a state for it; it may be sent later.

    `rule`: the name of what holds it back.
    """

    def __init__(self, rule: str, words: str) -> None:
        self.rule = rule
        super().__init__(words)


class StorageUnavailable(PlatformError):
    """The database cannot be opened, read or written."""


class StorageDamaged(StorageUnavailable):
    """The database's file is not whole."""


class CampaignBusy(PlatformError):
    """Another process runs this campaign."""


class CampaignHalted(PlatformError):
    """The campaign cannot go on by itself."""


class OutOfStock(CampaignHalted):
    """A lot lacks what the next step would take from it; nothing of it was begun."""


class PoolExhausted(PlatformError):
    """Every candidate has been tried."""


class InvalidTransition(PlatformError):
    """The state does not allow that action."""

    def __init__(self, what: str, state: str, action: str, allowed: Sequence[str]) -> None:
        choices = ", ".join(allowed) or "nothing: it has ended"
        super().__init__(f"{what} is {state}: it cannot {action}. Possible now: {choices}.")


class NotAuthorised(PlatformError):
    """A secret is wrong, or that person may not do this."""


class Overtaken(PlatformError):
    """Another process changed the same thing first."""


class StaleEpoch(PlatformError):
    """The device follows a newer holder of that command."""


class LedgerBroken(PlatformError):
    """The record does not agree with itself."""
