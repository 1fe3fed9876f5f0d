"""The file of a campaign: found again where it may have been renamed, and copied under another name."""

from pathlib import Path

import yaml

SUFFIXES = (".yaml", ".yml")


def renamed(text: str, name: str) -> str:
    """Return the text of a campaign file with another name in it; everything else stays as it is, comments too."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.MappingNode)
    value = next(value for key, value in node.value if key.value == "name")
    start, end = value.start_mark.index, value.end_mark.index
    plain = yaml.safe_load(name) == name  # 123 and true are names only in quotes
    return f"{text[:start]}{name if plain else repr(name)}{text[end:]}"


def find_file(folder: Path, text: str) -> Path | None:
    """Return the campaign file of that text in a folder; None where there is none."""
    for path in sorted(p for p in folder.glob("*") if p.suffix in SUFFIXES):
        try:
            if path.read_text(encoding="utf-8-sig") == text:
                return path
        except (OSError, UnicodeDecodeError):
            continue
    return None
