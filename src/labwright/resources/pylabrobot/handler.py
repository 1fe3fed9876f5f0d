"""A liquid handler of PyLabRobot's: its front end checks each action, and nothing is done that is not on disk."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.resources.function import load_function
from labwright.resources.memory import Action, Belief, Deed, Memory
from labwright.resources.once import Broken, NotDone, Once
from labwright.resources.pylabrobot.layout import GONE, HEAD, IN_HEAD, USED, Layout
from labwright.resources.pylabrobot.options import HandlerOptions
from labwright.resources.pylabrobot.skill import Move, Plan
from labwright.resources.stranger import guarded, words

LOST = (OSError, EOFError, asyncio.TimeoutError)  # nobody answered: that says nothing of what happened
Act = Callable[[Sequence[Any], Callable[[], Awaitable[None]]], Awaitable[None]]


class Witness:
    """Stands where PyLabRobot expects a backend: whatever passes its checks is put on record before it is done."""

    def __init__(self, backend: Any, act: Act) -> None:
        self.backend, self._act = backend, act

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    async def pick_up_tips(self, ops: Sequence[Any], use_channels: Sequence[int]) -> None:
        """Pick up a tip."""
        await self._act(ops, lambda: self.backend.pick_up_tips(ops=ops, use_channels=use_channels))

    async def drop_tips(self, ops: Sequence[Any], use_channels: Sequence[int]) -> None:
        """Drop a tip."""
        await self._act(ops, lambda: self.backend.drop_tips(ops=ops, use_channels=use_channels))

    async def aspirate(self, ops: Sequence[Any], use_channels: Sequence[int]) -> None:
        """Draw liquid."""
        await self._act(ops, lambda: self.backend.aspirate(ops=ops, use_channels=use_channels))

    async def dispense(self, ops: Sequence[Any], use_channels: Sequence[int]) -> None:
        """Let liquid out."""
        await self._act(ops, lambda: self.backend.dispense(ops=ops, use_channels=use_channels))

    async def request_tip_presence(self) -> list[bool | None]:
        """Do not ask a device that has just failed: a person looks."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """A command that is carried out: its plan, what it is on record, and the recorder that is told how far it is."""

    once: Once
    command_id: str
    deed: Deed
    plan: Plan
    recorder: Recorder


class Handler:
    """Drives one channel. It is set up with the first command, for that may move it."""

    def __init__(self, name: str, options: HandlerOptions, layout: Layout, backend: Any, memory: Memory) -> None:
        from pylabrobot.liquid_handling import LiquidHandler
        from pylabrobot.resources import set_tip_tracking, set_volume_tracking

        set_tip_tracking(True)  # they hold for the process, and are off by themselves
        set_volume_tracking(True)
        self._name, self._options, self._layout, self._memory = name, options, layout, memory
        self._witness = Witness(backend, self._act)
        self._front = LiquidHandler(self._witness, layout.deck)
        self._doing: tuple[Work, int] | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, name: str, options: HandlerOptions, layout: Layout, folder: Path, memory: Memory
    ) -> AsyncIterator["Handler"]:
        """Make the backend; it is neither connected nor moved."""
        handler = cls(name, options, layout, _backend(name, options, folder), memory)
        try:
            yield handler
        finally:
            if handler._front.setup_finished:
                with contextlib.suppress(Exception), handler._quiet():  # it is left, whatever it says to that
                    await asyncio.wait_for(handler._front.stop(), options.timeout_s)

    async def ready(self) -> None:
        """Connect and set up, once; raises ResourceUnavailable where that fails, and nothing is begun."""
        if not self._front.setup_finished:
            try:
                with self._quiet():
                    await asyncio.wait_for(guarded(self._front.setup), self._options.timeout_s)
            except Exception as error:  # a backend may raise anything
                raise ResourceUnavailable(
                    f"{self._name}: {self._options.backend} cannot be set up: {words(error)}. Nothing was begun."
                ) from error
        if self._options.channel not in self._front.head:
            raise ResourceUnavailable(f"{self._name}: it has {len(self._front.head)} channels, counted from 0.")

    async def carry_out(self, work: Work) -> None:
        """Do the actions of a plan, each checked by PyLabRobot, then on disk, then done."""
        self._restore()
        for number, move in enumerate(work.plan.moves):
            self._doing = work, number
            work.recorder.progress(number / len(work.plan.moves), str(move))
            try:
                await self._begin(move)
            except (NotDone, Broken, ResourceUnavailable):
                raise
            except Exception as error:  # PyLabRobot's own checks raise anything, and then nothing has moved
                raise NotDone(f"{move}: PyLabRobot refuses it: {words(error)}") from error

    async def halt(self) -> None:
        """Call what stops the backend at once, if it has that."""
        if self._options.halt is not None and self._front.setup_finished:
            try:
                await guarded(getattr(self._witness.backend, self._options.halt))
            except Exception as error:  # a backend may raise anything
                raise ResourceUnavailable(
                    f"{self._name}: {self._options.halt} failed: {words(error)}. Stop it at the device."
                ) from error

    async def _begin(self, move: Move) -> None:
        layout, channels = self._layout, [self._options.channel]
        match move.do:
            case "pick_up":
                await self._front.pick_up_tips([layout.spots[move.place]], use_channels=channels)
            case "aspirate":
                await self._front.aspirate([layout.containers[move.place]], [move.volume], use_channels=channels)
            case "dispense":
                await self._front.dispense([layout.containers[move.place]], [move.volume], use_channels=channels)
            case "drop":
                into = layout.spots.get(move.place, layout.trash)
                await self._front.drop_tips([into], use_channels=channels, allow_nonzero_volume=True)

    async def _act(self, ops: Sequence[Any], move: Callable[[], Awaitable[None]]) -> None:
        assert self._doing is not None
        work, number = self._doing
        doing = work.plan.moves[number]
        action = Action(
            command_id=work.command_id,
            what=str(doing),
            number=number + 1,
            of=len(work.plan.moves),
            then=self._then(doing, ops[0]),
        )
        await work.once.act(action, work.deed, lambda: self._move(action, move))

    async def _move(self, action: Action, move: Callable[[], Awaitable[None]]) -> None:
        try:
            with self._quiet():
                async with asyncio.timeout(self._options.timeout_s):
                    await guarded(move)
        except LOST as error:
            raise ResourceUnavailable(
                f"{self._name}: nobody knows what became of {action}: {words(error)}. Look at the deck, and say what"
                f" you saw: labwright settle FILE {self._name}"
            ) from error
        except Exception as error:  # a backend may raise anything; PyLabRobot would take it for not done
            raise Broken(
                f"{action.what} failed: {words(error)}; what of it happened is not known before a person has looked"
            ) from error

    def _then(self, move: Move, op: Any) -> dict[str, Belief]:
        """Return what is to be believed when an action has happened: what PyLabRobot's trackers hold as pending."""
        match move.do:
            case "pick_up":
                return {move.place: GONE, HEAD: move.place, IN_HEAD: 0.0}
            case "drop":
                back: dict[str, Belief] = {move.place: USED} if move.place in self._layout.spots else {}
                return {**back, HEAD: None, IN_HEAD: 0.0}
        held = {move.place: op.resource.tracker, IN_HEAD: op.tip.tracker}
        return {place: max(float(tracker.pending_volume), 0.0) for place, tracker in held.items()}

    def _restore(self) -> None:
        """Give PyLabRobot's trackers what is believed: after an error they say that nothing happened, or half of it."""
        believed, layout = self._memory.believed, self._layout
        for place, container in layout.containers.items():
            container.tracker.set_volume(_volume(believed, place))
        for place, spot in layout.spots.items():
            spot.tracker.clear()
            if believed.get(place) not in (None, GONE):
                spot.tracker.add_tip(spot.make_tip())
        channel, tip = self._front.head[self._options.channel], believed.get(HEAD)
        channel.clear()
        if tip is not None:
            channel.add_tip(layout.spots[str(tip)].make_tip())
            channel.get_tip().tracker.set_volume(_volume(believed, IN_HEAD))

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        """Keep PyLabRobot's chatterbox, which never waits, from printing into our output."""
        from pylabrobot.liquid_handling.backends import LiquidHandlerChatterboxBackend

        if type(self._witness.backend) is LiquidHandlerChatterboxBackend:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        else:
            yield


def _volume(believed: Mapping[str, Belief], place: str) -> float:
    found = believed.get(place)
    return found if isinstance(found, float) else float(found or 0)


def _backend(name: str, options: HandlerOptions, folder: Path) -> Any:
    """Make the backend of a name; what is none raises InvalidInput."""
    from pylabrobot.liquid_handling import backends

    place, wanted = f"{name}.backend", options.backend
    kind: object = load_function(wanted, folder, option=place) if ":" in wanted else getattr(backends, wanted, None)
    if not isinstance(kind, type) or not issubclass(kind, backends.LiquidHandlerBackend):
        there = ", ".join(n for n in dir(backends) if n.endswith(("Backend", "Simulator")))
        raise InvalidInput(f"{place}: {wanted!r} is no backend of PyLabRobot's. It has: {there}; or file.py:Class.")
    try:
        made = kind(**options.backend_options)
    except Exception as error:  # a backend may raise anything
        raise InvalidInput(f"{place}: {wanted} cannot be made: {words(error)}.") from error
    if options.halt is not None and not callable(getattr(made, options.halt, None)):
        raise InvalidInput(f"{name}.halt: {wanted} has no method {options.halt!r}.")
    return made
