"""A LADS device in a process of its own: a furnace that writes to a file what it physically begins.

`server.py FOLDER PORT [word ...]`. It loads the nodesets of the OPC Foundation beside it. The words:
`shifted`: its namespaces have other indexes. `late`: a result is there at the end only. `nameless`: it does not say
which run is active. `complete`: a program that has ended stays in Complete until it is reset. `kept`: results outlive
the process. `forgetting`: what is aborted leaves no result. `wordless`: results do not hold whose they are. `bare`: it
names no properties that it takes. It ends when its input does.
"""

import asyncio
import json
import logging
import os
import sys
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from pathlib import Path

from asyncua import Server, ua

HERE = Path(__file__).parent
FOLDER, PORT, WORDS = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
LADS = "http://opcfoundation.org/UA/LADS/"
TAG = "{http://opcfoundation.org/UA/2011/03/UANodeSet.xsd}"
TEMPLATES = {"Double": "T-1", "Jam": "T-2", "Fail": "T-3", "Curve": "T-4", "Slow answer": "T-5", "Deaf": "T-6"}
PROPERTIES = {"Temperature": (4408652, "°C", 0.0, 200.0), "Seconds": (5457219, "s", 0.0, 60.0)}
TASK = ("job", "task")
UNSET = datetime(1601, 1, 1, tzinfo=UTC)


def legible(path):
    """Return a nodeset in which an encoding says whose it is, for asyncua adds a node below its parent only."""
    root = ElementTree.parse(path).getroot()
    nodes = {node.get("NodeId"): node for node in root if node.get("NodeId")}
    for data_type in root.iter(f"{TAG}UADataType"):
        for reference in data_type.iter(f"{TAG}Reference"):
            if reference.get("ReferenceType") == "HasEncoding" and reference.get("IsForward", "true") == "true":
                encoding = nodes[reference.text]
                encoding.set("ParentNodeId", data_type.get("NodeId"))
                back = {"ReferenceType": "i=38", "IsForward": "false"}
                ElementTree.SubElement(encoding.find(f"{TAG}References"), f"{TAG}Reference", back).text = data_type.get(
                    "NodeId"
                )
    return ElementTree.tostring(root)


class Furnace:
    def __init__(self, server):
        self.server, self.runs, self.work, self.state = server, {}, None, "Stopped"

    def type(self, number):
        return ua.NodeId(number, self.lads)

    async def build(self):
        self.lads = await self.server.get_namespace_index(LADS)
        ua.register_extension_object("KeyValueType", self.type(5045), ua.KeyValueType, self.type(3003))
        self.own = await self.server.register_namespace("urn:furnace")
        device_set = await self.server.nodes.objects.get_child(f"{self.di}:DeviceSet")
        device = await device_set.add_object(self.own, "Furnace", self.type(1002), instantiate_optional=False)
        units = await device.get_child(f"{self.lads}:FunctionalUnitSet")
        self.unit = await units.add_object(self.own, "Chamber", self.type(1003), instantiate_optional=False)
        await (await self.unit.get_child(f"{self.lads}:FunctionalUnitState")).delete(recursive=True)
        await self.build_state()
        await self.build_programs()
        if "bare" not in WORDS:
            await self.build_properties()
        for name, kept in self.kept().items():
            await self.build_result(name, **kept)

    async def build_state(self):
        self.machine = await self.unit.add_object(
            self.lads, "FunctionalUnitState", self.type(1043), instantiate_optional=False
        )
        self.current = await self.machine.get_child("0:CurrentState")
        self.current_id = await self.current.add_property(0, "Id", ua.NodeId(), ua.VariantType.NodeId)
        running = await self.machine.add_object(
            self.lads, "RunningStateMachine", self.type(1036), instantiate_optional=False
        )
        self.substate = await running.get_child("0:CurrentState")
        argument = self.argument
        takes = [
            argument("ProgramTemplateId"),
            argument("Properties", self.type(3003), 1),
            argument("SupervisoryJobId"),
            argument("SupervisoryTaskId"),
            argument("Samples", self.type(3002), 1),
        ]
        await self.machine.add_method(self.lads, "StartProgram", self.start, takes, [argument("DeviceProgramRunId")])
        for name in ("Stop", "Abort", "Clear"):
            await self.machine.add_method(self.lads, name, getattr(self, name.lower()), [], [])
        if "complete" in WORDS:
            await running.add_method(self.lads, "Reset", self.reset, [], [])
        vendors = await self.machine.add_object(self.own, "StartProgram")  # of the same name, but not of LADS
        await vendors.add_variable(self.own, "Note", "not a method")
        await self.show("Stopped")

    def argument(self, name, kind=ua.NodeId(12), rank=-1):  # noqa: B008
        return ua.Argument(Name=name, DataType=kind, ValueRank=rank)

    async def build_programs(self):
        manager = await self.unit.add_object(self.lads, "ProgramManager", self.type(1006), instantiate_optional=False)
        self.active = await manager.get_child(f"{self.lads}:ActiveProgram")
        for name in ("CurrentRuntime", "EstimatedRuntime"):
            await self.active.add_property(self.lads, name, 0.0)
        if "nameless" not in WORDS:
            await self.active.add_property(self.lads, "DeviceProgramRunId", "")
        templates = await manager.get_child(f"{self.lads}:ProgramTemplateSet")
        for name, identity in TEMPLATES.items():
            template = await templates.add_object(self.own, name, self.type(1018))
            await (await template.get_child(f"{self.lads}:DeviceTemplateId")).write_value(identity)
        self.results = await manager.get_child(f"{self.lads}:ResultSet")

    async def build_properties(self):
        supported = await self.unit.add_object(
            self.lads, "SupportedPropertiesSet", self.type(1033), instantiate_optional=False
        )
        for name, (code, text, low, high) in PROPERTIES.items():
            target = await self.unit.add_variable(self.own, f"{name}Target", 0.0)
            information = ua.EUInformation(
                NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
                UnitId=code,
                DisplayName=ua.LocalizedText(text),
            )
            await target.add_property(0, "EngineeringUnits", information)
            await target.add_property(0, "EURange", ua.Range(Low=low, High=high))
            element = await supported.add_object(self.own, name, self.type(1035))
            await element.add_reference(target, ua.ObjectIds.Organizes)

    async def build_result(self, name, job, task, **end):
        result = await self.results.add_object(self.own, name, self.type(1021), instantiate_optional=False)
        await result.add_property(self.lads, "DeviceProgramRunId", name)
        words = {} if "wordless" in WORDS else {"SupervisoryJobId": job, "SupervisoryTaskId": task}
        for word, value in words.items():
            await (await result.get_child(f"{self.lads}:{word}")).write_value(value)
        await (await result.get_child(f"{self.lads}:Stopped")).write_value(UNSET, ua.VariantType.DateTime)
        if end:
            await self.complete_result(result, name, **end)

    async def complete_result(self, result, name, ended, **values):
        folder = await result.get_child(f"{self.lads}:VariableSet")
        for path, value in values.items():
            await self.build_variable(folder, path, value)
        if "Curve" in name:
            await self.build_files(await result.get_child(f"{self.lads}:FileSet"))
        stopped = await result.get_child(f"{self.lads}:Stopped")
        await stopped.write_value(datetime.fromisoformat(ended), ua.VariantType.DateTime)

    async def build_variable(self, folder, path, value):
        *groups, last = path.split("/")
        for group in groups:
            folder = await folder.add_object(self.own, group)
        variable = await folder.add_variable(self.own, last, value)
        if last == "Y":
            await variable.add_property(
                0, "EngineeringUnits", ua.EUInformation(DisplayName=ua.LocalizedText("K"), UnitId=-1)
            )

    async def build_files(self, folder):
        data = b"t,T\n" + b"1,20\n" * 30_000
        for name in ("curve.csv", "raw"):
            element = await folder.add_object(self.own, name, self.type(1001), instantiate_optional=False)
            await (await element.get_child(f"{self.lads}:Name")).write_value(name)
            if name == "raw":
                await element.add_property(self.lads, "URL", "https://furnace/raw/1")
                continue
            file = await element.add_object(self.lads, "File", ua.NodeId(ua.ObjectIds.FileType))
            at = [0]

            async def read(parent, handle, length, at=at):
                part = data[at[0] : at[0] + length.Value]
                at[0] += len(part)
                return [ua.Variant(part, ua.VariantType.ByteString)]

            async def opened(parent, mode, at=at):
                at[0] = 0
                return [ua.Variant(1, ua.VariantType.UInt32)]

            async def closed(parent, handle):
                return []

            for method, does in (("Open", opened), ("Read", read), ("Close", closed)):
                self.server.link_method(await file.get_child(f"0:{method}"), does)

    def kept(self):
        path = FOLDER / "results.json"
        return json.loads(path.read_text()) if "kept" in WORDS and path.exists() else {}

    async def show(self, state, substate=""):
        """Say the state in words of its own and by its id, as a server with another language does."""
        self.state = state
        states = {
            "Stopped": 5085,
            "Running": 5099,
            "Stopping": 5100,
            "Aborting": 5159,
            "Aborted": 5160,
            "Clearing": 5143,
        }
        await self.current_id.write_value(self.type(states[state]))
        await self.current.write_value(ua.LocalizedText({"Stopped": "angehalten"}.get(state, state), "de"))
        await self.substate.write_value(ua.LocalizedText(substate))

    async def start(self, parent, template, properties, job, task, samples):
        values = {pair.Key: float(pair.Value) for pair in properties.Value}
        if self.state != "Stopped" or template.Value not in TEMPLATES.values():
            return ua.StatusCode(ua.StatusCodes.BadInvalidState)
        if values.get("Temperature", 0) > 150:
            return ua.StatusCode(ua.StatusCodes.BadOutOfRange)
        [name] = [name for name, identity in TEMPLATES.items() if identity == template.Value]
        if name != "Deaf":
            run = await self.begin(name, values, job.Value, task.Value)
        if name in ("Slow answer", "Deaf"):
            await asyncio.sleep(0.5)
        if name == "Deaf":
            return ua.StatusCode(ua.StatusCodes.BadNothingToDo)
        return [ua.Variant(run, ua.VariantType.String)]

    async def begin(self, name, values, job, task):
        with (FOLDER / "starts").open("a") as file:
            file.write(json.dumps({"task": task, "job": job, "program": name, **values}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        run = f"{name}-{task}"
        self.runs[run] = {"job": job, "task": task}
        if "nameless" not in WORDS:
            await self.set_active("DeviceProgramRunId", run)
        if "late" not in WORDS:
            await self.build_result(run, **self.runs[run])
            self.keep()
        await self.show("Running", "Execute")
        self.work = asyncio.create_task(self.perform(run, name, values))
        return run

    async def set_active(self, name, value):
        await (await self.active.get_child(f"{self.lads}:{name}")).write_value(value)

    async def perform(self, run, name, values):
        steps, seconds = 5, values.get("Seconds", 0.05)
        await self.set_active("EstimatedRuntime", 1000.0 * seconds)
        for step in range(steps):
            await self.set_active("CurrentRuntime", 1000.0 * seconds * step / steps)
            await asyncio.sleep(seconds / steps)
            if name == "Jam" and step == 2:
                self.work = None
                return await self.abort(None)
        await self.end(run, name, values)

    async def end(self, run, name, values, *, whole=True):
        said = {"Y": 2 * values.get("Temperature", 0.0), "Peaks/First/Area": 7.5, "Status": "good"}
        if name == "Fail":
            said |= {"Status": "broken", "Why": "the lamp is out"}
        if not whole:
            said["Status"] = "broken"
        await self.finish(run, said)
        stays = whole and "complete" in WORDS
        await self.show(*(("Running", "Complete") if stays else ("Stopped",)))

    async def finish(self, run, said):
        self.runs[run] |= {"ended": datetime.now(UTC).isoformat(), **said}
        if "late" in WORDS:
            await self.build_result(run, **self.runs[run])
        else:
            result = await self.results.get_child(f"{self.own}:{run}")
            await self.complete_result(result, run, **{k: v for k, v in self.runs[run].items() if k not in TASK})
        self.keep()

    def keep(self):
        written = FOLDER / "results.tmp"
        written.write_text(json.dumps({**self.kept(), **self.runs}))
        written.replace(FOLDER / "results.json")

    async def halt(self):
        if self.work is not None:
            self.work.cancel()
            self.work = None

    async def stop(self, parent):
        if self.state != "Running":
            return ua.StatusCode(ua.StatusCodes.BadInvalidState)
        await self.halt()
        self.say("Stop")
        await self.show("Stopping")
        run = list(self.runs)[-1]
        await asyncio.sleep(0.1)
        if "ended" not in self.runs[run]:
            await self.end(run, "Stop", {"Temperature": 1.0}, whole=False)
        await self.show("Stopped")
        return []

    async def abort(self, parent):
        if self.state != "Running":
            return ua.StatusCode(ua.StatusCodes.BadInvalidState)
        await self.halt()
        self.say("Abort")
        await self.show("Aborting")
        run = list(self.runs)[-1]
        if "forgetting" in WORDS:
            await (await self.results.get_child(f"{self.own}:{run}")).delete(recursive=True)
        await asyncio.sleep(0.1)
        await self.show("Aborted")
        return []

    async def clear(self, parent):
        await self.show("Stopped")
        return []

    async def reset(self, parent):
        self.say("Reset")
        await self.show("Stopped")
        return []

    def say(self, what):
        with (FOLDER / "orders").open("a") as file:
            file.write(f"{what}\n")


async def main():
    logging.disable(logging.CRITICAL)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{PORT}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    if "shifted" in WORDS:
        for i in range(3):
            await server.register_namespace(f"urn:other:{i}")
    for name in ("Di", "AMB", "Machinery", "LADS"):
        await server.import_xml(xmlstring=legible(HERE / f"Opc.Ua.{name}.NodeSet2.xml"))
    furnace = Furnace(server)
    furnace.di = await server.get_namespace_index("http://opcfoundation.org/UA/DI/")
    await furnace.build()
    async with server:
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
