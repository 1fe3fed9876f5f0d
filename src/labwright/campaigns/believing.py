"""A belief as a person writes it: `60 degC within 5 K`, or of words `ethanol 0.7, water 0.2`."""

import re
from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError

from labwright import plugins
from labwright.campaigns.assignments import raise_all
from labwright.campaigns.file.choosing import belief_of
from labwright.campaigns.file.schema import BeliefPart
from labwright.core.belief import Belief, GivenBelief
from labwright.core.campaign import Campaign
from labwright.core.errors import InvalidInput
from labwright.core.problem import Problem
from labwright.core.space import Space
from labwright.core.trial import Proposal

HEARD = "heard"  # among the grounds of a proposal
_NUMBER = re.compile(r"(?:near\s+)?(?P<near>.+?)\s*(?:\bwithin\b|±|\+/-|\+-)\s*(?P<within>.+)")
_WORD = re.compile(r"(?P<word>.+?)\s*[\s:=]\s*(?P<chance>[0-9.]+)\s*(?P<percent>%?)")


def read_beliefs(campaign: Campaign, texts: Sequence[str], weight: float = 1.0) -> list[Belief]:
    """Return what texts such as `temperature=60 degC within 5 K` say; all problems together raise InvalidInput.

    A campaign whose planner takes no account of beliefs takes none.
    """
    kind = campaign.planner.kind
    if not getattr(plugins.load("labwright.planners", kind), "learns", False):
        raise InvalidInput(f"{campaign.name}: the planner {kind!r} takes no account of beliefs; nothing was recorded.")
    found: dict[str, Belief] = {}
    wrong = [] if texts else ["say at least one, such as --set temperature='60 degC within 5 K'."]
    for text in texts:
        name, mark, said = (part.strip() for part in text.partition("="))
        try:
            if not mark or not said:
                raise InvalidInput(f"found {text!r}, expected PARAMETER=BELIEF, as `temperature=60 degC within 5 K`.")
            if name in found:
                raise InvalidInput(f"{name} is set twice.")
            found[name] = read_belief(campaign.problem.space, name, said, weight=weight)
        except InvalidInput as error:
            wrong.append(str(error))
    raise_all(f"The belief for {campaign.name}", wrong, "nothing was recorded")
    return list(found.values())


def read_belief(space: Space, parameter: str, text: str, *, weight: float = 1.0) -> Belief:
    """Return what a text says of where the best value of a parameter lies; anything else raises InvalidInput."""
    if parameter not in space.names:
        raise InvalidInput(f"no parameter is named {parameter!r}; parameters: {', '.join(space.names)}.")
    said = _chances(parameter, text) if hasattr(space[parameter], "levels") else _range(parameter, text)
    try:
        return belief_of(BeliefPart.model_validate({"parameter": parameter, "weight": weight, **said}), space)
    except ValidationError as error:
        raise InvalidInput(f"{parameter}: {text!r} cannot be read: {error.errors()[0]['msg']}.") from error
    except InvalidInput as error:
        raise InvalidInput(f"{parameter}: {error}") from error


def _range(parameter: str, text: str) -> dict[str, object]:
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(
            f"{parameter}: found {text!r}, expected a value and how far from it, as `60 degC within 5 K`."
        )
    return {"near": found["near"], "within": found["within"]}


def _chances(parameter: str, text: str) -> dict[str, object]:
    likely: dict[str, float] = {}
    for part in text.split(","):
        found = _WORD.fullmatch(part.strip())
        try:
            chance = float(found["chance"]) if found else None
        except ValueError:
            chance = None
        if found is None or chance is None or found["word"] in likely:
            raise InvalidInput(
                f"{parameter}: found {part.strip()!r} in {text!r}, expected a word and how likely it is the best, once "
                "for each word, as `ethanol 0.7, water 0.2`."
            )
        likely[found["word"]] = chance / 100 if found["percent"] else chance
    return {"likely": likely}


def told(problem: Problem, given: Sequence[GivenBelief]) -> Problem:
    """Return the problem with what people said of it since it was written, the oldest first."""
    return replace(problem, beliefs=(*problem.beliefs, *(one.belief for one in given))) if given else problem


def having_heard(proposal: Proposal, given: Sequence[GivenBelief]) -> Proposal:
    """Return a proposal with the numbers of the beliefs that it was chosen by, so that the choice can be repeated."""
    heard = {str(one.id): one.belief.weight for one in given}
    return replace(proposal, grounds={**proposal.grounds, HEARD: heard}) if heard else proposal


def heard_by(proposal: Proposal) -> list[int]:
    """Return the numbers of the beliefs that a proposal was chosen by, besides those of the campaign's file."""
    return [int(number) for number in proposal.grounds.get(HEARD, ())]
