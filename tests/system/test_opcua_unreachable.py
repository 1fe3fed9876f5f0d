"""The OPC UA resource where nothing can be opened: no server, no package, no sense in the options."""

import asyncio
import socket
import sys
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from labwright.core.errors import MissingExtra, ResourceUnavailable
from labwright.resources.opcua import OpcUaResource

HEAT = {"heat": {"start": "a", "state": "b", "outputs": {"y": "c"}}}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def opened(options):
    return OpcUaResource.open("oven", OpcUaResource.Options.model_validate(options), Path())


async def test_an_unreachable_server_is_a_clear_error_within_seconds():
    url = f"opc.tcp://127.0.0.1:{free_port()}/"
    options = {"url": url, "capabilities": HEAT}
    began = time.monotonic()

    with pytest.raises(ResourceUnavailable, match=f"oven: the OPC UA server at {url} cannot be reached"):
        async with opened(options):
            pass

    assert time.monotonic() - began < 10


async def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "asyncua", None)

    with pytest.raises(MissingExtra, match=r"pip install '\.\[opcua\]'"):
        async with opened({"url": "opc.tcp://h:1", "capabilities": HEAT}):
            pass


async def test_a_server_that_speaks_something_else_is_a_clear_error_within_seconds():
    async def mute(reader, writer):
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(mute, "127.0.0.1", 0)
    url = f"opc.tcp://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
    options = {
        "url": url,
        "timeout_s": 0.5,
        "capabilities": HEAT,
    }
    async with listener:
        with pytest.raises(ResourceUnavailable, match="no answer in time"):
            async with opened(options):
                pass


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "http://localhost:80"}, "url"),
        ({"url": "opc.tcp://localhost"}, "url"),
        ({"capabilities": {}}, "capabilities"),
        ({"sotp": "Cell/Stop"}, "sotp"),
    ],
)
def test_options_that_cannot_be_are_refused(change, said):
    good = {"url": "opc.tcp://h:1", "capabilities": HEAT}

    with pytest.raises(ValidationError, match=said):
        OpcUaResource.Options.model_validate(good | change)
