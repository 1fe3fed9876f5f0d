"""What came back from a resource, as it can be put on record: an adapter may return anything."""

from labwright.core.command import Failure, Gathered, Measurement, Observation, Outcome
from labwright.core.run import Run
from labwright.core.values import storable
from labwright.resources.stranger import plain, text, words


def received(run: Run, found: object) -> Outcome:
    """Return the outcome of a run; what is none, or cannot be read, becomes a failure that says so."""
    try:
        return _received(run, found)
    except Exception as error:  # what it returned is a stranger's code as well
        return Failure(reason=f"{run.use} returned what cannot be read: {words(error)}.")


def _received(run: Run, found: object) -> Outcome:
    if not isinstance(found, Gathered):
        return _single(run, found)
    if len(found.outcomes) != len(run.members):
        return Failure(reason=f"{run.use} returned {len(found.outcomes)} results for {len(run.members)} trials.")
    return Gathered(outcomes=tuple(_single(run, one) for one in found.outcomes))


def _single(run: Run, found: object) -> Observation | Failure:
    if isinstance(found, Failure):
        return Failure(reason=storable(str(found.reason)))
    if not isinstance(found, Observation):
        return Failure(reason=f"{run.use} returned {text(found)}, which is no outcome.")
    values = {storable(str(name)): _measurement(m) for name, m in found.values.items()}
    return Observation(
        values=values, quality=storable(str(found.quality)), objects=tuple(storable(str(o)) for o in found.objects)
    )


def _measurement(found: Measurement) -> Measurement:
    unit = None if found.unit is None else storable(str(found.unit))
    sd = plain(found.sd)
    return Measurement(value=plain(found.value), unit=unit, sd=None if isinstance(sd, str) else sd)
