"""What a resource remembers, and what it does not take for certain."""

import json

import pytest

from labwright.core.command import Failure, Measurement, Observation
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.resources.memory import Action, Deed, Memory, Statement

RESULT = Observation(values={"volume": Measurement(value=5.0, unit="uL"), "where": Measurement(value="B1")})
DEED = Deed(digest="d", result=RESULT)


def memory(folder, **declared):
    return Memory(folder / "state.jsonl", declared=declared)


def action(number, of=2, **then):
    return Action(command_id="c", what=f"move {number}", number=number, of=of, then=then)


@pytest.fixture
def held(tmp_path):
    found = memory(tmp_path, a=1.0)
    found.hold()
    yield found
    found.release()


def again(held):
    held.release()
    found = Memory(held.path, declared={})
    found.read()
    return found


def test_what_is_pending_is_not_believed_before_it_is_confirmed(held):
    held.intend(action(1, of=1, a=2.0), DEED)
    before = held.believed["a"]
    held.confirm()

    assert (before, held.believed["a"]) == (1.0, 2.0)
    assert again(held).deed("c").outcome == RESULT
    assert again(held).believed == {"a": 2.0}


def test_a_command_that_ended_between_two_actions_is_in_doubt_in_the_next_process(held):
    held.intend(action(1), DEED)
    held.confirm()

    found = again(held)

    assert found.doubt == "the process ended in the middle of command c, after move 1 (action 1 of 2 of command c)"
    assert found.deed("c").outcome is None


def test_a_command_that_was_said_to_have_failed_is_in_no_doubt(held):
    held.intend(action(1), DEED)
    held.confirm()
    held.end("c", Failure(reason="it was stopped"))

    assert held.doubt is None
    assert again(held).doubt is None
    assert again(held).deed("c").outcome == Failure(reason="it was stopped")


@pytest.mark.parametrize("happened", [True, False])
def test_a_failure_that_was_told_stays_what_it_was_whatever_a_person_says_later(held, happened):
    held.intend(action(1, of=1, a=2.0), DEED)
    held.end("c", Failure(reason="it broke"))
    held.settle(Statement(by="ada", why="I looked", happened=happened))

    assert again(held).deed("c").outcome == Failure(reason="it broke")
    assert again(held).believed == {"a": 2.0 if happened else 1.0}


def test_nothing_is_settled_that_is_not_pending(held):
    with pytest.raises(InvalidInput, match="Nothing is pending"):
        held.settle(Statement(by="ada", why="I looked", happened=True))


def test_who_said_what_and_why_is_kept(held):
    held.settle(Statement(by="ada", why="I filled it up", believed={"a": 9.0}))

    line = json.loads(held.path.read_text().splitlines()[-1])
    assert (line["by"], line["why"], line["believed"]) == ("ada", "I filled it up", {"a": 9.0})
    assert again(held).believed == {"a": 9.0}


def test_a_line_of_another_kind_is_refused(held):
    held.release()
    held.path.write_text(held.path.read_text() + '{"kind":"dreamt"}\n')

    with pytest.raises(ResourceUnavailable, match="line 2, is not as Labwright wrote it"):
        again(held)
