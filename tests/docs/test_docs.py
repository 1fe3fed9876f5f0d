"""What the documentation shows is what happens: its code runs, its campaigns are valid, its links lead somewhere.

Each page is played from its first block to its last in a folder of its own, as its reader would.
"""

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from labwright.campaigns.file import parse_campaign

ROOT = Path(__file__).parents[2]
TABLES = ROOT.parent / "shared" / "tables"
GIVEN = Path(__file__).parent / "given"
# Played by tests/system, with a server.
INSTRUMENTS = (
    "docs/how-to/bluesky.md",
    "docs/how-to/bluesky-servers.md",
    "docs/how-to/epics.md",
    "docs/how-to/madsci.md",
    "docs/how-to/lads.md",
    "docs/how-to/opcua.md",
    "docs/how-to/sila.md",
    "docs/tutorials/fast-charge.md",
)
LINKED = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
INSTALLS = ("make ", "pip ")
ALIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
BLOCK = re.compile(r"(?:^<!-- (?P<notes>[^\n]*) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
NOTE = re.compile(r"(not run|file|exit|given): ([^;]+)")

pytestmark = pytest.mark.docs


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block.

    A comment before it may say `not run: why`, `file: NAME` (the block is that file), `exit: CODE` (of its last
    command), and `given: NAME = PATH` (a measured table that the reader has, from the folder of tables).
    """

    line: int
    kind: str
    text: str
    notes: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of a console block, and what the page shows of its output."""

    line: int
    text: str
    shown: str


def blocks(path: Path) -> Iterator[Block]:
    """Yield the blocks of a page in order."""
    text = path.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        notes = {key: value.strip() for key, value in NOTE.findall(found["notes"] or "")}
        line = text.count("\n", 0, found.start("text"))
        yield Block(line=line, kind=found["kind"], text=found["text"], notes=notes)


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a console block; a line that ends with a backslash goes on."""
    for found in re.finditer(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE):
        line = block.line + block.text.count("\n", 0, found.start()) + 1
        yield Command(line=line, text=found[1], shown=found[2])


PAGES = [p for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")] if any(True for _ in blocks(p))]


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LABWRIGHT_")}
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}", "COLUMNS": "120"}


@pytest.mark.parametrize("page", sorted(PAGES), ids=short)
def test_a_page_does_what_it_says(page, tmp_path):
    given = GIVEN / page.stem
    if given.is_dir():
        shutil.copytree(given, tmp_path, dirs_exist_ok=True)
    if (tmp_path / "before.sh").exists():
        run(["bash", "-e", "before.sh"], tmp_path, f"before {short(page)}")

    for block in blocks(page):
        play(block, page, tmp_path)


def play(block: Block, page: Path, folder: Path) -> None:
    if "given" in block.notes:
        provide(*block.notes["given"].split(" = "), folder)
    if "file" in block.notes:
        target = folder / block.notes["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.text, encoding="utf-8")
    elif block.kind == "python" and "not run" not in block.notes:
        run([sys.executable, "-c", block.text], folder, f"{short(page)}, line {block.line}")
    elif block.kind == "console" and is_played(block, page):
        play_console(block, page, folder)
    if block.kind == "yaml" and is_campaign(block.text):
        parse_campaign(block.text, folder / "campaign.yaml")


def is_played(block: Block, page: Path) -> bool:
    is_ours = "$ labwright" in block.text or "python -m pytest" in block.text
    return is_ours and "not run" not in block.notes and short(page) not in INSTRUMENTS


def provide(name: str, table: str, folder: Path) -> None:
    if not TABLES.is_dir():
        pytest.skip(f"no measured tables beside the project (../shared/tables/{table})")
    (folder / name).symlink_to(TABLES / table)


def play_console(block: Block, page: Path, folder: Path) -> None:
    found = [c for c in commands(block) if not c.text.startswith(INSTALLS)]
    for command in found:
        expected = int(block.notes.get("exit", 0)) if command is found[-1] else 0
        place = f"{short(page)}, line {command.line}"
        output = run(["bash", "-c", command.text], folder, place, expected=expected)
        assert looks_like(output, command), f"{place}: {command.text}\nshown:\n{command.shown}\nfound:\n{output}"


def run(words: list[str], folder: Path, place: str, *, expected: int = 0) -> str:
    """Run a command and return what it says: on its standard output, or where it fails as expected, of its error."""
    done = subprocess.run(
        words, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == expected, f"{place} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stderr if expected else done.stdout


def looks_like(output: str, command: Command) -> bool:
    """Whether the output begins as the page shows, its numbers and spaces aside; `...` stands for anything."""
    return not command.shown.strip() or doctest.OutputChecker().check_output(
        without_numbers(command.shown) + "\n...", without_numbers(output) + "\n(end)", ALIKE
    )


def without_numbers(text: str) -> str:
    return re.sub(r"-?\b\d+(\.\d+)?(e[-+]?\d+)?\b", "#", re.sub(r"\b[0-9a-f]{32,64}\b", "#", text))


def is_campaign(text: str) -> bool:
    found = yaml.safe_load(text)
    return isinstance(found, dict) and {"name", "space"} <= set(found)


@pytest.mark.parametrize("page", sorted(LINKED), ids=short)
def test_every_link_leads_to_a_file(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)|src=\"([^\"]+)\"", text)

    local = [target for pair in targets for target in pair if target and "://" not in target]

    assert [target for target in local if not (page.parent / target).exists()] == []


def test_every_page_can_be_reached_from_the_index():
    seen: set[Path] = set()
    todo = [ROOT / "README.md", ROOT / "docs" / "README.md"]
    while todo:
        page = todo.pop().resolve()
        if page in seen or not page.exists():
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)#\s]+\.md)", page.read_text(encoding="utf-8"))
        todo += [page.parent / link for link in links if "://" not in link]

    assert [short(p) for p in sorted(LINKED) if p.resolve() not in seen] == []


def test_the_reference_agrees_with_the_code():
    run([sys.executable, str(ROOT / "docs" / "reference" / "generate.py"), "--check"], ROOT, "docs/reference")
