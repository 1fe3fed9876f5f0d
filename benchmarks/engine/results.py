"""What was measured, kept as it comes, so that a run that was cut off goes on where it was."""

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks" / "results"
ENGINE = ("core", "storage", "sites", "campaigns/*.py")
MEASURED = (*(f"src/labwright/{room}" for room in ENGINE), "benchmarks/engine", "benchmarks/engine.py")


class NoResult(Exception):
    """There is no run to show, or none may be begun, and why."""


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def commit() -> str:
    """Return the commit that is measured; changes that are in none raise NoResult."""
    if changed := _git("status", "--porcelain", "--", *MEASURED):
        raise NoResult(f"What is measured has changes that are in no commit; commit them first:\n{changed}")
    return _git("rev-parse", "--short=12", "HEAD")


class Results:
    """One run's file: what each part gave in each round."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"parts": {}}

    @classmethod
    def of(cls, commit: str) -> "Results":
        """Return the run of a commit: as far as it came, or a new one."""
        results = cls(FOLDER / f"engine-{commit}.json")
        results.found["commit"] = commit
        return results

    @classmethod
    def newest(cls) -> "Results":
        """Return the newest complete run; one that is older than what it measured raises NoResult."""
        runs = [r for r in map(cls, FOLDER.glob("engine-*.json")) if r.found.get("ended_at")]
        if not runs:
            raise NoResult("No complete run is on record. Make one: python benchmarks/engine.py --run")
        newest = max(runs, key=lambda r: str(r.found["ended_at"]))
        changed, measured = _git("log", "-1", "--format=%H", "--", *MEASURED), newest.found["commit"]
        older = subprocess.run(["git", "merge-base", "--is-ancestor", changed, measured], cwd=ROOT, check=False)
        if older.returncode:
            raise NoResult(
                f"The newest complete run is of {measured}, older than the last change of what it measures "
                f"({changed[:12]}). Measure again: python benchmarks/engine.py --run"
            )
        return newest

    def rounds(self, part: str) -> list[dict[str, Any]]:
        """Return what a part gave, round by round."""
        found: list[dict[str, Any]] = self.found["parts"].setdefault(part, [])
        return found

    def add(self, part: str, told: dict[str, Any]) -> None:
        """Keep what a part gave in one more round."""
        self.rounds(part).append(told)
        self.save()

    def save(self) -> None:
        """Write the file, whole or not at all."""
        self.path.parent.mkdir(exist_ok=True)
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.found, indent=1) + "\n")
        new.replace(self.path)
