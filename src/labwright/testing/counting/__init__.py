"""An instrument in a process of its own that counts what it physically does."""

from labwright.testing.counting.device import CountingDevice, write_plug_in
from labwright.testing.counting.resource import CountingInstrument

__all__ = ["CountingDevice", "CountingInstrument", "write_plug_in"]
