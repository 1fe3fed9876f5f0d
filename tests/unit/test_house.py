"""The rules of the house that no other tool checks: sizes, faces, and who may import what."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import labwright

SOURCE = Path(labwright.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
HANDWRITTEN = [*FILES, *(p for d in ("benchmarks", "examples") for p in sorted((SOURCE.parents[1] / d).rglob("*.py")))]
# The face of the migrations is alembic's: one function.
FACES = [p for p in FILES if p.name == "__init__.py" and p.parent.name != "migrations"]

# Where each package may be named; the core imports none of them by itself.
ADAPTERS = {
    "aioca": "resources/epics/",
    "alembic": "storage/",
    "asyncua": "resources/opcua/",
    "bluesky": "resources/bluesky/",
    "cryptography": ("access/", "resources/opcua/certificates", "safety/signature.py"),
    "epicscorelibs": "resources/epics/",
    "google": "resources/sila/",
    "grpc": "resources/sila/",
    "icalendar": "resources/calendars.py",
    "labwright.testing.contract": "cli/new_resource/test_",
    "matplotlib": "campaigns/report/",
    "openpyxl": "campaigns/spreadsheet/workbook.py",
    "mujoco": "resources/arm/",
    "ophyd_async": "resources/bluesky/",
    "p4p": "resources/epics/",
    "psycopg": "storage/",
    "pytest": ("testing/contract.py", "cli/new_resource/test_"),
    "pytest_asyncio": "testing/contract.py",
    "pylabrobot": "resources/pylabrobot/",
    "recurring_ical_events": "resources/calendars.py",
    "sila2": "resources/sila/",
    "sqlalchemy": "storage/",
    "sqlite3": "storage/",
    "zmq": "resources/queueserver/",
}
OPTIONAL = (
    "aioca",
    "asyncua",
    "bluesky",
    "epicscorelibs",
    "google.protobuf",
    "grpc",
    "matplotlib",
    "mujoco",
    "openpyxl",
    "ophyd_async",
    "p4p",
    "psycopg",
    "pybamm",
    "pylabrobot",
    "sila2",
    "zmq",
)
HEAVY = (*OPTIONAL, "alembic", "cryptography", "httpx", "numpy", "pint", "pydantic", "scipy", "sqlalchemy", "yaml")


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def short(path: Path) -> str:
    return path.relative_to(SOURCE.parents[1]).as_posix()


def loaded_by(statement: str, names: tuple[str, ...]) -> list[str]:
    """Return which of the packages a fresh interpreter has loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(*(n for n in {names!r} if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_no_file_is_longer_than_500_lines():
    lengths = {short(p): len(p.read_text(encoding="utf-8").splitlines()) for p in HANDWRITTEN}

    assert {p: n for p, n in lengths.items() if n > 500} == {}


def test_no_function_is_longer_than_40_lines():
    lengths = {
        f"{short(p)}:{f.name}": f.end_lineno - f.lineno + 1 for p in HANDWRITTEN for f in functions(p) if f.end_lineno
    }

    assert {name: n for name, n in lengths.items() if n > 40} == {}


def test_every_module_says_what_it_is():
    assert [short(p) for p in FILES if not ast.get_docstring(tree(p))] == []


@pytest.mark.parametrize("path", FACES, ids=short)
def test_a_face_holds_a_docstring_and_its_exports_and_nothing_else(path):
    _, *rest = tree(path).body

    exports = {names_of(n): n for n in rest if not isinstance(n, ast.ImportFrom)}
    listed = exports.pop("__all__", None)
    exported = [alias.asname or alias.name for n in rest if isinstance(n, ast.ImportFrom) for alias in n.names]
    exported += [name for name in exports if name == "__version__"]
    assert [name for name in exports if name != "__version__"] == []
    assert sorted(ast.literal_eval(listed.value) if isinstance(listed, ast.Assign) else []) == sorted(exported)


def names_of(statement: ast.stmt) -> str:
    return ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else ast.unparse(statement)


@pytest.mark.parametrize("package", ADAPTERS)
def test_a_package_is_named_in_its_adapter_only(package):
    pattern = re.compile(rf"^\s*(import|from) {package}\b|import_module\(f?[\"']{package}\b", re.MULTILINE)

    named = [p.relative_to(SOURCE).as_posix() for p in FILES if pattern.search(p.read_text(encoding="utf-8"))]

    assert [name for name in named if not name.startswith(ADAPTERS[package])] == []


def test_the_command_line_starts_without_heavy_imports():
    assert loaded_by("import labwright.cli.main", HEAVY) == []


def test_no_module_loads_an_optional_package_by_itself():
    modules = [
        ".".join(p.relative_to(SOURCE.parent).with_suffix("").parts)
        for p in FILES
        if not {"migrations", "new_resource"} & set(p.parts) and p.name not in ("__init__.py", "__main__.py")
    ]

    assert loaded_by(f"import {', '.join(modules)}", OPTIONAL) == []
