"""A private server: seen by nobody else, and gone at the end, however that comes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labwright.core.errors import NotFound, ResourceUnavailable
from labwright.testing import postgres
from labwright.testing.postgres import PrivateServer

HOLD = """
from labwright.testing.postgres import PrivateServer
with PrivateServer() as server:
    print(server.folder, flush=True)
    input()
"""


def test_a_server_leaves_nothing_behind(postgres_server):
    with PrivateServer() as server:
        assert server.execute("SELECT 1") == "1"
        folder = server.folder

    assert not folder.exists()


def test_a_server_ends_with_the_process_that_began_it_even_by_kill_9(postgres_server):
    held = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    folder = Path(held.stdout.readline().strip())
    server = int((folder / "data" / "postmaster.pid").read_text().split()[0])

    os.kill(held.pid, signal.SIGKILL)
    held.communicate()

    deadline = time.monotonic() + 30
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)


def test_what_the_server_refuses_is_told(postgres_server):
    with pytest.raises(ResourceUnavailable, match="does not exist"):
        postgres_server.execute("SELECT * FROM nowhere")


def test_without_programs_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(postgres, "NEEDED", ("no-such-program",))

    with pytest.raises(NotFound, match="apt install postgresql"):
        PrivateServer()
