"""`labwright report`, as a person calls it after a run."""

import subprocess
import sys
from pathlib import Path

import pytest

LABWRIGHT = Path(sys.executable).with_name("labwright")


def labwright(folder, *words):
    return subprocess.run([LABWRIGHT, *words], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    assert labwright(folder, "init", "coffee").returncode == 0
    file = folder / "coffee" / "campaign.yaml"
    file.write_text(file.read_text().replace("budget: {trials: 25}", "budget: {trials: 9}"))
    assert labwright(folder, "run", "coffee/campaign.yaml").returncode == 0
    return folder


def test_a_finished_run_gives_a_page_that_needs_nothing_else(folder):
    done = labwright(folder, "report", "coffee/campaign.yaml", "--out", "page.html")

    page = (folder / "page.html").read_text(encoding="utf-8")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "Wrote page.html, the report of coffee. Open it in a browser.\n",
        "",
    )
    assert "Which grind, temperature and time give the best cup?" in page
    assert "The budget of 9 trials is spent." in page
    assert page.count("<img") == page.count('src="data:image/svg+xml,') == 1 + 1 + 1 + 4 + 2 * 2


def test_without_a_name_for_it_the_page_is_named_after_the_campaign(folder):
    done = labwright(folder / "coffee", "report", "coffee")

    assert done.returncode == 0
    assert (folder / "coffee" / "coffee.html").stat().st_size > 10_000


def test_a_folder_that_is_not_there_is_an_error_in_words(folder):
    done = labwright(folder, "report", "coffee/campaign.yaml", "--out", "nowhere/page.html")

    assert done.returncode == 2
    assert done.stderr == "Error: The report cannot be written to nowhere/page.html: No such file or directory.\n"
