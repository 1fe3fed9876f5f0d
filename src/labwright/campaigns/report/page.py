"""The page as a whole: one file that needs nothing else."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from labwright import __version__
from labwright.campaigns.report.attention import attention
from labwright.campaigns.report.course import course, limits
from labwright.campaigns.report.fitness import fitness
from labwright.campaigns.report.html import Html, element, joined, printable, section
from labwright.campaigns.report.parameters import parameters
from labwright.campaigns.report.summary import best_found, heading
from labwright.campaigns.report.table import trials_table
from labwright.core.belief import GivenBelief
from labwright.core.campaign import Campaign, CampaignRecord
from labwright.core.errors import InvalidInput
from labwright.core.moment import moment
from labwright.core.space import Space
from labwright.core.trial import Statement, Trial


def write_report(
    path: Path,
    campaign: Campaign,
    record: CampaignRecord,
    trials: Sequence[Trial],
    *,
    statements: Sequence[Statement] = (),
    beliefs: Sequence[GivenBelief] = (),
    at: datetime | None = None,
) -> None:
    """Write the report of a campaign, with what people said of its trials and of where the best lies.

    `at`: the time that it carries, or now.

    Raises InvalidInput where the file cannot be written, and MissingExtra without the extra `plots`.
    """
    text = render(campaign, record, trials, statements, beliefs, at=at or datetime.now(UTC))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"The report cannot be written to {path}: {error.strerror or error}.") from error


def render(
    campaign: Campaign,
    record: CampaignRecord,
    trials: Sequence[Trial],
    statements: Sequence[Statement] = (),
    beliefs: Sequence[GivenBelief] = (),
    *,
    at: datetime,
) -> str:
    """Return the report as HTML; the same arguments give the same text."""
    problem, units = campaign.problem, campaign.units
    body = element(
        "main",
        heading(campaign, record, trials),
        best_found(campaign, trials),
        course(problem, trials),
        limits(problem, trials),
        parameters(problem, trials),
        fitness(problem, trials, units),
        attention(trials),
        _beliefs(problem.space, beliefs),
        trials_table(problem, trials, units, statements),
        _file(record),
        _colophon(record, at),
    )
    return _document(campaign.name, body)


def _document(title: str, body: Html) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    # Even if a text slipped through unescaped, the browser would run and load nothing but what is named here.
    policy = f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("title", f"{title} – Labwright report"),
        element("style", style),
    )
    return f"<!doctype html>\n{element('html', head, element('body', body, element('script', script)), lang='en')}\n"


def _beliefs(space: Space, beliefs: Sequence[GivenBelief]) -> Html:
    """Return what people said, while the campaign was under way, of where they expect the best."""
    if not beliefs:
        return joined()
    said = (element("li", given.told(space)) for given in beliefs)
    return section("beliefs", "What people believed", element("ul", *said))


def _file(record: CampaignRecord) -> Html:
    return section("file", "The campaign file", element("pre", element("code", printable(record.text)), tabindex="0"))


def _colophon(record: CampaignRecord, at: datetime) -> Html:
    facts = {
        "Campaign": record.name,
        "Begun": moment(record.created_at),
        "Digest of its file (sha256)": element("code", record.digest),
        "Report written": moment(at.timestamp()),
        "By": f"Labwright {__version__}",
    }
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in facts.items()]
    return element("footer", element("dl", joined(*rows)))


def _asset(name: str) -> Html:
    return Html((files(__package__) / name).read_text(encoding="utf-8"))


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
