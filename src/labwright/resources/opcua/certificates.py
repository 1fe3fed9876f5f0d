"""The certificates of a connection: our own, made once, and those of the servers that people trust."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.resources.opcua.options import SecurityPart

if TYPE_CHECKING:
    from cryptography import x509

VALID_DAYS = 5 * 365
_UNTRUSTED = "nobody has trusted here"
MOST_REJECTED = 50  # so that whoever answers at the address cannot fill the disk


@dataclass(frozen=True, kw_only=True)
class Own:
    """Our own certificate and its key. `uri` names the application, as the certificate does."""

    certificate: Path
    key: Path
    uri: str
    thumbprint: str


def own(name: str, part: SecurityPart, folder: Path) -> Own:
    """Return the certificate that the file names, or the one in the folder, which is made on first use."""
    if part.certificate is None or part.key is None:
        home = folder / part.folder / "own"
        certificate_file, key_file = home / "certificate.der", home / "key.pem"
        if not home.exists():
            _make(home)
    else:
        certificate_file, key_file = folder / part.certificate, folder / part.key
    certificate = pair(name, certificate_file, key_file)
    if certificate.not_valid_after_utc < datetime.now(UTC):
        until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
        raise InvalidInput(
            f"{name}: our own certificate {certificate_file} was valid until {until}."
            f" Move {certificate_file.parent} away to have a new one made, and have the server trust that."
        )
    uri = next(iter(_uris(certificate)), "")
    return Own(certificate=certificate_file, key=key_file, uri=uri, thumbprint=thumbprint(certificate))


def pair(name: str, certificate_file: Path, key_file: Path) -> "x509.Certificate":
    """Return a certificate whose key is there; anything else raises InvalidInput."""
    certificate = read(certificate_file, name)
    if not key_file.is_file():
        raise InvalidInput(f"{name}: {key_file} is not there; it should be the key of {certificate_file}.")
    return certificate


def _make(home: Path) -> None:
    """Make a key and a certificate for it, both or neither, whoever else does so at the same time."""
    from asyncua.crypto.cert_gen import (
        dump_private_key_as_pem,
        generate_private_key,
        generate_self_signed_app_certificate,
    )
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import ExtendedKeyUsageOID

    host = socket.gethostname()
    names = [x509.UniformResourceIdentifier(f"urn:{host}:labwright"), x509.DNSName(host)]
    key, use = generate_private_key(), [ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = generate_self_signed_app_certificate(key, "Labwright", {}, names, use, VALID_DAYS)
    home.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".own-", dir=home.parent))  # for our eyes only, as mkdtemp makes it
    (made / "key.pem").write_bytes(dump_private_key_as_pem(key))
    (made / "key.pem").chmod(0o600)
    (made / "certificate.der").write_bytes(certificate.public_bytes(Encoding.DER))
    try:
        made.rename(home)
    except OSError:
        shutil.rmtree(made)
        if not home.is_dir():
            raise


async def check_server(name: str, url: str, shown: bytes, application: Any, pki: Path) -> None:
    """Raise ResourceUnavailable unless the certificate that a server shows is valid and trusted in the folder.

    A certificate that itself lies in `trusted` is taken as it stands; one that another in `trusted` has signed must
    also bear the name of the host. `crl`, where there is such a folder, holds lists of revoked ones.
    """
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(shown)
    trusted = list(_all_in(pki / "trusted", name))
    pinned = certificate in trusted
    problem = await _problem(certificate, application, pki, pinned) if trusted else _UNTRUSTED
    if problem is None and not pinned and not _is_of_host(certificate, urlparse(url).hostname or ""):
        problem = f"is not for the host {urlparse(url).hostname}"
    if problem is None:
        return
    kept = _keep_rejected(certificate, shown, pki / "rejected")
    raise ResourceUnavailable(
        f"{name}: the server at {url} shows a certificate that {problem}:"
        f" {certificate.subject.rfc4514_string() or 'without a name'}, SHA-1 {thumbprint(certificate)}.{kept}"
    )


async def _problem(certificate: "x509.Certificate", application: Any, pki: Path, pinned: bool) -> str | None:
    from asyncua.common.utils import ServiceError
    from asyncua.crypto.truststore import TrustStore
    from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
    from asyncua.ua import StatusCodes

    words = {
        StatusCodes.BadCertificateTimeInvalid: "is not valid today",
        StatusCodes.BadCertificateUriInvalid: f"does not name the application {application.ApplicationUri}",
        StatusCodes.BadCertificateUntrusted: _UNTRUSTED,
        StatusCodes.BadCertificateRevoked: "has been revoked",
        StatusCodes.BadCertificateInvalid: "does not name its application",
    }
    checks = CertificateValidatorOptions
    wanted = checks.BASIC_VALIDATION | checks.REVOKED | checks.PEER_SERVER
    store = TrustStore([pki / "trusted"], [pki / "crl"] if (pki / "crl").is_dir() else [])
    try:
        await store.load()
        validator = CertificateValidator(wanted if pinned else wanted | checks.TRUSTED, store)
        await validator(certificate, application)
    except ServiceError as error:
        return words.get(error.code, f"is refused with the status {error}")
    except ValueError as error:
        return f"cannot be checked, for a list in {pki / 'crl'} cannot be read ({error})"
    return None


def _keep_rejected(certificate: "x509.Certificate", shown: bytes, rejected: Path) -> str:
    """Keep a certificate that was not trusted, so that a person can; return what to do."""
    file = rejected / f"{thumbprint(certificate).replace(':', '').lower()}.der"
    rejected.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        if len(list(rejected.iterdir())) >= MOST_REJECTED:
            return f" {rejected} is full; empty it to have this one kept as well."
        file.write_bytes(shown)
    return (
        f" It is kept as {file}. If the server itself, or whoever runs it, tells you the same SHA-1,"
        f" move the file to {rejected.parent / 'trusted'}. Nothing was sent."
    )


def read(file: Path, name: str) -> "x509.Certificate":
    """Read a certificate, as DER or PEM; one that cannot be read raises InvalidInput."""
    from cryptography import x509

    try:
        data = file.read_bytes()
        pem = data.lstrip().startswith(b"-----BEGIN")
        return x509.load_pem_x509_certificate(data) if pem else x509.load_der_x509_certificate(data)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{name}: {file} cannot be read as a certificate (DER or PEM): {error}") from error


def thumbprint(certificate: "x509.Certificate") -> str:
    """Return the SHA-1 by which OPC UA tools name a certificate, as pairs of digits."""
    from cryptography.hazmat.primitives.hashes import SHA1

    return certificate.fingerprint(SHA1()).hex(":").upper()  # noqa: S303


def _all_in(folder: Path, name: str) -> Iterator["x509.Certificate"]:
    if folder.is_dir():
        yield from (read(file, name) for file in sorted(folder.iterdir()) if not file.name.startswith("."))


def _is_of_host(certificate: "x509.Certificate", host: str) -> bool:
    from cryptography import x509

    names = _alternative_names(certificate)
    if names is None:
        return False
    hosts = names.get_values_for_type(x509.DNSName) + [str(ip) for ip in names.get_values_for_type(x509.IPAddress)]
    return host.lower() in {named.lower() for named in hosts}


def _uris(certificate: "x509.Certificate") -> list[str]:
    from cryptography import x509

    names = _alternative_names(certificate)
    return names.get_values_for_type(x509.UniformResourceIdentifier) if names is not None else []


def _alternative_names(certificate: "x509.Certificate") -> "x509.SubjectAlternativeName | None":
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
