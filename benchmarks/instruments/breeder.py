"""Makes every mutant of some files that the operators of cosmic-ray know: one JSON line each."""

import ast
import json
import sys
from collections.abc import Iterator
from difflib import ndiff
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

Span = tuple[tuple[int, int], tuple[int, int]]


def annotations(source: str) -> list[Span]:
    """Return where types stand: what changes there changes nothing that runs."""
    found: list[ast.expr] = []
    for node in ast.walk(ast.parse(source)):
        parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        found += [part for part in parts if isinstance(part, ast.expr)]
        if isinstance(node, ast.AnnAssign) and "TypeAlias" in ast.unparse(node.annotation) and node.value:
            found.append(node.value)
    return [((n.lineno, n.col_offset), (n.end_lineno or 0, n.end_col_offset or 0)) for n in found]


def mutants(source: str) -> Iterator[dict[str, str | int]]:
    """Yield each mutant once, with what it changes; what is no Python any more is none."""
    types, seen = annotations(source), {source}
    for name in operator_names():
        if get_operator(name).arguments():
            continue  # operators that need to be told names of variables
        operator = get_operator(name)()
        places = [p for node in ast_nodes(get_ast(source)) for p in operator.mutation_positions(node)]
        for occurrence, (start, _) in enumerate(places):
            if any(begin <= start < end for begin, end in types):
                continue
            code = mutate_code(source, get_operator(name)(), occurrence)
            if code is None or code in seen or not compiles(code):
                continue
            seen.add(code)
            yield {"operator": name.partition("/")[2], "line": start[0], "code": code} | change(source, code)


def compiles(code: str) -> bool:
    try:
        compile(code, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def change(before: str, after: str) -> dict[str, str]:
    lines = list(ndiff(before.splitlines(), after.splitlines()))
    return {
        name: " ".join(line[2:].strip() for line in lines if line.startswith(sign))
        for name, sign in (("before", "- "), ("after", "+ "))
    }


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        for mutant in mutants(path.read_text()):
            print(json.dumps({"file": path.name, **mutant}))
