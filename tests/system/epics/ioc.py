"""An EPICS IOC in a process of its own: an oven that writes to a file whatever is put to it.

`ioc.py FOLDER DEVICE CA_PORT PVA_PORT`, on loopback only. For each line of its input it says `written` when all that
was put before is in the file. It ends when its input does.
"""

import asyncio
import functools
import os
import sys
from pathlib import Path


def confine(ca_port, pva_port):
    """Let the server and its searches be seen on loopback only; to be called before anything of EPICS is imported."""
    loopback = "127.0.0.1"
    os.environ |= {
        "EPICS_CAS_INTF_ADDR_LIST": loopback,
        "EPICS_CAS_BEACON_ADDR_LIST": loopback,
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_CA_SERVER_PORT": str(ca_port),
        "EPICS_CA_ADDR_LIST": loopback,
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVAS_INTF_ADDR_LIST": loopback,
        "EPICS_PVAS_BEACON_ADDR_LIST": loopback,
        "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_PVAS_SERVER_PORT": str(pva_port),
        "EPICS_PVAS_BROADCAST_PORT": str(pva_port),
    }


class Oven:
    """Whatever is put is written down first; then the oven does it."""

    def __init__(self, log, device):
        from softioc import alarm, builder

        self.log, self.alarm, self.heating, self.ramp = log, alarm, None, None
        builder.SetDeviceName(device)
        put = functools.partial(dict, always_update=True)
        limits = {"DRVL": 0, "DRVH": 200, "EGU": "degC", "PREC": 2}
        self.sp = builder.aOut("SP", **put(on_update=self.taken("SP"), **limits))
        self.rbv = builder.aIn("RBV", initial_value=20, EGU="degC", LOPR=0, HOPR=300)
        self.slow = builder.aOut("SLOW", blocking=True, **put(on_update=self.slowly, DRVL=0, DRVH=9, EGU="mm"))
        self.clipped = builder.aOut("CLIPPED", **put(on_update=self.taken("CLIPPED"), DRVL=0, DRVH=100))
        self.free = builder.aOut("FREE", **put(on_update=self.taken("FREE")))
        self.count = builder.longOut("COUNT", initial_value=1, **put(on_update=self.taken("COUNT"), DRVL=1, DRVH=50))
        self.mode = builder.mbbOut("MODE", "slow", "fast", "idle", initial_value=2, **put(on_update=self.taken("MODE")))
        self.name = builder.stringOut("NAME", **put(on_update=self.taken("NAME")))
        self.start = builder.stringOut("START", **put(on_update=self.begin))
        self.go = builder.boolOut("GO", "no", "yes", **put(on_update=self.begin))
        self.id = builder.stringIn("ID")
        self.state = builder.mbbIn("STATE", "idle", "running", "done", "failed", "asleep")
        self.why = builder.stringIn("WHY")
        self.progress = builder.aIn("PROGRESS", EGU="%")
        self.y = builder.aIn("Y", EGU="degC", initial_value=0)
        self.judged = builder.aIn("JUDGED", HIHI=90, HHSV="MAJOR", HIGH=50, HSV="MINOR", initial_value=1)
        self.judge = builder.aOut("JUDGE", blocking=True, **put(on_update=self.judges))
        self.never = builder.aIn("NEVER")
        self.wave = builder.WaveformIn("WAVE", [1.0, 2.0])
        self.coulomb = builder.aOut("COULOMB", **put(on_update=self.taken("COULOMB"), EGU="C", DRVL=0, DRVH=9))
        self.odd = builder.aOut("ODD", **put(on_update=self.taken("ODD"), EGU="blinks", DRVL=0, DRVH=9))
        self.safe = builder.boolOut("SAFE", "open", "closed", **put(on_update=self.make_safe))
        self.sent = builder.longIn("SENT")
        builder.longOut("SEND", **put(on_update=self.send), blocking=True)

    def begin_with(self, what):
        with self.log.open("a") as file:
            file.write(f"{what}\n")

    def taken(self, name):
        def take(value):
            self.begin_with(f"{name} {value}")
            if name == "SP":
                self.ramp = asyncio.create_task(self.approach(value))

        return take

    async def approach(self, wanted):
        """13 is never reached."""
        if wanted == 13:
            return
        now = self.rbv.get()
        for step in range(1, 6):
            await asyncio.sleep(0.02)
            self.rbv.set(now + (wanted - now) * step / 5)
        self.y.set(2 * wanted)

    async def slowly(self, value):
        """Complete the put after as many seconds."""
        self.begin_with(f"SLOW {value}")
        await asyncio.sleep(value)

    def judges(self, value):
        """-1 is no value at all."""
        self.begin_with(f"JUDGE {value}")
        if value == -1:
            self.judged.set(value, severity=self.alarm.INVALID_ALARM, alarm=self.alarm.COMM_ALARM)
        else:
            self.judged.set(value)

    def begin(self, value):
        """Heat to the set point; the mode says how, and the count how many 50 ms it takes."""
        self.begin_with(f"START {value}")
        self.heating = asyncio.create_task(self.heat(value))

    async def heat(self, value):
        if self.sp.get() == 14:
            return  # it is never taken up
        if self.sp.get() != 15:
            self.id.set(str(value))
        if self.sp.get() == 97:  # its id comes before its state
            await asyncio.sleep(0.2)
        if self.sp.get() == 98:  # it says once more that the one before is done, and begins late
            self.state.set(2, severity=self.alarm.MINOR_ALARM, alarm=self.alarm.STATE_ALARM)
            await asyncio.sleep(0.3)
        steps = self.count.get() or 1
        self.state.set(1)
        for step in range(steps):
            await asyncio.sleep(0.05)
            self.progress.set(100 * (step + 1) / steps)
        if self.sp.get() == 99:
            self.why.set("the fuse")
            self.state.set(3)
            return
        self.y.set(2 * self.sp.get())
        self.state.set(2)

    def make_safe(self, value):
        self.begin_with(f"SAFE {value}")
        if self.heating is not None:
            self.heating.cancel()
        self.state.set(0)

    async def send(self, count):
        """Let so many changes be seen, one after the other."""
        for number in range(1, count + 1):
            self.sent.set(number)
            await asyncio.sleep(0.005)


def main(folder, device, ca_port, pva_port):
    confine(ca_port, pva_port)
    from softioc import asyncio_dispatcher, builder, softioc

    loop = asyncio_dispatcher.AsyncioDispatcher()
    oven = Oven(folder / "begun", device)
    builder.LoadDatabase()
    softioc.iocInit(loop)
    print("ready", flush=True)
    for _ in sys.stdin:
        loop(tell, (oven,))
    os._exit(0)


async def tell(oven):
    """Say that all is written, and that nothing moves any more."""
    await asyncio.sleep(0.01)
    if oven.ramp is not None:
        await oven.ramp
    print("written", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
