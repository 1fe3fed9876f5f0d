"""A heater behind an OPC UA server, in a process of its own, that writes down whatever it physically does.

python heater.py URL JOURNAL
"""

import asyncio
import json
import logging
import sys
import time
from pathlib import Path

from asyncua import Server, ua

STEP_S = 0.02
TEXT, NUMBER = ua.NodeId(12), ua.NodeId(11)


class Heater:
    """Reaches a set temperature at once, holds it for some seconds, and says which command it holds."""

    def __init__(self, server, journal):
        self.server, self.journal, self.nodes, self.work = server, journal, {}, None

    async def build(self):
        things = await self.server.nodes.objects.add_object(2, "Heater")
        values = {"Temperature": 20.0, "Setpoint": 20.0, "State": "idle", "Id": "", "Yield": 0.0, "Gas": "argon"}
        for name, value in values.items():
            self.nodes[name] = await things.add_variable(2, name, value)
        await self.nodes["Setpoint"].set_writable()
        unit = ua.EUInformation(UnitId=-1, DisplayName=ua.LocalizedText("degC"))
        for name in ("Temperature", "Setpoint"):
            await self.nodes[name].add_property(0, "EngineeringUnits", unit)
        kinds = {"id": TEXT, "temperature": NUMBER, "seconds": NUMBER}
        takes = [ua.Argument(Name=name, DataType=kind) for name, kind in kinds.items()]
        await things.add_method(2, "Heat", self.heat, takes, [])
        await things.add_method(2, "Stop", self.stop, [], [])
        subscription = await self.server.create_subscription(10, self)
        await subscription.subscribe_data_change(self.nodes["Setpoint"])
        return self

    def datachange_notification(self, node, value, data):
        self.write("set", value=value)

    def write(self, what, **more):
        with Path(self.journal).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, "at": time.monotonic(), **more}) + "\n")

    async def heat(self, parent, command_id, temperature, seconds):
        self.write("heat", id=command_id.Value, temperature=temperature.Value, seconds=seconds.Value)
        await self.nodes["Id"].write_value(command_id.Value)
        await self.nodes["Setpoint"].write_value(float(temperature.Value))
        await self.nodes["State"].write_value("running")
        await self.nodes["Temperature"].write_value(float(temperature.Value))
        self.work = asyncio.create_task(self.hold(temperature.Value, seconds.Value))
        return []

    async def hold(self, temperature, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(STEP_S)
        await self.nodes["Yield"].write_value(100.0 - abs(temperature - 60.0))
        await self.nodes["State"].write_value("done")
        self.write("done")

    async def stop(self, parent):
        self.write("stop")
        if self.work is not None and not self.work.done():
            self.work.cancel()
            await self.nodes["State"].write_value("failed")
        await self.nodes["Temperature"].write_value(20.0)
        return []


async def serve(url, journal):
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    server = Server()
    await server.init()
    server.set_endpoint(url)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await Heater(server, journal).build()
    async with server:
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until whoever started it is gone


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
