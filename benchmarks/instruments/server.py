"""An OPC UA server in a process of its own: one oven, a hundred tags, an open and an encrypted endpoint.

python -m instruments.server FOLDER    print the url, and serve until the standard input ends
"""

import asyncio
import logging
import socket
import sys
import time
from pathlib import Path
from typing import Any

from asyncua import Server, ua
from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key, generate_self_signed_app_certificate
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

URI = "urn:labwright:benchmark"
TAGS, HERTZ = 100, 50


async def serve(folder: Path) -> None:
    """Serve until nobody listens any more."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    server = Server()
    await server.init()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"opc.tcp://127.0.0.1:{probe.getsockname()[1]}/"
    server.set_endpoint(url)
    await server.set_application_uri(URI)
    await secure(server, folder)
    await furnish(server)
    async with server:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def secure(server: Server, folder: Path) -> None:
    """Offer an encrypted endpoint beside the open one; the certificate lies where the client trusts it."""
    key = generate_private_key()
    names = [x509.UniformResourceIdentifier(URI), x509.DNSName("127.0.0.1")]
    shown = generate_self_signed_app_certificate(key, "Oven", {}, names, [ExtendedKeyUsageOID.SERVER_AUTH], 2)
    trusted = folder / "pki" / "trusted"
    trusted.mkdir(parents=True)
    (trusted / "oven.der").write_bytes(shown.public_bytes(Encoding.DER))
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity, ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    await server.load_certificate(shown.public_bytes(Encoding.DER), "der")
    await server.load_private_key(dump_private_key_as_pem(key), format="pem")


async def furnish(server: Server) -> None:
    """Build an oven that is done at once, and one that takes its time while its tags count."""
    for name, work in (("Quick", quick), ("Slow", slow)):
        oven = await server.nodes.objects.add_object(2, name)
        nodes = {
            n: await oven.add_variable(2, n, v) for n, v in {"X": 0.0, "Y": 0.0, "Id": "", "State": "idle"}.items()
        }
        await nodes["X"].set_writable()
        tags = [await oven.add_variable(2, f"Tag{i}", 0.0) for i in range(TAGS)] if work is slow else []
        takes = [ua.Argument(Name="id", DataType=ua.NodeId(12)), ua.Argument(Name="x", DataType=ua.NodeId(11))]
        await oven.add_method(2, "Heat", work(server, nodes, tags), takes, [])


def quick(server: Server, nodes: dict[str, Any], tags: list[Any]) -> Any:
    """Return a method that is done when it returns."""

    async def heat(parent: Any, command_id: Any, x: Any) -> list[Any]:
        await nodes["Y"].write_value(2 * x.Value)
        await nodes["Id"].write_value(command_id.Value)
        await nodes["State"].write_value("done")
        return []

    return heat


def slow(server: Server, nodes: dict[str, Any], tags: list[Any]) -> Any:
    """Return a method after which every tag counts, x seconds long."""

    async def count(seconds: float) -> None:
        start = time.perf_counter()
        for number in range(1, int(seconds * HERTZ) + 1):
            await asyncio.sleep(max(0.0, start + number / HERTZ - time.perf_counter()))
            for tag in tags:
                await server.write_attribute_value(tag.nodeid, ua.DataValue(ua.Variant(float(number))))
        await nodes["State"].write_value("done")

    async def heat(parent: Any, command_id: Any, x: Any) -> list[Any]:
        await nodes["Id"].write_value(command_id.Value)
        await nodes["State"].write_value("running")
        tasks.add(asyncio.create_task(count(x.Value)))
        return []

    tasks: set[asyncio.Task[None]] = set()
    return heat


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
