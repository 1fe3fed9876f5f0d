"""The report in Chromium: it fits the window, shows every picture, sorts, and lets no foreign script run."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from html import unescape

import pytest

from labwright.campaigns.report.page import render
from labwright.core.campaign import Campaign, CampaignRecord, PlugIn
from labwright.core.problem import Goal, Objective, Problem
from labwright.core.space import Categorical, Continuous, Space
from labwright.core.states import CampaignState, TrialState
from labwright.core.trial import Proposal, Trial

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")

PROBE = """
addEventListener("load", () => {
  const button = [...document.querySelectorAll("th button")].find((b) => b.textContent === "yield");
  const column = button.parentElement.cellIndex;
  const values = () => [...document.querySelectorAll(".trials tbody tr")].map((row) => row.cells[column].textContent);
  button.click();
  const rising = values();
  button.click();
  document.body.dataset.found = JSON.stringify({
    width: document.documentElement.scrollWidth,
    window: innerWidth,
    pictures: [...document.images].map((image) => image.complete && image.naturalWidth > 0),
    painted: getComputedStyle(document.querySelector("section")).borderTopStyle,
    rising,
    falling: values(),
    foreign: window.foreign ?? null,
  });
});
"""


@pytest.fixture(scope="module")
def source():
    space = Space(
        parameters=(
            Continuous(name="heat", low=0, high=100, unit="degC"),
            Categorical(name="solvent", levels=("w" * 300, "<script>foreign = 1</script>")),
        )
    )
    problem = Problem(space=space, objectives=(Objective(name="yield", goal=Goal.MAXIMIZE),))
    points = [{"heat": 9.0 * n, "solvent": space["solvent"].levels[n % 2]} for n in range(11)]
    trials = [
        Trial(
            number=n,
            proposal=Proposal(point=point, source="gp", reason="r" * 400),
            state=TrialState.OBSERVED if n else TrialState.FAILED,
            outcomes={"yield": 100.0 - (n - 7) ** 2} if n else {},
            why=None if n else "it broke",
        )
        for n, point in enumerate(points)
    ]
    campaign = Campaign(
        name="soup",
        question="Which?",
        problem=problem,
        procedure=(),
        resources={},
        planner=PlugIn(kind="gp"),
        seed=1,
        trials=11,
        limits={},
        text="x" * 500,
    )
    record = CampaignRecord(
        name="soup", digest="0" * 64, text="x" * 500, folder=".", state=CampaignState.RUNNING, why=None, created_at=""
    )
    return render(campaign, record, trials, at=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module", params=[400, 1200], ids=["narrow", "wide"])
def found(source, request, tmp_path_factory):
    """What a script that the page's policy is made to allow sees in the page; another one it does not allow."""
    digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    allowed = source.replace("script-src ", f"script-src &#x27;sha256-{digest}&#x27; ")
    page = tmp_path_factory.mktemp("page") / "page.html"
    scripts = f"<script>window.foreign = true</script><script>{PROBE}</script>"
    inner = allowed.replace("</body>", f"{scripts}</body>")
    page.write_text(inner, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"]
    size = [f"--window-size={request.param},800"]
    profile = [f"--user-data-dir={page.with_name('profile')}"]
    done = subprocess.run(
        [CHROMIUM, *options, *size, *profile, page.as_uri()], capture_output=True, text=True, timeout=120
    )
    return json.loads(unescape(re.search(r'data-found="([^"]*)"', done.stdout).group(1)))


def test_the_page_is_not_wider_than_the_window(found):
    assert found["width"] <= found["window"]


def test_every_picture_is_shown(found):
    assert found["pictures"] == [True] * 5


def test_the_style_is_applied(found):
    assert found["painted"] == "solid"


def test_a_click_on_a_title_sorts_by_number_and_a_second_turns_it_round(found):
    rising = ["64", "75", "84", "91", "91", "96", "96", "99", "99", "100", ""]

    assert found["rising"] == rising
    assert found["falling"] == rising[::-1]


def test_a_script_that_the_page_did_not_bring_does_not_run(found):
    assert found["foreign"] is None
