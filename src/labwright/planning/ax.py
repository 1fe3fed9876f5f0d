"""Chooses by Ax (extra `ax`): Meta's platform of adaptive experiments, with what it recommends by default."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from labwright.core.errors import MissingExtra
from labwright.core.problem import Goal, Problem
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Parameter, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.core.values import Point, Value
from labwright.planning.batch import one_by_one
from labwright.planning.candidates import remaining
from labwright.planning.foreign import alone, is_tried, nearest, spread_instead, unmeasured
from labwright.planning.refusals import refuse_unknown


class AxPlanner:
    """Proposes what a session of Ax's `Client` would, with its default strategy: centre, Sobol, then its model.

    The session is built anew from the trials for each choice and goes on as if it had never ended. Ax has no candidate
    pools: the candidate nearest to its point is tried, and that one is what Ax is told of. Ax matches no target: it
    makes the distance from the target small.
    """

    class Options(BaseModel, extra="forbid", frozen=True):
        """It has none: these are Ax's defaults."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.Options()

    def propose(
        self, problem: Problem, history: Sequence[Trial], pending: Sequence[Trial], count: int, *, seed: int
    ) -> list[Proposal]:
        """Return `count` proposals; see `Planner.propose`. Raises MissingExtra without the extra `ax`."""
        refuse_unknown(problem, "ax")
        try:
            import ax.api.client  # noqa: F401
        except ImportError as error:
            raise MissingExtra("ax", "The planner 'ax'") from error
        with alone(seed % 2**31):
            return one_by_one(count, pending, lambda running: _next(problem, history, running, seed % 2**31))


def _next(problem: Problem, history: Sequence[Trial], running: Sequence[Trial], seed: int) -> Proposal:
    tried = [*history, *running]
    candidates = remaining(problem.space, tried)
    if _varying(problem.space) == []:
        return spread_instead(problem, tried, seed, "there is nothing to vary")
    wanted, node = _asked(problem, history, running, seed)
    point = wanted if candidates is None else nearest(candidates, wanted)
    if is_tried(point, tried):
        return spread_instead(problem, tried, seed, "Ax chose a point that has been tried")
    snapped = "" if point == wanted else ", or the candidate nearest to it"
    return Proposal(point=point, source="ax", reason=f"Ax, {node}{snapped}")


def _asked(problem: Problem, history: Sequence[Trial], running: Sequence[Trial], seed: int) -> tuple[Point, str]:
    """Return the point that Ax would try next, and in words by which of its means."""
    client, strategy = _session(problem, len(history) + len(running), seed)
    _tell(client, problem, history, running)
    # A strategy that begins with trials takes one step only at its first choice, from the centre to Sobol: never to
    # the model. To ask how many trials it may make takes it to where it stands.
    strategy.experiment = client._experiment
    strategy.current_generator_run_limit()
    (found,) = client.get_next_trials(max_trials=1).values()
    point = {p.name: _chosen(p, found.get(f"x{i}")) for i, p in enumerate(problem.space.parameters)}
    return point, NODES.get(strategy.current_node_name, strategy.current_node_name)


NODES = {
    "CenterOfSearchSpace": "the centre of the space",
    "Sobol": "its initial design",
    "MBM": "its model's best expected improvement",
}


def _session(problem: Problem, tried: int, seed: int) -> tuple[Any, Any]:
    """Return a client that stands where one session would after so many trials, and its default strategy."""
    from ax.api.client import Client
    from ax.api.utils.generation_strategy_dispatch import choose_generation_strategy
    from ax.api.utils.structs import GenerationStrategyDispatchStruct

    client = Client(random_seed=seed)
    client.configure_experiment(parameters=[_config(i, p) for i, p in _varying(problem.space)])
    client.configure_optimization(objective=_objective(problem), outcome_constraints=_constraints(problem))
    # The Client's own defaults, but that more may be pending at once than the initial design has points.
    strategy = choose_generation_strategy(
        GenerationStrategyDispatchStruct(method="fast", allow_exceeding_initialization_budget=True)
    )
    # The centre comes first, so Sobol's sequence stands one behind the trials.
    strategy.nodes_by_name["Sobol"].generator_specs[0].generator_kwargs["init_position"] = max(tried - 1, 0)
    client.set_generation_strategy(strategy)
    return client, strategy


def _tell(client: Any, problem: Problem, history: Sequence[Trial], running: Sequence[Trial]) -> None:
    rows: list[dict[str, float | str]] = []
    for trial in sorted(history, key=lambda t: t.number):
        index = client.attach_trial(parameters=_parameters(problem.space, trial.point))
        if trial.state is TrialState.OBSERVED:
            rows += _rows(client, index, _values(problem, trial))
        else:
            # What Ax calls failed it may suggest again; what it calls abandoned it never does.
            client.mark_trial_abandoned(trial_index=index)
    for trial in running:
        client.attach_trial(parameters=_parameters(problem.space, trial.point))
    # With an outcome that nothing is known of, Ax has no model: then no trial counts as measured.
    if not unmeasured(problem, history):
        _complete(client, rows)


def _rows(client: Any, index: int, values: Mapping[str, float]) -> list[dict[str, float | str]]:
    arm = client._experiment.trials[index].arm.name
    common = {"trial_index": index, "arm_name": arm, "sem": math.nan, "step": math.nan}
    return [{**common, "metric_name": name, "metric_signature": name, "mean": v} for name, v in values.items()]


def _complete(client: Any, rows: Sequence[Mapping[str, float | str]]) -> None:
    """Do what `complete_trial` does, for all trials at once: one by one it sorts all the data each time."""
    from ax.core.data import Data
    from pandas import DataFrame

    client._experiment.attach_data(Data(df=DataFrame(rows)))
    for index in dict.fromkeys(row["trial_index"] for row in rows):
        client._experiment.trials[index].mark_completed()


def _varying(space: Space) -> list[tuple[int, Parameter]]:
    return [(i, p) for i, p in enumerate(space.parameters) if len(_levels(p)) != 1]


def _levels(parameter: Parameter) -> Sequence[Value]:
    match parameter:
        case Continuous():
            return ()
        case Discrete(values=values):
            return [float(v) for v in values]
        case Ordinal(levels=levels):
            return range(len(levels))
        case Categorical(levels=levels):
            return levels


def _config(place: int, parameter: Parameter) -> Any:
    """Return how Ax is told of a parameter. Its names are ours: Ax reads some characters as arithmetic."""
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

    name, values = f"x{place}", list(_levels(parameter))
    match parameter:
        case Continuous(low=low, high=high, log=log):
            scaling = "log" if log else "linear"
            return RangeParameterConfig(name=name, bounds=(low, high), parameter_type="float", scaling=scaling)
        case Discrete():
            return ChoiceParameterConfig(name=name, values=values, parameter_type="float", is_ordered=True)
        case Ordinal():
            return ChoiceParameterConfig(name=name, values=values, parameter_type="int", is_ordered=True)
        case Categorical():
            return ChoiceParameterConfig(name=name, values=values, parameter_type="str", is_ordered=False)


def _parameters(space: Space, point: Point) -> dict[str, Value]:
    return {f"x{i}": _told(p, point[p.name]) for i, p in _varying(space)}


def _told(parameter: Parameter, value: Value) -> Value:
    if isinstance(parameter, Ordinal):
        return parameter.levels.index(str(value))
    if isinstance(parameter, Discrete):
        return float(min(parameter.values, key=lambda v: abs(v - float(value))))
    return value if isinstance(parameter, Categorical) else float(value)


def _chosen(parameter: Parameter, value: Any) -> Value:
    match parameter:
        case Continuous():
            return parameter.snap(float(value))
        case Discrete(values=values):
            return values[0] if value is None else min(values, key=lambda v: abs(v - float(value)))
        case Ordinal(levels=levels):
            return levels[int(value or 0)]
        case Categorical(levels=levels):
            return levels[0] if value is None else str(value)


def _objective(problem: Problem) -> str:
    return ", ".join(f"{'' if o.goal is Goal.MAXIMIZE else '-'}o{i}" for i, o in enumerate(problem.objectives))


def _constraints(problem: Problem) -> list[str]:
    low = [f"c{i} >= {c.low!r}" for i, c in enumerate(problem.constraints) if abs(c.low) != math.inf]
    high = [f"c{i} <= {c.high!r}" for i, c in enumerate(problem.constraints) if abs(c.high) != math.inf]
    return low + high


def _values(problem: Problem, trial: Trial) -> dict[str, float]:
    """Return what Ax is told of a result. What is wanted and bounded is told twice: Ax takes no other way."""
    measured = trial.outcomes
    wanted = {
        f"o{i}": o.loss(measured[o.name]) if o.goal is Goal.MATCH else measured[o.name]
        for i, o in enumerate(problem.objectives)
        if o.name in measured
    }
    return wanted | {f"c{i}": measured[c.name] for i, c in enumerate(problem.constraints) if c.name in measured}
