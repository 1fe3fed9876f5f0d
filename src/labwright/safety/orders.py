"""A command as orders to a monitor: which channels it sets, and what the limits alone say of it beforehand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from labwright.core.campaign import Guard
from labwright.core.capability import Capability
from labwright.core.command import Command
from labwright.core.errors import InvalidInput
from labwright.core.values import Value
from labwright.core.verdict import ALLOWED, Action, Decision, Plan, Verdict
from labwright.safety.envelope import Limits
from labwright.safety.refusal import shown
from labwright.safety.rules import foresee
from labwright.safety.situation import Asked, Order

CAPABILITY = "capability"  # the channel of words that says which capability is used


@dataclass(frozen=True, kw_only=True)
class Orders:
    """How the commands of one resource are orders to its monitor: each sets a channel by each input, and `capability`.

    `capabilities` are the resource's own, by their names; their inputs come in the units that they declare.
    """

    guard: Guard
    capabilities: Mapping[str, Capability]

    def of(self, command: Command) -> list[Order]:
        """Return an order for each trial that a command serves, each with an id of its own."""
        if not command.batch:
            return [self._order(command.command_id, command.capability, command.inputs)]
        each = enumerate(command.batch)
        return [self._order(f"{command.command_id}#{i}", command.capability, inputs) for i, inputs in each]

    def malformed(self, command: Command) -> str | None:
        """Say why a command is none of this resource, whatever the limits are: an input is missing, or unknown."""
        if not isinstance(command.command_id, str):
            return f"the command id is {shown(command.command_id)}; a text is one."
        declared = self.capabilities.get(command.capability) if isinstance(command.capability, str) else None
        if declared is None:
            return f"it has no capability {shown(command.capability)}; it has {', '.join(self.capabilities)}."
        if len(command.batch) > declared.batch:
            return f"{declared.name} was given {len(command.batch)} trials; it takes {declared.batch} at once."
        known, needed = {i.name for i in declared.inputs}, {i.name for i in declared.inputs if i.required}
        for inputs in command.batch or (command.inputs,):
            if not needed <= inputs.keys() <= known:
                given = ", ".join(map(shown, inputs)) or "nothing"
                return f"{declared.name} was given {given}; it takes {', '.join(sorted(known))}."
        return None

    def planned(self, action: Action) -> Order:
        """Return an order for what is only planned."""
        return self._order("planned", action.capability, action.inputs)

    def channel(self, capability: str, name: str) -> str:
        """Return the channel that an input sets."""
        named = self.guard.channels
        return named.get(f"{capability}.{name}") or named.get(name) or name

    def _order(self, order_id: str, capability: str, inputs: Mapping[str, Value]) -> Order:
        declared = self.capabilities.get(capability)
        units = {i.name: i.unit for i in declared.inputs} if declared else {}
        content: dict[object, Asked] = {CAPABILITY: Asked(value=capability)}
        for name, value in inputs.items():
            unit = None if isinstance(value, str) else units.get(name)
            content[self.channel(capability, name)] = Asked(value=value, unit=unit)
        return Order(id=order_id, mode=self.guard.mode, content=content)

    def problems(self, limits: Limits) -> Iterator[str]:
        """Yield what can never be right: a mode, a capability, a channel or a unit that the limits do not name."""
        envelope = limits.modes.get(self.guard.mode)
        if envelope is None:
            yield f"the mode {self.guard.mode!r} is none of the limits', which has {', '.join(limits.modes)}."
            return
        known = {name for c in self.capabilities.values() for name in (i.name for i in c.inputs)}
        full = {f"{c.name}.{i.name}" for c in self.capabilities.values() for i in c.inputs}
        for name in self.guard.channels:
            if name not in known and name not in full:
                yield f"channels: {name} is no input of it; it has {', '.join(sorted(full))}."
        does = envelope.channels.get(CAPABILITY)
        used = [c for c in self.capabilities.values() if does is not None and c.name in does.levels]
        if not used:
            yield (
                f"the limits allow no capability of it in the mode {self.guard.mode}. Declare the channel "
                f"`{CAPABILITY}: {{levels: [{', '.join(self.capabilities)}]}}` with those that may be used, name it in "
                "the mode, and sign the file again."
            )
        for capability in used:
            yield from self._misnamed(capability, limits)

    def _misnamed(self, capability: Capability, limits: Limits) -> Iterator[str]:
        channels = [self.channel(capability.name, i.name) for i in capability.inputs]
        if len({CAPABILITY, *channels}) <= len(channels):
            yield f"{capability.name}: two of its inputs, or one and `{CAPABILITY}`, set one channel. Name others."
        allowed = limits.modes[self.guard.mode].channels
        for declared in capability.inputs:
            name = self.channel(capability.name, declared.name)
            if name not in allowed:
                yield (
                    f"{capability.name}.{declared.name} sets the channel {name!r}, and the mode {self.guard.mode} "
                    f"names {', '.join(allowed)}. Say under `channels` which one it is."
                )
            elif not allowed[name].levels and declared.unit not in allowed[name].scales:
                units = ", ".join(str(unit) for unit in allowed[name].scales)
                yield f"{capability.name}.{declared.name} comes in {declared.unit}, the channel {name} takes {units}."


def orders_of(guard: Guard, capabilities: Mapping[str, Capability], limits: Limits, place: str) -> Orders:
    """Return how commands become orders; raises InvalidInput where the limits can never allow what is asked."""
    orders = Orders(guard=guard, capabilities=capabilities)
    if found := list(orders.problems(limits)):
        raise InvalidInput(" ".join(f"{place}: {problem}" for problem in found))
    return orders


class GuardReviewer:
    """Says before a trial begins what the limits of the resources behind monitors have against it.

    `guards`: by the name of a resource, its limits and how its commands become orders.
    """

    def __init__(self, guards: Mapping[str, tuple[Limits, Orders]]) -> None:
        self._guards = guards

    def __call__(self, plan: Plan) -> Verdict:
        """Name every order that would be refused whatever the instrument does at that moment."""
        reasons = []
        for action in plan.actions:
            if action.resource in self._guards:
                limits, orders = self._guards[action.resource]
                refusal = foresee(limits, orders.planned(action))
                reasons += [f"{action.name}: {refusal}"] if refusal else []
        return Verdict(decision=Decision.REFUSE, reasons=tuple(reasons)) if reasons else ALLOWED
