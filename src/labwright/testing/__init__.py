"""Working fakes that ship with the product, so that laboratories can test with them."""

from labwright.testing.environment import ServerProcess, cached_environment, environment
from labwright.testing.instrument import FakeInstrument
from labwright.testing.planner import FakePlanner
from labwright.testing.postgres import PrivateServer
from labwright.testing.relay import Relay
from labwright.testing.session import Session
from labwright.testing.watcher import SilentWatcher

__all__ = [
    "FakeInstrument",
    "FakePlanner",
    "PrivateServer",
    "Relay",
    "ServerProcess",
    "Session",
    "SilentWatcher",
    "cached_environment",
    "environment",
]
