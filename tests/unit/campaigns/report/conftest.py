import base64
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from labwright.campaigns.report.page import render
from labwright.core.campaign import Campaign, CampaignRecord, PlugIn
from labwright.core.problem import Goal, Objective, OutcomeConstraint, Problem
from labwright.core.space import Categorical, Continuous, Space
from labwright.core.states import CampaignState, TrialState
from labwright.core.trial import Proposal, Trial
from labwright.core.values import digest

VOID = {"meta", "img"}
NEVER = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class Page(HTMLParser):
    """A page as a reader meets it: its tags, its text by section, its pictures and what they say."""

    source: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    rows: list[list[str]] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()
        self.place = "head"
        self.feed(self.source)
        self.close()
        assert self.open == [], "a tag was left open"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.place = (
            dict(attributes).get("id", self.place) if tag == "section" else tag if tag == "footer" else self.place
        )
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, "tags are not nested"

    def handle_data(self, data):
        if "script" in self.open or "style" in self.open:
            self.scripts.append(data)
            return
        if {"th", "td"} & set(self.open):
            self.rows[-1][-1] += data
        self.texts[self.place] = self.texts.get(self.place, "") + data.replace("\xa0", " ") + " "

    @property
    def text(self):
        return " ".join(" ".join(self.texts.values()).split())

    def section(self, name):
        return " ".join(self.texts[name].split())

    @property
    def images(self):
        return [attributes for tag, attributes in self.tags if tag == "img"]

    @property
    def drawings(self):
        return [unquote(image["src"].partition(",")[2]) for image in self.images]

    @property
    def policy(self):
        return next(a["content"] for _, a in self.tags if a.get("http-equiv") == "Content-Security-Policy")


@pytest.fixture
def problem():
    return Problem(
        space=Space(
            parameters=(
                Continuous(name="heat", low=0, high=100, unit="degC"),
                Categorical(name="solvent", levels=("water", "ethanol")),
            )
        ),
        objectives=(Objective(name="yield", goal=Goal.MAXIMIZE, unit="%"),),
        constraints=(OutcomeConstraint(name="cost", high=5, unit="USD"),),
    )


@pytest.fixture
def observed():
    def observed(number, heat, found, *, cost=1.0, solvent="water", **others):
        point = {"heat": float(heat), "solvent": solvent}
        return Trial(
            number=number,
            campaign="soup",
            proposal=Proposal(point=point, source="gp", reason=f"reason {number}"),
            state=TrialState.OBSERVED,
            outcomes={"yield": float(found), "cost": float(cost), **others},
        )

    return observed


@pytest.fixture
def ended():
    def ended(number, state, why=None, *, heat=50):
        point = {"heat": float(heat), "solvent": "water"}
        proposal = Proposal(point=point, source="gp", reason=f"reason {number}")
        return Trial(number=number, campaign="soup", proposal=proposal, state=state, why=why)

    return ended


@pytest.fixture
def html(problem):
    """Write the report of some trials, at a set time."""

    def html(
        trials, *, name="soup", question="Which soup?", state=CampaignState.FINISHED, why=None, asked=problem, **of
    ):
        text = of.pop("text", f"name: {name}\n")
        campaign = Campaign(
            name=name,
            question=question,
            problem=asked,
            procedure=(),
            resources={},
            planner=PlugIn(kind="gp"),
            seed=1,
            trials=20,
            limits={},
            text=text,
        )
        record = CampaignRecord(
            name=name,
            digest=digest(text),
            text=text,
            folder=".",
            state=state,
            why=why,
            created_at="2026-01-01T00:00:00",
        )
        return render(campaign, record, trials, at=NEVER)

    return html


@pytest.fixture
def page(html):
    """Read the report of some trials."""
    return lambda trials, **of: Page(html(trials, **of))


@pytest.fixture
def sha256():
    return lambda text: f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
