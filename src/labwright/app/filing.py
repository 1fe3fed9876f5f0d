"""Puts campaign files on record, and refuses those that have changed since."""

import difflib

from labwright.campaigns.file import CampaignFile
from labwright.core.campaign import CampaignRecord
from labwright.core.errors import CampaignChanged
from labwright.core.states import CampaignState
from labwright.core.values import digest
from labwright.storage.campaigns import Campaigns


def refuse_change(record: CampaignRecord, file: CampaignFile) -> None:
    """Raise CampaignChanged, with the difference, if a file is not as it was when its campaign began."""
    if digest(file.campaign.text) == record.digest:
        return
    lines = difflib.unified_diff(
        record.text.splitlines(), file.campaign.text.splitlines(), "as it began", "as it is now", lineterm="", n=0
    )
    raise CampaignChanged(
        f"{file.path} has changed since campaign {record.name!r} began; nothing was run.\n"
        + "\n".join(f"  {line}" for line in lines)
        + "\nPut the file back to go on, or start another campaign with it: --new NAME."
    )


def file_away(campaigns: Campaigns, file: CampaignFile) -> CampaignRecord:
    """Put a campaign on record as a draft."""
    campaign = file.campaign
    return campaigns.add(campaign.name, campaign.text, _folder_of(file), priority=campaign.priority)


def _folder_of(file: CampaignFile) -> str:
    return str(file.path.absolute().parent)


def begin(campaigns: Campaigns, file: CampaignFile, declared: str) -> None:
    """Put a campaign on record as running, with what its resources have declared."""
    name = file.campaign.name
    record = campaigns.find(name) or file_away(campaigns, file)
    campaigns.move(name, _folder_of(file))
    campaigns.declare(name, declared)
    if record.state is CampaignState.DRAFT:
        campaigns.change(name, "start")
    elif record.state is CampaignState.PAUSED:
        campaigns.change(name, "resume")
