"""What the planners of other libraries do not know, and therefore refuse before anything is proposed."""

from labwright.core.errors import InvalidInput
from labwright.core.problem import Aim, Problem


def refuse_unknown(problem: Problem, kind: str) -> None:
    """Raise InvalidInput where a problem asks for what only our own planners know.

    Objectives that a person weighed: these planners would trade them as a front. Sources: they would not hear them.
    """
    if problem.sources:
        names = ", ".join(source.name for source in problem.sources)
        raise InvalidInput(
            f"The planner {kind!r} heeds no sources, but this campaign has {names}. "
            "Take them out, or choose a planner that learns from them: gp."
        )
    if problem.aim is Aim.DESIRABILITY:
        raise InvalidInput(
            f"The planner {kind!r} knows no desirability, but the objectives of this campaign have one. "
            "Take it out, or choose a planner that pursues it: gp."
        )
