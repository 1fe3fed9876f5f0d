"""The relay between a client and a server: what it does to one reply it does to no other."""

import asyncio
from contextlib import asynccontextmanager, suppress

from labwright.testing import Relay


@asynccontextmanager
async def echo():
    """A server that answers each line with the same; `heard` is what it was told."""
    heard = []

    async def talk(reader, writer):
        while line := await reader.readline():
            heard.append(line)
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server, Relay(f"127.0.0.1:{server.sockets[0].getsockname()[1]}") as relay:
        relay.heard = heard
        yield relay


@asynccontextmanager
async def connected(relay):
    reader, writer = await asyncio.open_connection(*relay.url.split(":"))

    async def say(word):
        writer.write(word)
        return await reader.readline()

    say.reader = reader
    yield say
    writer.close()


async def test_a_lost_reply_was_heard_and_the_next_connection_is_whole():
    async with echo() as relay:
        relay.lose_reply()
        async with connected(relay) as say:
            with suppress(ConnectionResetError):
                assert await say(b"one\n") == b""
        async with connected(relay) as say:
            assert await say(b"two\n") == b"two\n"

        assert relay.heard == [b"one\n", b"two\n"]


async def test_a_reply_is_doubled_once():
    async with echo() as relay, connected(relay) as say:
        relay.double_reply()

        assert [await say(b"one\n"), await say.reader.readline(), await say(b"two\n")] == [b"one\n", b"one\n", b"two\n"]
        assert relay.heard == [b"one\n", b"two\n"]
