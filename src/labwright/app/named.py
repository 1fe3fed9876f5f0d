"""What people name on the command line: a resource of a campaign."""

from dataclasses import dataclass
from pathlib import Path

from labwright.app.laboratory import Laboratory
from labwright.campaigns.file import CampaignFile, read_campaign
from labwright.core.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class Named:
    """A resource of a campaign, by the campaign's file or its name in a folder."""

    folder: Path
    campaign: str
    resource: str
    file: Path | None = None

    def file_and_folder(self, laboratory: Laboratory) -> tuple[CampaignFile, Path]:
        """Return the campaign's file and where it stands; a resource that it has not raises InvalidInput."""
        if self.file is not None:
            found, folder = read_campaign(self.file), self.file.absolute().parent
        else:
            standing = laboratory.standing(self.campaign)
            found, folder = standing.file, Path(standing.record.folder)
        known = found.campaign.resources
        if self.resource not in known:
            raise InvalidInput(f"{found.campaign.name} has no resource {self.resource!r}; it has {', '.join(known)}.")
        return found, folder
