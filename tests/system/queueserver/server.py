"""A bluesky RE Manager in processes of its own, with a Redis in memory.

`server.py FOLDER PORT [closed]`: `closed` leaves the environment closed. It ends when its input does.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import zmq
from fakeredis import TcpFakeServer

HERE = Path(__file__).parent


def redis():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = TcpFakeServer(("127.0.0.1", port), server_type="redis")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return port


def ask(port, method, **params):
    with zmq.Context.instance().socket(zmq.REQ) as sender:
        sender.linger, sender.rcvtimeo = 0, 2000
        sender.connect(f"tcp://127.0.0.1:{port}")
        sender.send_json({"method": method, "params": params})
        try:
            return sender.recv_json()
        except zmq.Again:
            return {}


def until(manager, port, **wanted):
    while manager.poll() is None and any(ask(port, "status").get(name) != value for name, value in wanted.items()):
        time.sleep(0.05)


def main(folder, port, *how):
    call = [str(Path(sys.executable).with_name("start-re-manager")), "--silent", "--zmq-publish-console=OFF"]
    call += [f"--zmq-control-addr=tcp://127.0.0.1:{port}", f"--redis-addr=localhost:{redis()}"]
    call += [f"--startup-script={HERE / 'startup.py'}", f"--user-group-permissions={HERE / 'permissions.yaml'}"]
    call += [f"--existing-plans-devices={folder / 'existing.yaml'}", "--update-existing-plans-devices=ENVIRONMENT_OPEN"]
    call += ["--redis-name-prefix=oven", f"--zmq-info-addr=tcp://127.0.0.1:{port + 1 if port < 65535 else port - 1}"]
    environment = os.environ | {"OVEN": str(folder)}
    manager = subprocess.Popen(call, env=environment, stdout=subprocess.DEVNULL)
    until(manager, port, manager_state="idle")
    ask(port, "environment_open")
    until(manager, port, manager_state="idle", worker_environment_exists=True)
    if "closed" in how:
        ask(port, "environment_close")
        until(manager, port, manager_state="idle", worker_environment_exists=False)
    if manager.poll() is not None:
        sys.exit("the RE Manager did not begin")
    print("ready", flush=True)
    sys.stdin.read()
    manager.kill()
    os.killpg(0, 9)  # its workers as well


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
