"""A blueapi server in processes of its own.

`server.py FOLDER PORT`. It ends when its input does.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path


def main(folder, port):
    url = f"http://127.0.0.1:{port}"
    config = {
        "api": {"url": url},
        "env": {"sources": [{"kind": "planFunctions", "module": "plans"}]},
        "logging": {"level": "CRITICAL"},
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    call = [sys.executable, "-m", "blueapi", "--config", str(folder / "config.yaml"), "serve"]
    environment = os.environ | {"OVEN": str(folder), "PYTHONPATH": str(Path(__file__).parent)}
    server = subprocess.Popen(call, env=environment, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    while server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/api/v1/environment", timeout=1) as answer:
            if json.load(answer)["initialized"]:
                break
        time.sleep(0.05)
    if server.poll() is not None:
        sys.exit("blueapi did not begin")
    print("ready", flush=True)
    sys.stdin.read()
    os.killpg(0, 9)  # its workers as well


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
