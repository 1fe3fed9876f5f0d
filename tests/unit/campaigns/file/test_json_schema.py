"""The JSON Schema of the campaign file: it accepts every campaign that is shown anywhere, and marks mistakes."""

import copy
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[4]
SCHEMA = json.loads((ROOT / "docs" / "reference" / "campaign.schema.json").read_text(encoding="utf-8"))
VALID = jsonschema.Draft202012Validator(SCHEMA)
FILES = [*(ROOT / "src").rglob("template/*.yaml"), *(ROOT / "examples").rglob("campaign.yaml")]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def shown() -> list[tuple[str, object]]:
    """Return every campaign of the project with where it stands."""
    found = [(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in FILES]
    for page in PAGES:
        blocks = re.findall(r"^```yaml\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        found += [(f"{page.relative_to(ROOT).as_posix()}, block {i}", block) for i, block in enumerate(blocks)]
    campaigns = [(place, yaml.safe_load(text)) for place, text in found]
    return [(place, data) for place, data in campaigns if isinstance(data, dict) and {"name", "space"} <= set(data)]


SHOWN = shown()


def test_it_is_a_schema_of_the_draft_that_it_names():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    assert SCHEMA["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$schema"]
    assert len(SHOWN) > 3


@pytest.mark.parametrize(("place", "campaign"), SHOWN, ids=[place for place, _ in SHOWN])
def test_every_campaign_that_is_shown_is_valid(place, campaign):
    assert [f"{e.json_path}: {e.message}" for e in VALID.iter_errors(campaign)] == []


CAMPAIGN = {
    "name": "study",
    "space": {"x": {"kind": "continuous", "low": "25 degC", "high": 90}},
    "objectives": {"y": {"goal": "maximize"}},
    "procedure": [
        {
            "name": "heat",
            "use": "oven.heat",
            "with": {"x": "$x"},
            "gives": {"y": "$y"},
            "after": [],
            "when": "$x > 30 degC",
            "retries": 2,
            "timeout": "30 min",
            "batch": 8,
            "wait": "10 min",
        },
        {"use": "oven.clean", "after": "heat", "when": ["$y > 1", "$x != 2"], "always": True},
    ],
    "resources": {
        "oven": {"kind": "function", "call": "oven.py:heat", "outputs": {"y": None}, "capacity": 2},
        "other": {"kind": "somebody_elses", "anything": [1]},
    },
    "budget": {"trials": 10, "parallel": 8},
    "planner": {"seed": 3, "initial": 5},
    "priority": 2,
}


def test_everything_that_a_file_may_say_is_accepted():
    assert list(VALID.iter_errors(CAMPAIGN)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("nmae",), "x"),
        (("space", "x", "low"), "warm"),
        (("space", "x", "kind"), "continous"),
        (("space", "my x"), {"kind": "ordinal", "levels": ["a"]}),
        (("procedure", 0, "use"), "oven"),
        (("procedure", 0, "gives", "y"), "y"),
        (("procedure", 0, "when"), "x > 3"),
        (("procedure", 0, "batch"), 1),
        (("procedure", 1, "wait"), "1 h"),
        (("procedure", 1, "alwys"), True),
        (("resources", "oven", "cal"), "x"),
        (("resources", "oven", "capacity"), 0),
        (("planner", "inital"), 5),
        (("budget", "parallel"), 0),
    ],
)
def test_a_mistake_is_marked(path, value):
    data = copy.deepcopy(CAMPAIGN)
    part = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value

    assert list(VALID.iter_errors(data)) != []


def test_every_key_of_the_file_is_explained():
    parts = [SCHEMA, *(part for name, part in SCHEMA["$defs"].items() if name.endswith("Part") and "_" not in name)]

    silent = [
        f"{part['title']}.{key}"
        for part in parts
        for key, said in part["properties"].items()
        if not {"description", "$ref"} & set(said)
    ]

    assert silent == []
