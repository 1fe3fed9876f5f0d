"""Which points a cheap source is asked about, while asking teaches more for its cost than a trial would."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from labwright.core.problem import Problem
from labwright.core.source import Answer, Ask, Source
from labwright.core.trial import Trial
from labwright.core.values import Point, Value, finite, storable
from labwright.inference.arrays import Array
from labwright.planning.candidates import remaining
from labwright.planning.encoding import Encoding
from labwright.planning.learning import Fits
from labwright.planning.model import learn
from labwright.planning.sampling import starts
from labwright.planning.sources import Sources, Voice, desired, weights

TURNS = (0, 5, 10, 20, 40, 80)  # trials after which a source is asked again
SPREAD = 24  # points of an even spread that it is asked about first
BATCH, BATCHES = 8, 3  # points that are chosen at once, and how often in a turn
LOOKED_AT = 512
LONGEST = 200  # characters of why a source gave no answer
ENDLESS = 1e9  # questions
HALF = 0.5  # share of the signal that a source is taken to explain before there are trials

Key = tuple[tuple[str, Value], ...]
Grounds = dict[str, dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class _Turn:
    """What is known when a source is asked: the problem with all answers so far, the trials, how often it was asked.

    `why`: why it gave no answer, when it last gave none.
    """

    problem: Problem
    name: str
    past: Sequence[Trial]
    seed: int
    asked: int
    why: str | None = None

    @property
    def source(self) -> Source:
        """The source that is asked."""
        return next(s for s in self.problem.sources if s.name == self.name)

    @property
    def affordable(self) -> int:
        """How often it may be asked still: never for more than the trials cost, the next one included."""
        assert self.source.cost is not None
        return max(math.floor(min((len(self.past) + 1) / self.source.cost, ENDLESS)) - self.asked, 0)

    def after(self, found: Sequence[Answer | str]) -> "_Turn":
        """Return what is known after it was asked some times more, and gave these answers, or why it gave none."""
        answers = [answer for answer in found if isinstance(answer, Answer)]
        reasons = [why for why in found if isinstance(why, str)]
        whole = replace(self.source, answers=(*self.source.answers, *answers))
        sources = tuple(whole if s.name == self.name else s for s in self.problem.sources)
        problem, why = replace(self.problem, sources=sources), reasons[-1] if reasons else self.why
        return replace(self, problem=problem, asked=self.asked + len(found), why=why)


class Asking:
    """Asks sources, each about no point twice. What it asks follows from the trials alone: a restart repeats it."""

    def __init__(self, fits: Fits, sources: Sources) -> None:
        self._fits = fits
        self._sources = sources
        self._said: dict[tuple[Ask, Key], Answer | str] = {}
        self._turns: dict[tuple[object, ...], _Turn] = {}

    def told(self, problem: Problem, history: Sequence[Trial], seed: int) -> tuple[Problem, Grounds]:
        """Return the problem with what its sources answered, how often each was asked, and did not answer, and why."""
        trials, asked, silent = sorted(history, key=lambda t: t.number), dict[str, float](), dict[str, float]()
        failures: dict[str, float] = {}
        for name in [s.name for s in problem.sources if s.ask is not None]:
            first = turn = _Turn(problem=problem, name=name, past=(), seed=seed, asked=0)
            for size in (size for size in TURNS if size <= len(trials)):
                turn = self._turn(replace(turn, past=trials[:size]))
            problem, asked[name] = turn.problem, turn.asked
            silent[name] = turn.asked + len(first.source.answers) - len(turn.source.answers)
            failures |= {f"{name}: {turn.why}": silent[name]} if turn.why else {}
        return problem, {"asked": asked, "unanswered": silent, "failures": failures} if asked else {}

    def _turn(self, turn: _Turn) -> _Turn:
        past = tuple((t.number, t.state, tuple(t.point.items()), tuple(t.outcomes.items())) for t in turn.past)
        source, space = turn.source, turn.problem.space
        key = (source.ask, source.cost, turn.seed, turn.asked, len(source.answers), id(space), past)
        if key not in self._turns:
            self._turns[key] = self._asked(turn)
        return self._turns[key]

    def _asked(self, turn: _Turn) -> _Turn:
        rows = _rows(turn)
        if not turn.past:
            some = np.random.default_rng(turn.seed).permutation(len(rows))[: min(SPREAD, turn.affordable)]
            turn = self._with_answers(turn, rows[some])
        for _ in range(BATCHES):
            wanted = self._wanted(turn, rows)
            if not len(wanted):
                break
            turn = self._with_answers(turn, wanted)
        return turn

    def _with_answers(self, turn: _Turn, rows: Array) -> _Turn:
        points = [Encoding.of(turn.problem.space).point(row) for row in rows]
        found = [self._answer(turn.problem, turn.source, point) for point in points]
        return turn.after(found)

    def _answer(self, problem: Problem, source: Source, point: Point) -> Answer | str:
        assert source.ask is not None
        key = (source.ask, tuple(point.items()))
        if key not in self._said:
            self._said[key] = _ask(problem, source.ask, point)
        return self._said[key]

    def _wanted(self, turn: _Turn, rows: Array) -> Array:
        """Return the rows (k, d) of those looked at where the source is asked next; none where it does not pay."""
        source, objective = turn.source, turn.problem.objective.name
        voices = self._sources.voices(turn.problem)
        voice = next((v for v in voices if v.source == turn.name and v.outcome == objective), None)
        if voice is None or source.cost is None:
            return rows[:0]
        share, variance, worth = self._prospects(turn, voices, voice, rows)
        chosen: list[int] = []
        process, spread = voice.process, voice.process.spread
        while len(chosen) < min(BATCH, turn.affordable):
            unknown = process.predict(rows)[1] / spread**2
            best = int((worth + np.log(unknown) / 2).argmax())
            # Asking takes away share * unknown of the variance there, and a trial all of it.
            if best in chosen or share * unknown[best] < source.cost * variance[best]:
                break
            chosen.append(best)
            process = process.believing(rows[[best]])
        return rows[chosen]

    def _prospects(self, turn: _Turn, voices: Sequence[Voice], voice: Voice, rows: Array) -> tuple[float, Array, Array]:
        """Return the share that the source explains, and the variance and the worth of rows, (m,) both."""
        problem = turn.problem
        process = None
        if turn.past:
            model = learn(problem, turn.past, self._fits, voices)
            process = model.outcomes.get(voice.outcome)
        if process is None:
            return HALF, np.ones(len(rows)), desired(problem, [voice], rows, rows[:0])
        variance = process.predict(rows)[1] / process.spread**2
        return weights(process, problem)[voice.source], variance, model.worth(rows)


def _rows(turn: _Turn) -> Array:
    """Return rows (m, d) that a source may be asked about: some of the candidates, or of an even spread."""
    space, rng = turn.problem.space, np.random.default_rng([turn.seed, len(turn.past)])
    candidates = remaining(space, turn.past)
    if candidates is None:
        return starts(Encoding.of(space), LOOKED_AT, rng)
    return candidates.rows[rng.permutation(len(candidates))[:LOOKED_AT]]


def _ask(problem: Problem, ask: Ask, point: Point) -> Answer | str:
    """Return what a source answers; or, where it raises or says no finite number for any outcome, why that is none."""
    try:
        said = dict(ask(dict(point)))
    except (Exception, SystemExit) as error:  # a stranger's code may do anything, and no experiment needs it
        return _words(error)
    known = {n: f for n, v in said.items() if n in problem.outcomes and (f := finite(v)) is not None}
    return Answer(point=point, outcomes=known) if known else _unlike(problem, said)


def _words(error: BaseException) -> str:
    try:
        return _brief(f"{type(error).__name__}: {error}")
    except Exception:  # even its words are a stranger's code
        return type(error).__name__


def _unlike(problem: Problem, said: Mapping[str, object]) -> str:
    """Say what was found in place of a finite number for an outcome."""
    wanted = " or ".join(problem.outcomes)
    named = [name for name in problem.outcomes if name in said]
    if named:
        return _brief(f"it says {named[0]} = {said[named[0]]!r} where a finite number was expected")
    return _brief(f"it says {', '.join(map(str, said)) or 'nothing'} where {wanted} was expected")


def _brief(text: str) -> str:
    return storable(" ".join(text.split()))[:LONGEST]
