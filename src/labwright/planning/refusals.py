"""What the planners of other libraries do not know, and therefore refuse before anything is proposed."""

from labwright.core.errors import InvalidInput
from labwright.core.problem import Aim, Problem
from labwright.core.space import Categorical


def refuse_unknown(problem: Problem, kind: str) -> None:
    """Raise InvalidInput where a problem asks for what only our own planners know.

    Objectives that a person weighed: these planners would trade them as a front. Descriptors: they would not look at
    them. What must hold between parameters: they would propose what breaks it; of a pool they only choose, and there it
    is kept. Sources: they would not hear them.
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
    space = problem.space
    if described := [p.name for p in space.parameters if isinstance(p, Categorical) and p.descriptors]:
        raise InvalidInput(
            f"The planner {kind!r} knows no descriptors, but {', '.join(described)} has some. "
            "Take them out, or choose a planner that learns from them: gp."
        )
    if space.restrictions and space.pool is None:
        kept = "; ".join(map(str, space.restrictions))
        raise InvalidInput(
            f"The planner {kind!r} cannot keep what must hold between the parameters here: {kept}. "
            "Choose a planner that does: gp or sampling; or offer a table of candidates."
        )
