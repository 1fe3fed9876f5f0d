"""What the planners of other libraries do not know, and therefore refuse before anything is proposed."""

from labwright.core.errors import InvalidInput
from labwright.core.problem import Aim, Problem


def refuse_unknown(problem: Problem, kind: str) -> None:
    """Raise InvalidInput where a problem asks for what only our own planners know.

    Objectives that a person weighed: these planners would trade them as a front. What must hold between parameters:
    they would propose what breaks it; of a pool they only choose, so there it is kept.
    """
    if problem.aim is Aim.DESIRABILITY:
        raise InvalidInput(
            f"The planner {kind!r} knows no desirability, but the objectives of this campaign have one. "
            "Take it out, or choose a planner that pursues it: gp."
        )
    if problem.space.restrictions and problem.space.pool is None:
        kept = "; ".join(map(str, problem.space.restrictions))
        raise InvalidInput(
            f"The planner {kind!r} cannot keep what must hold between the parameters here: {kept}. "
            "Choose a planner that does: gp or sampling; or offer a table of candidates."
        )
