"""What a trial's runs mean: what comes next in it, or its end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

from labwright.campaigns.materials import takings_of
from labwright.campaigns.standing import Reader, Stage, Standing
from labwright.campaigns.wiring import Wiring
from labwright.core.errors import InvalidInput
from labwright.core.material import Taking
from labwright.core.procedure import Step, ancestors, bind, in_order
from labwright.core.run import Conclusion, NewRun, Next, Run
from labwright.core.states import RunState, TrialState
from labwright.core.values import Point, Value, canonical, show

_NOTHING = Next()


class Judge:
    """Applies a campaign's procedure to what came back: a function of the point and the runs, command ids aside.

    `keys`: the physical thing that each resource stands for; left out, they are named like the resources.
    """

    def __init__(self, wiring: Wiring, keys: Mapping[str, str] | None = None) -> None:
        self._campaign = wiring.campaign
        self._capabilities = wiring.capabilities
        self._wanted = wiring.problem.outcomes
        self.keys = {name: name for name in self._campaign.resources} | dict(keys or {})
        steps = self._steps = wiring.campaign.procedure
        places = {step.name: i for i, step in enumerate(steps)}
        before = ancestors(steps)
        self._order = in_order(steps)
        self._after = [tuple(places[name] for name in step.after) for step in steps]
        self._before = [tuple(places[name] for name in before[step.name]) for step in steps]
        self._givers = {name: i for i, step in enumerate(steps) for name in step.gives}
        self._makers = {
            n: [i for i, s in enumerate(steps) if n in s.samples.makes] for s in steps for n in s.samples.all
        }
        self._materials = wiring.materials
        self._reader = Reader(wiring)

    def first(self, point: Point) -> Next:
        """Return how a trial of the point begins."""
        materials = self._materials(point)
        following = self.advance(point, 0, ())
        return following if materials is None else replace(following, materials=materials)

    def advance(self, point: Point, trial: int, runs: Sequence[Run]) -> Next:
        """Return what comes next in a trial, from all the runs that serve it, whatever their state.

        Nothing begins while one of them is unknown. Otherwise a trial without runs in flight gets new ones or its end.
        """
        if any(run.state is RunState.UNKNOWN for run in runs):
            return _NOTHING
        standing = self._reader.read(point, trial, runs)
        self._recall_faults(standing)
        if not standing.why:
            try:
                return self._go_on(standing)
            except InvalidInput as error:
                standing.blame(str(error))
        return self._wind_up(standing)

    def _recall_faults(self, standing: Standing) -> None:
        """A clean-up that was skipped because its inputs could not be converted still fails its trial."""
        for i, stage in standing.stages.items():
            if stage is Stage.SKIPPED and self._steps[i].always:
                try:
                    if self._obstacle(i, standing) is None:
                        self._inputs(i, standing)
                        self._takes(i, standing)
                except InvalidInput as error:
                    standing.blame(str(error))

    def _go_on(self, standing: Standing) -> Next:
        """Begin or skip every step that waits for nothing; one whose inputs cannot be converted raises InvalidInput."""
        stages, new, skipped = dict(standing.stages), list[NewRun](), list[tuple[NewRun, str]]()
        for i in self._order:
            if i in stages and stages[i] is not Stage.AGAIN:
                continue
            if not all(stages.get(before, Stage.OPEN).is_settled for before in self._after[i]):
                continue
            why = self._obstacle(i, standing)
            if why is None:
                new.append(self._run(i, standing, self._inputs(i, standing), self._takes(i, standing)))
                stages[i] = Stage.OPEN
            else:
                standing.skipped[i] = why
                skipped.append((self._run(i, standing, {}, ()), why))
                stages[i] = Stage.SKIPPED
        ended = None if Stage.OPEN in stages.values() else self._end(standing)
        return Next(runs=tuple(new), skipped=tuple(skipped), conclusion=ended)

    def _wind_up(self, standing: Standing) -> Next:
        """Cancel what has not begun, and do the clean-up steps whose predecessors, however far, have ended."""
        cancel = [(i, run) for i, run in standing.queued if not self._steps[i].always]
        stages = standing.stages | {i: Stage.ENDED for i, _ in cancel}
        new, skipped = list[NewRun](), list[tuple[NewRun, str]]()
        for i in self._clean_ups(stages):
            try:
                why = self._obstacle(i, standing)
                inputs, takes = ({}, ()) if why else (self._inputs(i, standing), self._takes(i, standing))
            except InvalidInput as error:
                why, inputs, takes = str(error), {}, ()
            run = self._run(i, standing, inputs, takes)
            stages[i] = Stage.SKIPPED if why else Stage.OPEN
            if why:
                skipped.append((run, why))
            else:
                new.append(run)
        ended = None if Stage.OPEN in stages.values() else Conclusion(state=TrialState.FAILED, why=standing.why)
        return Next(runs=tuple(new), skipped=tuple(skipped), cancel=tuple(run for _, run in cancel), conclusion=ended)

    def _clean_ups(self, stages: Mapping[int, Stage]) -> Iterator[int]:
        """Yield the clean-up steps that are due; `stages` may change meanwhile."""
        for i in self._order:
            if not self._steps[i].always or stages.get(i, Stage.AGAIN) is not Stage.AGAIN:
                continue
            if not any(stages.get(before) is Stage.OPEN for before in self._before[i]):
                yield i

    def _obstacle(self, index: int, standing: Standing) -> str | None:
        """Say why a step is not to be done: a condition that does not hold, or a name that nobody gave."""
        step = self._steps[index]
        for name in step.references:
            if name not in standing.names:
                return f"{name} was not given: {self._told(self._givers[name], standing)}"
        for sample in step.samples.needed:
            makers = self._makers[sample]
            if all(standing.stages.get(i, Stage.SKIPPED) is Stage.SKIPPED for i in makers):
                return f"{sample} was not made: {self._told(makers[0], standing)}"
        for condition in step.when:
            found = standing.names[condition.name]
            if not condition.holds(found):
                unit = f" {found.unit}" if found.unit else ""
                return f"{condition} does not hold: {condition.name} is {show(found.value)}{unit}"
        return None

    def _told(self, giver: int, standing: Standing) -> str:
        name = self._steps[giver].name
        if giver in standing.skipped:
            return f"{name} was skipped, because {standing.skipped[giver]}"
        return f"{name} has no result"

    def _inputs(self, index: int, standing: Standing) -> dict[str, Value]:
        step = self._steps[index]
        return bind(step, self._capabilities[step.use], standing.names)

    def _takes(self, index: int, standing: Standing) -> tuple[Taking, ...]:
        return takings_of(index, self._steps[index], standing.names)

    def _run(self, index: int, standing: Standing, inputs: Mapping[str, Value], takes: tuple[Taking, ...]) -> NewRun:
        step = self._steps[index]
        return NewRun(
            step=index,
            resource=step.resource,
            key=self.keys[step.resource],
            capability=step.capability,
            command_id=f"lw-{self._campaign.name}-{uuid4().hex}",
            inputs=inputs,
            attempt=standing.attempts.get(index, 0) + 1,
            room=step.gather.size if step.gather else 1,
            wait_s=step.gather.wait_s if step.gather else 0.0,
            shared=self._shared(step, inputs) if step.gather else "",
            timeout_s=step.timeout_s,
            material=step.has_material,
            takes=takes,
            capacity=self._campaign.resources[step.resource].capacity,
        )

    def _shared(self, step: Step, inputs: Mapping[str, Value]) -> str:
        declared = self._capabilities[step.use].inputs
        return canonical({i.name: inputs[i.name] for i in declared if i.shared and i.name in inputs})

    def _end(self, standing: Standing) -> Conclusion:
        for name in self._wanted:
            if name not in standing.outcomes:
                why = f"{name} was not given: {self._told(self._givers[name], standing)}."
                return Conclusion(state=TrialState.FAILED, why=why)
        given = {name: standing.outcomes[name] for name in self._givers if name in standing.outcomes}
        return Conclusion(state=TrialState.OBSERVED, outcomes=given)
