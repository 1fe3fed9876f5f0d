"""Core values as plain values, and read back equal."""

from collections.abc import Mapping
from typing import Any

from labwright.core.command import Failure, Gathered, Measurement, Observation, Outcome
from labwright.core.trial import Prediction, Proposal
from labwright.core.values import Json, Value


def proposal_record(proposal: Proposal) -> dict[str, Json]:
    """Return a proposal as plain values."""
    return {
        "point": dict(proposal.point),
        "source": proposal.source,
        "reason": proposal.reason,
        "predictions": {name: [p.mean, p.sd] for name, p in proposal.predictions.items()},
        "acquisition": proposal.acquisition,
        "p_feasible": proposal.p_feasible,
        "grounds": {heading: dict(numbers) for heading, numbers in proposal.grounds.items()},
    }


def proposal_from(record: Mapping[str, Any]) -> Proposal:
    """Read a proposal back; one of an older database has no grounds."""
    predictions = {name: Prediction(mean=mean, sd=sd) for name, (mean, sd) in record["predictions"].items()}
    return Proposal(**{**record, "predictions": predictions})


def outcome_record(outcome: Outcome) -> dict[str, Json]:
    """Return what came back as plain values."""
    if isinstance(outcome, Failure):
        return {"failure": outcome.reason}
    if isinstance(outcome, Gathered):
        return {"gathered": [outcome_record(one) for one in outcome.outcomes]}
    values = {name: _measurement(m) for name, m in outcome.values.items()}
    return {"values": values, "quality": outcome.quality, "objects": list(outcome.objects)}


def outcome_from(record: Mapping[str, Any]) -> Outcome:
    """Read what came back again."""
    if "gathered" in record:
        return Gathered(outcomes=tuple(_single(one) for one in record["gathered"]))
    return _single(record)


def _single(record: Mapping[str, Any]) -> Observation | Failure:
    if "failure" in record:
        return Failure(reason=record["failure"])
    values = {name: Measurement(**m) for name, m in record["values"].items()}
    return Observation(values=values, quality=record["quality"], objects=tuple(record["objects"]))


def _measurement(measurement: Measurement) -> dict[str, Value | None]:
    return {"value": measurement.value, "unit": measurement.unit, "sd": measurement.sd}
