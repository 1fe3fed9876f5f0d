"""The campaign file: read whole, before anything runs, with every problem named by its line."""

from labwright.campaigns.file.copies import find_file, renamed
from labwright.campaigns.file.problems import Problems
from labwright.campaigns.file.reading import CampaignFile, parse_campaign, read_campaign, recall_campaign
from labwright.campaigns.file.rules import check_rules
from labwright.core.document import DocumentError, parse

__all__ = [
    "CampaignFile",
    "DocumentError",
    "Problems",
    "check_rules",
    "find_file",
    "parse",
    "parse_campaign",
    "read_campaign",
    "recall_campaign",
    "renamed",
]
