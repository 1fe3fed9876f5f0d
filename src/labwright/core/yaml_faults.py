"""What the errors of the YAML reader mean, in plain words: the line to look at, and what to write instead."""

import yaml


def explain(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """Return the line (from 1) that must be mended, and what is wrong with it."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return 1, f"{error.problem or error.context}."
    problem, context = error.problem or "", error.context or ""
    opened = mark.line + 1 if error.context_mark is None else error.context_mark.line + 1
    if "cannot start any token" in problem:
        return mark.line + 1, _unexpected(text[mark.index : mark.index + 1])
    if "could not find expected ':'" in problem:
        return opened, "a key, a colon and a value were expected; a space must follow the colon."
    if "quoted scalar" in context and "end of stream" in problem:
        return opened, "a quote is opened on this line and never closed."
    if "mapping values are not allowed" in problem:
        return mark.line + 1, _second_colon(text.splitlines(), mark.line, mark.column)
    if "expected <block end>" in problem:
        return mark.line + 1, _INDENTED
    if context.startswith("while parsing a flow"):
        bracket = "{" if "mapping" in context else "["
        return mark.line + 1, f"the {bracket} of line {opened} is not closed here, or a comma is missing."
    return mark.line + 1, f"{problem or context}."


_INDENTED = "this line is indented differently from the lines around it."
_QUOTES = "a second ': ' stands in this line; put the text in quotes."


def _unexpected(character: str) -> str:
    if character == "\t":
        return "a tab stands here; use spaces."
    return f"no value begins with {character!r}; write it in quotes."


def _second_colon(lines: list[str], line: int, column: int) -> str:
    """Tell a line that is indented too far from a text with a colon in it."""
    begins_here = ":" not in lines[line][:column]
    return _INDENTED if begins_here else _QUOTES
