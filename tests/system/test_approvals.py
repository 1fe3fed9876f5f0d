"""People and approvals on the command line, with a trial that waits."""

import io
import json
import re
from pathlib import Path

import pytest
from sqlalchemy import insert

from labwright.core.approval import Demand, Question, content_of
from labwright.core.capability import Capability, Input
from labwright.core.space import Continuous, Space
from labwright.core.verdict import Action, Plan
from labwright.storage.approvals import ask
from labwright.storage.database import Database
from labwright.storage.database.schema import campaigns, trials

SPACE = Space(parameters=(Continuous(name="current", low=0, high=5, unit="A"),))
CHARGE = Capability(name="charge", inputs=(Input(name="i", unit="A"),), outputs=())
PLAN = Plan(point={"current": 2.123456789}, actions=(Action(resource="cell", capability="charge", inputs={"i": 2.5}),))
GENERATED = re.compile(r"^[a-z2-9]{5}(-[a-z2-9]{5}){3}$", re.MULTILINE)


@pytest.fixture
def labwright(command_line, monkeypatch):
    """Run a command with a secret on its standard input."""

    def call(*words: str, secret: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{secret}\n"))
        return command_line(*words)

    return call


def add(labwright, name: str, *words: str, secret: str = "") -> str:
    """Put a person on record and return the secret that was made."""
    code, out, err = labwright("people", "add", name, *words, secret=secret)
    found = GENERATED.search(out)
    assert code == 0, err
    assert found is not None
    return found[0]


def hold(folder: Path, demand: Demand) -> None:
    """Put a trial on record that waits for people."""
    content = content_of(
        PLAN,
        campaign="study",
        file="f" * 64,
        trial=1,
        space=SPACE,
        capabilities={"cell.charge": CHARGE},
        reasons=["current > 2 A"],
    )
    database = Database.open(f"sqlite:///{folder}/labwright.db")
    named = {"name": "study", "digest": "", "text": "", "folder": "", "state": "running", "created_at": ""}
    row = {"id": 1, "campaign_id": 1, "number": 1, "state": "waiting", "proposal": "{}", "outcomes": "{}"}
    question = Question(content=content, reasons=("current > 2 A",), demands=(demand,), expires_s=60.0)
    with database.write() as connection:
        connection.execute(insert(campaigns).values(**named))
        connection.execute(insert(trials).values(**row, proposed_at=""))
        ask(connection, 1, question)
    database.close()


def test_two_people_approve_what_they_were_shown(labwright, tmp_path):
    ada = add(labwright, "ada")
    grace = add(labwright, "grace", "--as", "ada", secret=ada)
    hold(tmp_path, Demand(by=("ada", "grace"), people=2))

    waits = labwright("approvals")[1]
    first = labwright("approve", "study/1", "--as", "ada", secret=ada)
    second = labwright("approve", "study/1", "--as", "grace", secret=grace)

    assert "point: current = 2.123456789 A" in waits
    assert "cell.charge: i = 2.5 A" in waits
    assert "needs: 2 people of ada, grace" in waits
    assert (first[0], second[0]) == (0, 0)
    assert "It still needs 1 more of grace." in first[1]
    assert "That is enough: it may run." in second[1]


def test_another_persons_secret_a_wrong_one_or_none_signs_nothing(labwright, tmp_path):
    ada = add(labwright, "ada")
    add(labwright, "grace", "--as", "ada", secret=ada)
    hold(tmp_path, Demand(by=("grace",)))

    for name, secret in (("grace", ada), ("grace", ""), ("ada", ada), ("eve", ada)):
        code, _, err = labwright("approve", "study/1", "--as", name, secret=secret)
        assert code == 8, err
        assert ada not in err

    (found,) = json.loads(labwright("approvals", "--json")[1])
    assert (found["state"], found["signatures"]) == ("waiting", [])


def test_a_refusal_gives_its_reason_and_is_final(labwright, tmp_path):
    ada = add(labwright, "ada")
    hold(tmp_path, Demand())
    (tmp_path / "ada.txt").write_text(f"{ada}\n")

    code, out, _ = labwright("refuse", "study/1", "--as", "ada", "--why", "no fan", "--secret-file", "ada.txt")

    assert code == 0
    assert "ada refused study/1" in out
    assert labwright("approvals")[1] == "Nothing waits for approval.\n"
    assert labwright("approve", "study/1", "--as", "ada", secret=ada)[0] == 4


def test_a_refusal_without_a_reason_is_not_taken(labwright, tmp_path):
    ada = add(labwright, "ada")
    hold(tmp_path, Demand())

    code, _, err = labwright("refuse", "study/1", "--as", "ada", "--why", " ", secret=ada)

    assert (code, "--why is empty" in err) == (2, True)
    assert json.loads(labwright("approvals", "--json")[1])[0]["state"] == "waiting"


def test_later_people_need_one_who_vouches(labwright):
    ada = add(labwright, "ada")

    assert labwright("people", "add", "mallory")[0] == 8
    assert labwright("people", "add", "mallory", "--as", "ada", secret="not hers at all")[0] == 8
    add(labwright, "grace", "--as", "ada", secret=ada)

    assert labwright("people", "remove", "grace", "--as", "ada", secret=ada)[0] == 0
    people = json.loads(labwright("people", "--json")[1])
    assert [(p["name"], p["added_by"], p["ended_at"] is None) for p in people] == [
        ("ada", None, True),
        ("grace", "ada", False),
    ]


def test_a_person_changes_their_own_secret(labwright, tmp_path):
    ada = add(labwright, "ada")
    (tmp_path / "new.txt").write_text("my very own secret")

    code, out, _ = labwright("people", "secret", "ada", "--new-secret-file", "new.txt", secret=ada)

    assert code == 0
    assert "my very own" not in out
    assert labwright("people", "add", "grace", "--as", "ada", secret=ada)[0] == 8
    add(labwright, "grace", "--as", "ada", secret="my very own secret")


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "cannot be read"), ("one\ntwo\n", "has 2 lines"), ("", "has 0 lines"), ("kurz\n", "12 to 1000 characters")],
)
def test_a_secret_file_that_cannot_be_used_is_named_and_not_told(labwright, tmp_path, text, words):
    if text is not None:
        (tmp_path / "secret.txt").write_text(text)

    code, _, err = labwright("people", "add", "ada", "--new-secret-file", "secret.txt")

    assert code == 2
    assert words in err
    assert "kurz" not in err


def test_no_secret_is_left_on_disk(labwright, tmp_path):
    ada = add(labwright, "ada")
    labwright("people", "add", "grace", "--as", "ada", secret="a wrong one entirely")

    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert ada.encode() not in everything
    assert b"a wrong one" not in everything
