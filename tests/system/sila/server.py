"""A SiLA 2 server in a process of its own: an oven that writes to a file what it physically begins.

`server.py FOLDER PORT [cancel] [secured | mutual]`: `cancel` offers a CancelController; `secured` writes the server's
certificate and key to FOLDER, and `mutual` lets in only who has them; `other` defines
the feature a little differently. It ends when its input does.
"""

import functools
import logging
import os
import sys
import threading
import time
from pathlib import Path
from queue import Queue

import grpc
from sila2.framework import CommandExecutionNotAccepted, DefinedExecutionError, Feature, ValidationError
from sila2.server import FeatureImplementationBase, SilaServer
from sila2.server.encryption import generate_self_signed_certificate

HERE = Path(__file__).parent
DEFINED = (HERE / "Oven.sila.xml").read_text()
OVEN = Feature(DEFINED.replace(">Steps<", ">Stages<") if "other" in sys.argv else DEFINED)
CANCEL = Feature(str(HERE / "CancelController.sila.xml"))


class Oven(FeatureImplementationBase):
    def __init__(self, server, log):
        super().__init__(server)
        self.log, self.halted, self.asked = log, threading.Event(), {}
        self._Current_producer_queue = Queue()
        self._Current_producer_queue.put(20.0)

    def begin(self, what):
        with self.log.open("a") as file:
            file.write(f"{what}\n")

    def Double(self, x, *, metadata):
        if x in (76, 77) and time.monotonic() < self.asked.setdefault(x, time.monotonic()) + 0.5:
            raise CommandExecutionNotAccepted("another one is under way")
        if x == 78:
            raise CommandExecutionNotAccepted("for ever")
        self.begin(f"Double {x:g}")
        if x == 13:
            raise DefinedExecutionError(OVEN.defined_execution_errors["DoorOpen"], "close it first")
        if x == 14:
            raise RuntimeError("the fuse")
        if x == 15:
            raise self.invalid("Double/Parameter/X")
        if x == 16:
            time.sleep(0.7)
        return float("nan") if x == 17 else 2 * x

    def Heat(self, target, duration, *, metadata, instance):
        self.halted.clear()
        self.begin(f"Heat {target:g}")
        if target == 13:
            raise DefinedExecutionError(OVEN.defined_execution_errors["DoorOpen"], "close it first")
        steps = 10
        for step in range(1, steps + 1):
            if self.halted.wait(duration / steps):
                raise RuntimeError("it was halted")
            now = target * step / steps
            instance.progress = step / steps
            instance.send_intermediate_response(now)
            self._Current_producer_queue.put(now)
        return target, steps, b"curve" * (500_000 if target == 199 else 1)

    def Tune(self, speed, mode, quiet, note, *, metadata):
        self.begin("Tune")
        return quiet, f"{speed} {mode} {note}"

    def Program(self, ramp, *, metadata):
        self.begin("Program")

    def Halt(self, *, metadata):
        self.begin("Halt")
        self.halted.set()

    def get_Serial(self, *, metadata):
        return "0815"

    def Current_on_subscription(self, *, metadata):
        return None

    def invalid(self, parameter):
        error = ValidationError("the sample would burn")
        error.parameter_fully_qualified_identifier = f"{OVEN.fully_qualified_identifier}/Command/{parameter}"
        return error


class CancelController(FeatureImplementationBase):
    def __init__(self, server, oven):
        super().__init__(server)
        self.oven = oven

    def CancelAll(self, *, metadata):
        self.oven.begin("CancelAll")
        self.oven.halted.set()


def main(folder, port, *how):
    logging.disable(logging.CRITICAL)
    server = SilaServer("Oven", "Oven", "An oven", "1.0", "https://example.org")
    oven = Oven(server, folder / "begun")
    server.set_feature_implementation(OVEN, oven)
    if "cancel" in how:
        server.set_feature_implementation(CANCEL, CancelController(server, oven))
    if "secured" in how or "mutual" in how:
        key, certificate = generate_self_signed_certificate(server.server_uuid, "127.0.0.1")
        (folder / "server.pem").write_bytes(certificate)
        (folder / "server.key").write_bytes(key)
        if "mutual" in how:  # sila2 itself cannot ask for the certificate of a client
            known = {"root_certificates": certificate, "require_client_auth": True}
            grpc.ssl_server_credentials = functools.partial(grpc.ssl_server_credentials, **known)
        server.start("127.0.0.1", port, private_key=key, cert_chain=certificate, enable_discovery=False)
    else:
        server.start_insecure("127.0.0.1", port, enable_discovery=False)
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)  # whatever goes on in its threads


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
