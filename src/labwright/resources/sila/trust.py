"""By which certificate a server is known, and what to do about one that nobody has trusted."""

import asyncio
import hashlib
import socket
import ssl
from pathlib import Path
from typing import Any

from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.resources.sila.options import ServerOptions

MOST_REJECTED = 50  # so that whoever answers at the address cannot fill the disk
OF_TRUST = ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification Check failed")


async def credentials(name: str, options: ServerOptions, folder: Path) -> Any:
    """Return what protects the connection, None where it is to be open; without either, raise ResourceUnavailable."""
    import grpc

    if options.insecure:
        return None
    if options.root_certificate is None:
        raise ResourceUnavailable(await untrusted(name, options, folder, "nobody has trusted here"))
    root = _read(name, folder / options.root_certificate)
    _check(name, folder / options.root_certificate, root)
    key = _read(name, folder / options.key) if options.key else None
    chain = _read(name, folder / options.certificate) if options.certificate else None
    return grpc.ssl_channel_credentials(root_certificates=root, private_key=key, certificate_chain=chain)


async def untrusted(name: str, options: ServerOptions, folder: Path, why: str) -> str:
    """Keep the certificate that the server shows, so that a person can trust it; return what to do."""
    try:
        shown = await asyncio.to_thread(_shown, options)
    except ssl.SSLError as error:
        return (
            f"{name}: the server at {options.url} offers no protected connection ({error.reason or error}). Nothing was"
            " sent. Let it use TLS; or, where nobody else is on its network, say `insecure: true`."
        )
    except OSError as error:
        return unreachable(name, options, str(error))
    der = ssl.PEM_cert_to_DER_cert(shown)
    sha256 = hashlib.sha256(der).hexdigest()
    rejected = folder / options.folder / "rejected"
    kept = await asyncio.to_thread(_keep, rejected / f"{sha256[:40]}.pem", shown)
    return (
        f"{name}: the server at {options.url} shows a certificate that {why}: SHA-256 {_pairs(sha256)}. Nothing was"
        f" sent. {kept} or, where nobody else is on its network, say `insecure: true`."
    )


def unreachable(name: str, options: ServerOptions, what: str) -> str:
    """Say that nobody answers at the address, and what to do."""
    return f"{name}: the SiLA server at {options.url} cannot be reached: {what}. Is it running, and is the url right?"


def _shown(options: ServerOptions) -> str:
    host, _, port = options.target.rpartition(":")
    address = (host.strip("[]"), int(port))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only to see what it shows: nothing is said over this connection
    with (
        socket.create_connection(address, timeout=options.timeout_s) as plain,
        context.wrap_socket(plain, server_hostname=address[0]) as protected,
    ):
        der = protected.getpeercert(binary_form=True)
    assert der is not None
    return ssl.DER_cert_to_PEM_cert(der)


def _keep(file: Path, shown: str) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        if len(list(file.parent.iterdir())) >= MOST_REJECTED:
            return f"{file.parent} is full: empty it to have this one kept as well;"
        file.write_text(shown, encoding="ascii")
    trusted = file.parent.parent / "trusted" / file.name
    return (
        f"It is kept as {file}. If the server itself, or whoever runs it, tells you the same SHA-256, move the file to"
        f" {trusted} and say `root_certificate: {trusted.parent.parent.name}/trusted/{file.name}`;"
    )


def _read(name: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{name}: {file} cannot be read: {error.strerror or error}.") from error


def _check(name: str, file: Path, pem: bytes) -> None:
    """Refuse what gRPC would only log and then not connect with."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{name}: {file} is not a certificate in PEM (-----BEGIN CERTIFICATE-----).") from error


def _pairs(digits: str) -> str:
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2)).upper()
