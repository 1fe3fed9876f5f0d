"""What servers say of their values, in Labwright's words; and what is noted of each command."""

import math

import pytest
from pydantic import ValidationError

from labwright.core.command import Command, Failure
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.resources.madsci.info import read_actions
from labwright.resources.madsci.options import NodeActionPart, NodeOptions
from labwright.resources.queueserver.plans import called_with, read_plans
from labwright.resources.served.docket import PLACE, Docket, Note
from labwright.resources.served.kind import Kind, Unfit, of_schema
from labwright.resources.served.skill import Action, Parameter, Skill, read_skills

BELOW_1 = math.nextafter(1, 0)
ROOT = {"$defs": {"Speed": {"enum": ["slow", "fast"]}, "Loop": {"$ref": "#/$defs/Loop"}}}


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "number"}, Kind(name="number")),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, Kind(name="number", low=0, high=BELOW_1)),
        ({"type": "integer", "exclusiveMinimum": 0, "maximum": 9.5}, Kind(name="integer", low=1, high=9.5)),
        ({"type": "boolean"}, Kind(name="boolean", levels=(0, 1))),
        ({"type": "string", "maxLength": 3, "pattern": "^a"}, Kind(name="string", longest=3, pattern="^a")),
        ({"$ref": "#/$defs/Speed"}, Kind(name="string", levels=("slow", "fast"))),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, Kind(name="integer")),
        ({"const": 5}, Kind(name="integer", levels=(5,))),
        ({"enum": [1, 2.5]}, Kind(name="number", levels=(1, 2.5))),
        ({"enum": ["a", 1]}, None),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, None),
        ({"type": "array", "items": {"type": "number"}}, None),
        ({"$ref": "#/$defs/Loop"}, None),
        ({"$ref": "#/$defs/Nothing"}, None),
        ("nonsense", None),
    ],
)
def test_a_schema_is_read_as_what_may_be_sent(schema, kind):
    assert of_schema(schema, ROOT) == kind


@pytest.mark.parametrize(
    ("kind", "value", "sent"),
    [
        (Kind(name="number"), 3, 3),
        (Kind(name="integer"), 3.0, 3),
        (Kind(name="boolean", levels=(0, 1)), 1, True),
        (Kind(name="any"), "x", "x"),
        (Kind(name="any"), 2.5, 2.5),
    ],
)
def test_a_value_is_sent_as_the_server_takes_it(kind, value, sent):
    found = kind.checked("x", value)

    assert (found, type(found)) == (sent, type(sent))


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (Kind(name="number"), math.nan, "which cannot be sent"),
        (Kind(name="number"), True, "expected a number"),
        (Kind(name="any"), None, "expected a number or a word"),
        (Kind(name="integer"), 1e300, "expected a whole number"),
        (Kind(name="number", high=1), 2, "x = 2 is not within any to 1"),
        (Kind(name="string", levels=("a",)), "b", "x = 'b' is none of 'a'"),
        (Kind(name="string", pattern="^a$"), "b", "is not of the form ^a$"),
        (Kind(name="string", shortest=2), "b", "2 to 1048576 are allowed"),
        (Kind(name="string"), "\ud800", "half a character"),
    ],
)
def test_what_is_no_such_value_is_not_sent(kind, value, words):
    with pytest.raises(Unfit, match=words.replace("^a$", r"\^a\$")):
        kind.checked("x", value)


def test_a_pattern_that_python_cannot_read_is_left_to_the_server():
    assert Kind(name="string", pattern=r"\p{L}").checked("x", "a") == "a"


def skill(results=("y",), **part):
    action = Action(name="act", parameters=(), results=results)
    return Skill.read("oven", "act", NodeActionPart(action="act", **part), action)


@pytest.mark.parametrize(
    ("result", "values"),
    [
        ({"y": 1, "z": 2}, {"y": 1}),
        (5, {"y": 5}),
        ({"y": True}, {"y": 1}),
        ({"y": "word"}, {"y": "word"}),
        ({"a.b": 1, "y": 2}, {"y": 2}),
    ],
)
def test_a_result_is_observed_by_the_names_of_its_outputs(result, values):
    assert {n: m.value for n, m in skill().observation(result).values.items()} == values


@pytest.mark.parametrize("result", [{}, {"y": None}, {"y": math.nan}, {"y": 10**400}, {"y": [1]}, [1], None])
def test_a_result_that_lacks_an_output_or_has_no_value_for_it_is_a_failure(result):
    assert isinstance(skill().observation(result), Failure)


def test_an_output_may_lie_deep_in_the_result():
    deep = skill(results=(), outputs={"peak": "a.b.c", "whole": "a.b"})

    assert isinstance(deep.observation({"a": {"b": {"c": 1}}}), Failure)  # an object is no plain value
    assert skill(results=(), outputs={"peak": "a.b.c"}).observation({"a": {"b": {"c": 1}}}).values["peak"].value == 1
    assert skill(results=(), outputs={"peak": "a.b"}).observation({"a.b": 2}).values["peak"].value == 2


def test_where_nothing_can_be_used_the_reasons_are_told():
    action = Action(name="act", parameters=(Parameter(name="x", kind=None, required=True, words="a list"),))

    with pytest.raises(InvalidInput, match=r"oven: the server has nothing that can be used. oven.act.x: .* is a list"):
        read_skills("oven", None, {"act": action}, lambda name: NodeActionPart(action=name))


def test_an_optional_input_need_not_be_given_and_what_the_file_fixes_is_sent():
    x, y = (Parameter(name=n, kind=Kind(name="number"), required=n == "x") for n in "xy")
    part = NodeActionPart(action="act", fixed={"z": [1]})
    z = Parameter(name="z", kind=None, required=True)
    act = Skill.read("oven", "act", part, Action(name="act", parameters=(x, y, z)))

    sent = act.arguments(Command(command_id="c", epoch=1, capability="act", inputs={"x": 1}))

    assert sent == {"x": 1, "z": [1]}
    with pytest.raises(Unfit, match="act was given y; it takes x, y"):
        act.arguments(Command(command_id="c", epoch=1, capability="act", inputs={"y": 1}))


def test_a_node_that_lists_its_arguments_in_any_form_is_understood():
    said = {
        "args": [{"name": "x", "argument_type": "Optional[float]", "required": True}, {"nameless": 1}],
        "results": [{"result_label": "id", "result_type": "datapoint"}, {"result_label": "f", "result_type": "file"}],
    }

    act = read_actions({"actions": {"act": said, "odd": 3}}, {})

    assert act == {
        "act": Action(
            name="act",
            parameters=(Parameter(name="x", kind=Kind(name="number"), required=True, words="Optional[float]"),),
            results=("id",),
        )
    }


# What is noted


def test_the_newest_note_of_a_command_holds_whoever_wrote_it(tmp_path):
    one, other = Docket(tmp_path, "http://here:1"), Docket(tmp_path, "http://here:1")

    one.note("c", Note(item=None, epoch=1))
    assert other.look("c") == Note(item=None, epoch=1)
    other.note("c", Note(item="i", epoch=2))

    assert one.look("c") == other.look("c") == Docket(tmp_path, "http://here:1").look("c") == Note(item="i", epoch=2)
    assert one.look("d") is None
    assert Docket(tmp_path, "http://there:1").look("c") is None


def test_a_note_that_a_power_failure_has_torn_is_none(tmp_path):
    Docket(tmp_path, "s").note("c", Note(item="i", epoch=1))
    [file] = (tmp_path / PLACE).iterdir()
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        torn = Docket(tmp_path, "s")
        assert torn.look("c") is None
        torn.note("d", Note(item="j", epoch=1))
        assert Docket(tmp_path, "s").look("d") == Note(item="j", epoch=1)


def test_what_cannot_be_noted_must_not_begin(tmp_path):
    (tmp_path / ".labwright").write_text("in the way")

    with pytest.raises(ResourceUnavailable, match="without it the command is not begun"):
        Docket(tmp_path, "s").note("c", Note(item="i", epoch=1))


# Options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "ftp://host"}, "url"),
        ({"url": "http://user@host"}, "url"),
        ({"url": "http://host", "token_file": "t"}, "a token needs https://"),
        ({"url": "https://host", "token_file": "t", "token_env": "T"}, "not both"),
        ({"url": "http://host", "capabilities": {}}, "capabilities"),
        (
            {"url": "http://host", "capabilities": {"a": {"action": "a", "inputs": {"x": {"low": True}}}}},
            "true or false",
        ),
    ],
)
def test_options_that_cannot_be_are_refused(options, words):
    with pytest.raises(ValidationError, match=words):
        NodeOptions.model_validate(options)


# Plans


def of(**said):
    return {"name": "x", "kind": {"name": "POSITIONAL_OR_KEYWORD"}} | said


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (of(annotation={"type": "float"}, min="0", max="1e2"), Kind(name="number", low=0, high=100)),
        (of(annotation={"type": "typing.Optional[int]"}), Kind(name="integer")),
        (of(annotation={"type": "typing.Union[float, NoneType]"}, min="low"), Kind(name="number")),
        (of(annotation={"type": "float | None"}), Kind(name="number")),
        (of(annotation={"type": "bool"}), Kind(name="boolean", levels=(0, 1))),
        (of(annotation={"type": "__READABLE__"}), Kind(name="string")),
        (of(annotation={"type": "M", "devices": {"M": ["m1", "m2"]}}), Kind(name="string", levels=("m1", "m2"))),
        (of(annotation={"type": "N", "enums": {"N": [1, 2]}}), Kind(name="any", levels=(1, 2))),
        (of(annotation={"type": "typing.List[float]"}), None),
        (of(), Kind(name="any")),
        (of(kind={"name": "VAR_POSITIONAL"}), None),
    ],
)
def test_a_parameter_of_a_plan_is_read_as_what_may_be_sent(said, kind):
    [parameter] = read_plans({"p": {"parameters": [said]}})["p"].parameters

    assert parameter.kind == kind


def test_further_keywords_of_a_plan_are_nothing_that_can_be_given():
    assert read_plans({"p": {"parameters": [of(kind={"name": "VAR_KEYWORD"})]}, "odd": 1})["p"].parameters == ()


def test_what_comes_before_a_list_of_further_arguments_is_given_by_its_place():
    more, last = (
        {"name": "more", "kind": {"name": "VAR_POSITIONAL"}},
        {"name": "last", "kind": {"name": "KEYWORD_ONLY"}},
    )
    plan = {"parameters": [of(), more, last]}

    assert called_with(plan, {"x": 1, "last": 2}) == ([], {"x": 1, "last": 2})
    assert called_with(plan, {"x": 1, "last": 2, "more": [3, 4]}) == ([1, 3, 4], {"last": 2})
    with pytest.raises(Unfit, match="x has to be given, for more comes after it"):
        called_with(plan, {"more": [3, 4]})
