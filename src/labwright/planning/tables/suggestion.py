"""The next experiments for a table that a Python program holds: no campaign, no database."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, TypeVar

from labwright.core.belief import Belief
from labwright.core.errors import InvalidInput
from labwright.core.problem import Objective, OutcomeConstraint, Problem
from labwright.core.space import Space
from labwright.planning.tables import wishes
from labwright.planning.tables.frame import Frame, read_frame, same_kind
from labwright.planning.tables.pool import space_of, within
from labwright.planning.tables.rows import next_rows
from labwright.planning.tables.table import Table
from labwright.planning.tables.warning import warn
from labwright.planning.tables.wishes import Bound, Choice, Wish

F = TypeVar("F")
One = str | Objective | OutcomeConstraint  # and not several


def suggest(
    trials: F,
    objective: Wish | Sequence[Wish] | None = None,
    space: Mapping[str, Choice] | Space | None = None,
    *,
    constraints: Bound | Sequence[Bound] = (),
    beliefs: Sequence[Belief] = (),
    problem: Problem | None = None,
    pool: object = None,
    count: int = 1,
    seed: int = 0,
) -> F:
    """Return the next experiments as rows of the same kind of table as `trials`, ready to be filled in and added to it.

    `trials`: a pandas or polars DataFrame, a list of dicts, or a dict of columns; without rows it gets a first design.
    A row without a result is still to come and is not suggested again; one with the word `failed` gave none.
    `objective`: `maximize yield`, `minimize cost`, `match pH = 7`, or several. `space`: for each column a range
    `(20, 80)` or `(20, 80, "degC")`, or a list of levels. `constraints`: `purity >= 95`. `pool`: the only possible
    rows, a table of any kind. `problem` says all of this with core values instead.

    Besides its settings a row has the results, empty, and for each what is expected, `yield mean` and `yield sd`, and
    the `reason`. There are fewer rows than `count`, with a warning, when the pool runs out. The same table and seed
    give the same rows. What does not fit is an InvalidInput.
    """
    # Imported here because it needs numpy and scipy, and `labwright.planning` is imported without need of them.
    from labwright.planning.gp import GaussianProcessPlanner

    _check_whole(count=(count, 1), seed=(seed, 0))
    frame = read_frame(trials, "the table")
    candidates = None if pool is None else read_frame(pool, "the pool")
    if problem is None:
        problem = _problem(frame, candidates, objective, space, constraints, beliefs)
    else:
        problem = _given(problem, candidates, objective is not None or space is not None or constraints or beliefs)
    table = Table.of(frame, problem, candidates)
    found = next_rows(problem, table.trials(), GaussianProcessPlanner(), int(count), seed=int(seed))
    _warn_of_shortage(len(found), count)
    return same_kind(trials, table.answer(found))


def _several(name: str, found: object, kind: Any) -> list[Any]:
    """Return one thing of a kind, or several, as a list."""
    if isinstance(found, kind):
        return [found]
    if not isinstance(found, Sequence) or isinstance(found, str | bytes):
        raise InvalidInput(f"{name}: found {found!r}, expected one or a list; see help(labwright.planning.suggest).")
    return list(found)


def _check_kind(name: str, found: Sequence[object], kind: type) -> None:
    if strange := [one for one in found if not isinstance(one, kind)]:
        raise InvalidInput(f"{name}: found {strange[0]!r}, expected a labwright {kind.__name__}.")


def _warn_of_shortage(found: int, count: int) -> None:
    if found < count:
        rows = "1 row" if found == 1 else f"{found} rows"
        warn(f"Only {rows} instead of {count}: of what may be chosen nothing else is left to try.")


def _check_whole(**found: tuple[object, int]) -> None:
    for name, (value, least) in found.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
            raise InvalidInput(f"{name}: found {value!r}, expected a whole number, at least {least}.")


def _given(problem: Problem, candidates: Frame | None, also: object) -> Problem:
    _check_kind("problem", [problem], Problem)
    if also:
        raise InvalidInput("Give `problem`, or objective, space, constraints and beliefs; not both.")
    return problem if candidates is None else replace(problem, space=within(problem.space, candidates))


def _problem(
    frame: Frame,
    candidates: Frame | None,
    objective: Wish | Sequence[Wish] | None,
    space: Mapping[str, Choice] | Space | None,
    constraints: Bound | Sequence[Bound],
    beliefs: Sequence[Belief],
) -> Problem:
    if not objective:
        raise InvalidInput("Say what is wanted, such as objective='maximize yield', or give `problem`.")
    if isinstance(objective, Problem):
        raise InvalidInput("objective: found a Problem. Give it by its name: suggest(table, problem=...).")
    wanted = [wishes.read_objective(o, frame) for o in _several("objective", objective, One)]
    bounds = wishes.read_constraints(_several("constraints", constraints, One), frame)
    beliefs = _several("beliefs", beliefs, Belief)
    _check_kind("beliefs", beliefs, Belief)
    names = [o.name for o in wanted]
    if len(set(names)) < len(names):
        raise InvalidInput(f"objective: each column can be wanted once; found {', '.join(names)}.")
    if space is not None and not isinstance(space, Mapping | Space):
        raise InvalidInput(f"space: found {type(space).__name__}, expected a dict: for each column {wishes.CHOICES}.")
    outcomes = [*names, *(b.name for b in bounds)]
    if space is None and candidates is None:
        raise InvalidInput(
            f"Say what may be chosen: space={{'T': (20, 80)}}, for each column {wishes.CHOICES}; or a pool."
        )
    if isinstance(space, Mapping):
        space = Space(parameters=wishes.read_parameters(space, candidates if candidates and not len(frame) else frame))
    if candidates is not None:
        space = within(space, candidates) if space else space_of(frame, candidates, outcomes)
    assert space is not None
    if both := [name for name in outcomes if name in space.names]:
        raise InvalidInput(f"The column {both[0]!r} cannot be both a setting and a result. Leave one out.")
    for belief in beliefs:
        belief.check(space)
    return Problem(space=space, objectives=tuple(wanted), constraints=bounds, beliefs=tuple(beliefs))
