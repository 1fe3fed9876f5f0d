"""An OPC UA server that lets in only whom it trusts, and a client that talks only to a server that it trusts."""

import asyncio
import contextlib
import datetime
import logging
import shutil
import socket
from pathlib import Path

import pytest
import pytest_asyncio
from asyncua import Server, ua
from asyncua.crypto.cert_gen import (
    dump_private_key_as_pem,
    generate_private_key,
    generate_self_signed_app_certificate,
    sign_certificate_request,
)
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import ValidationError

from labwright.core.command import Command, Observation
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.recorder import Silent
from labwright.resources.opcua import OpcUaResource

pytestmark = pytest.mark.asyncio(loop_scope="module")
URI = "urn:labwright:test:server"
PASSWORD = "correct horse"


def certificate(key, name, *, uri=URI, host="127.0.0.1", issuer=None, days=365):
    """A certificate that is signed by itself, or by the issuer: a certificate and its key."""
    names = [x509.UniformResourceIdentifier(uri), x509.DNSName(host)]
    use = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    mine = generate_self_signed_app_certificate(key, name, {}, names, use, days)
    if issuer is None:
        return mine
    request = x509.CertificateSigningRequestBuilder().subject_name(mine.subject)
    for extension in mine.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName | x509.KeyUsage | x509.ExtendedKeyUsage):
            request = request.add_extension(extension.value, extension.critical)
    return sign_certificate_request(request.sign(key, hashes.SHA256()), *issuer, days)


def authority():
    key = generate_private_key()
    return generate_self_signed_app_certificate(key, "The plant", {}, [x509.DNSName("plant")], [], 365), key


class Users:
    def __init__(self, certificate=None):
        self.certificate = certificate

    def get_user(self, iserver, username=None, password=None, certificate=None):
        known = username == "operator" and password == PASSWORD
        held = certificate is not None and certificate == self.certificate
        return User(role=UserRole.User, name=username) if known or held else None


class Oven:
    """A server that doubles x, and counts what it physically does."""

    def __init__(self, folder: Path, policies, users=None):
        self.trusted, self.policies, self.users = folder / "server-trusts", policies, users
        self.trusted.mkdir(parents=True)
        self.started: list[str] = []
        self.afresh()

    def afresh(self):
        """Forget what was done, and trust nobody but a stranger."""
        self.started.clear()
        for file in self.trusted.iterdir():
            file.unlink()
        stranger = certificate(generate_private_key(), "Stranger")
        (self.trusted / "stranger.der").write_bytes(stranger.public_bytes(Encoding.DER))
        return self

    @contextlib.asynccontextmanager
    async def open(self, key=None, shown=None, uri=URI):
        logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)
        logging.getLogger("asyncuagds").setLevel(logging.CRITICAL + 1)
        server = Server(user_manager=self.users)
        await server.init()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"opc.tcp://127.0.0.1:{probe.getsockname()[1]}/"
        server.set_endpoint(self.url)
        await server.set_application_uri(uri)
        server.set_security_policy(self.policies)
        if self.users:
            server.set_identity_tokens([ua.UserNameIdentityToken, ua.X509IdentityToken])
        if key is not None:
            await server.load_certificate(shown.public_bytes(Encoding.DER), "der")
            await server.load_private_key(dump_private_key_as_pem(key), format="pem")
            server.set_certificate_validator(self._validate)
        await self._build(server)
        async with server:
            yield self

    async def _validate(self, shown, application):
        store = TrustStore([self.trusted], [])
        await store.load()
        options = CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.PEER_CLIENT
        await CertificateValidator(options, store)(shown, application)

    async def _build(self, server):
        oven = await server.nodes.objects.add_object(2, "Oven")
        values = {"X": 0.0, "Y": 0.0, "Id": "", "State": "idle"}
        nodes = {name: await oven.add_variable(2, name, value) for name, value in values.items()}

        async def heat(parent, command_id, x):
            self.started.append(command_id.Value)
            await nodes["Y"].write_value(2 * x.Value)
            await nodes["Id"].write_value(command_id.Value)
            await nodes["State"].write_value("done")
            return []

        takes = [ua.Argument(Name="id", DataType=ua.NodeId(12)), ua.Argument(Name="x", DataType=ua.NodeId(11))]
        await oven.add_method(2, "Heat", heat, takes, [])


@contextlib.asynccontextmanager
async def connected(oven, folder, **said):
    nodes = {"start": "Oven/Heat", "command_id": "Oven/Id", "state": "Oven/State"}
    heat = nodes | {"inputs": {"x": {"node": "Oven/X", "unit": "mm"}}, "outputs": {"y": {"node": "Oven/Y"}}}
    options = OpcUaResource.Options.model_validate(
        {"url": oven.url, "capabilities": {"heat": heat}, "timeout_s": 2, "reconnect_s": 0.3, **said}
    )
    async with OpcUaResource.open("oven", options, folder) as resource:
        yield resource


async def heat(resource, command_id="c1"):
    command = Command(command_id=command_id, epoch=1, capability="heat", inputs={"x": 3.0})
    return await resource.run(command, Silent())


async def refused(oven, folder, **said):
    with pytest.raises(ResourceUnavailable) as error:
        async with connected(oven, folder, **said):
            pass
    assert oven.started == []
    return str(error.value)


ENCRYPTED, SIGNED = ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt, ua.SecurityPolicyType.Basic256Sha256_Sign


@pytest.fixture(scope="module")
def key():
    return generate_private_key()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def encrypted(tmp_path_factory, key):
    async with Oven(tmp_path_factory.mktemp("encrypted"), [ENCRYPTED]).open(key, certificate(key, "Oven")) as oven:
        yield oven


@pytest.fixture
def oven(encrypted):
    """A server with one encrypted endpoint, that trusts nobody we know."""
    return encrypted.afresh()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def with_users(tmp_path_factory, key):
    users = Users(certificate(key, "Ada").public_bytes(Encoding.DER))
    folder = tmp_path_factory.mktemp("guarded")
    async with Oven(folder, [ENCRYPTED], users).open(key, certificate(key, "Oven")) as oven:
        yield oven


@pytest.fixture
def guarded(with_users):
    """The same with people to log in."""
    return with_users.afresh()


async def befriend(oven, folder):
    """Let both trust each other, as a person does after the two first refusals."""
    assert "nobody has trusted here" in await refused(oven, folder, security={})
    [shown] = (folder / "pki" / "rejected").iterdir()
    shown.rename((folder / "pki" / "trusted").mkdir() or folder / "pki" / "trusted" / shown.name)
    shutil.copy(folder / "pki" / "own" / "certificate.der", oven.trusted / "labwright.der")


async def test_commands_run_over_an_encrypted_connection_once_both_sides_trust_each_other(oven, tmp_path):
    await befriend(oven, tmp_path)

    async with connected(oven, tmp_path, security={}) as resource:
        outcome = await heat(resource)

    assert isinstance(outcome, Observation)
    assert outcome.values["y"].value == 6.0
    assert oven.started == ["c1"]


async def test_a_server_that_nobody_trusts_is_refused_and_its_certificate_kept_for_a_person(oven, tmp_path):
    words = await refused(oven, tmp_path, security={})

    [kept] = (tmp_path / "pki" / "rejected").iterdir()
    shown = x509.load_der_x509_certificate(kept.read_bytes())
    assert shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "Oven"
    assert shown.fingerprint(hashes.SHA1()).hex(":").upper() in words
    assert "nobody has trusted here" in words
    assert str(kept) in words


async def test_a_server_that_does_not_trust_us_is_named_with_the_certificate_that_it_should_trust(oven, tmp_path):
    await befriend(oven, tmp_path)
    (oven.trusted / "labwright.der").unlink()

    words = await refused(oven, tmp_path, security={})

    assert "it does not trust our certificate" in words
    assert str(tmp_path / "pki" / "own" / "certificate.der") in words


async def test_another_certificate_in_the_name_of_a_trusted_server_is_refused(oven, tmp_path):
    (tmp_path / "pki" / "trusted").mkdir(parents=True)
    other = certificate(generate_private_key(), "Oven")
    (tmp_path / "pki" / "trusted" / "oven.pem").write_bytes(other.public_bytes(Encoding.PEM))

    assert "nobody has trusted here" in await refused(oven, tmp_path, security={})


async def test_a_certificate_that_a_trusted_authority_signed_is_trusted_for_its_host_only(tmp_path, key):
    plant, secret = authority()
    for host, allowed in (("127.0.0.1", True), ("elsewhere", False)):
        folder = tmp_path / host
        (folder / "pki" / "trusted").mkdir(parents=True)
        (folder / "pki" / "trusted" / "plant.der").write_bytes(plant.public_bytes(Encoding.DER))
        shown = certificate(key, "Oven", host=host, issuer=(plant, secret))
        async with Oven(folder, [ENCRYPTED]).open(key, shown) as oven:
            words = await refused(oven, folder, security={})

        assert ("does not trust our certificate" in words) is allowed
        assert ("is not for the host 127.0.0.1" in words) is not allowed


async def test_a_revoked_certificate_is_refused(tmp_path, key):
    plant, secret = authority()
    shown = certificate(key, "Oven", issuer=(plant, secret))
    now = datetime.datetime.now(datetime.UTC)
    revoked = x509.RevokedCertificateBuilder().serial_number(shown.serial_number).revocation_date(now).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(plant.subject).last_update(now)
    revocations = builder.next_update(now + datetime.timedelta(days=1)).add_revoked_certificate(revoked)
    for name, content in {
        "trusted/plant.der": plant.public_bytes(Encoding.DER),
        "crl/plant.der": revocations.sign(secret, hashes.SHA256()).public_bytes(Encoding.DER),
    }.items():
        (tmp_path / "pki" / name).parent.mkdir(parents=True)
        (tmp_path / "pki" / name).write_bytes(content)

    async with Oven(tmp_path, [ENCRYPTED]).open(key, shown) as oven:
        assert "has been revoked" in await refused(oven, tmp_path, security={})


@pytest.mark.parametrize(("shown", "words"), [({"days": 0}, "not valid today"), ({"uri": "urn:x"}, "does not name")])
async def test_a_trusted_certificate_must_still_be_valid_and_name_its_application(tmp_path, key, shown, words):
    mine = certificate(key, "Oven", **shown)
    (tmp_path / "pki" / "trusted").mkdir(parents=True)
    (tmp_path / "pki" / "trusted" / "oven.der").write_bytes(mine.public_bytes(Encoding.DER))

    async with Oven(tmp_path, [ENCRYPTED]).open(key, mine) as oven:
        assert words in await refused(oven, tmp_path, security={})


async def test_an_open_connection_to_a_server_that_offers_none_is_refused_with_what_to_do(oven, tmp_path):
    assert "Say `security:`" in await refused(oven, tmp_path)


async def test_a_server_without_the_wanted_protection_is_refused_and_never_talked_to_openly(tmp_path, key):
    for policies, offered in (([ua.SecurityPolicyType.NoSecurity], "None None_"), ([SIGNED], "Basic256Sha256 Sign")):
        folder = tmp_path / policies[0].name
        async with Oven(folder, policies).open(key, certificate(key, "Oven")) as oven:
            words = await refused(oven, folder, security={})

        assert "does not offer Basic256Sha256 with sign_and_encrypt" in words
        assert offered in words


async def test_messages_may_be_signed_only(tmp_path, key):
    async with Oven(tmp_path, [SIGNED, ENCRYPTED]).open(key, certificate(key, "Oven")) as oven:
        await befriend(oven, tmp_path)
        async with connected(oven, tmp_path, security={"mode": "sign"}) as resource:
            assert isinstance(await heat(resource), Observation)


@pytest.mark.parametrize("way", ["env", "file"])
async def test_a_user_logs_in_with_a_password_that_does_not_stand_in_the_file(guarded, tmp_path, monkeypatch, way):
    await befriend(guarded, tmp_path)
    monkeypatch.setenv("OVEN_PASSWORD", PASSWORD)
    (tmp_path / "password").write_text(PASSWORD + "\n")
    password = {"env": {"password_env": "OVEN_PASSWORD"}, "file": {"password_file": "password"}}[way]

    async with connected(guarded, tmp_path, security={}, user={"name": "operator", **password}) as resource:
        assert isinstance(await heat(resource), Observation)


async def test_a_user_logs_in_with_a_certificate(guarded, tmp_path, key):
    await befriend(guarded, tmp_path)
    (tmp_path / "ada.pem").write_bytes(certificate_of(guarded).public_bytes(Encoding.PEM))
    (tmp_path / "ada.key").write_bytes(dump_private_key_as_pem(key))

    user = {"certificate": "ada.pem", "key": "ada.key"}
    async with connected(guarded, tmp_path, security={}, user=user) as resource:
        assert isinstance(await heat(resource), Observation)


def certificate_of(oven):
    return x509.load_der_x509_certificate(oven.users.certificate)


async def test_a_wrong_password_and_a_strange_certificate_and_nobody_are_refused(guarded, tmp_path, monkeypatch, key):
    await befriend(guarded, tmp_path)
    monkeypatch.setenv("OVEN_PASSWORD", "wrong")
    (tmp_path / "eve.pem").write_bytes(certificate(key, "Eve").public_bytes(Encoding.PEM))
    (tmp_path / "eve.key").write_bytes(dump_private_key_as_pem(key))
    strange = {"certificate": "eve.pem", "key": "eve.key"}

    wrong = await refused(guarded, tmp_path, security={}, user={"name": "operator", "password_env": "OVEN_PASSWORD"})
    assert "it does not let 'operator' in" in wrong
    assert "wrong;" not in wrong
    assert "eve.pem" in await refused(guarded, tmp_path, security={}, user=strange)
    assert "Say `user:`" in await refused(guarded, tmp_path, security={})


async def test_a_password_that_is_nowhere_is_missed_before_anything_is_sent(guarded, tmp_path):
    await befriend(guarded, tmp_path)
    with pytest.raises(InvalidInput, match="OVEN_PASSWORD, which is not set"):
        async with connected(guarded, tmp_path, security={}, user={"name": "ada", "password_env": "OVEN_PASSWORD"}):
            pass


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"user": {"name": "ada", "password_env": "P"}}, "needs security"),
        ({"security": {"mode": "sign"}, "user": {"name": "ada", "password_env": "P"}}, "sign_and_encrypt"),
        ({"security": {}, "user": {"name": "ada", "password": "secret"}}, "password"),
        ({"security": {}, "user": {"name": "ada"}}, "expected name and one of"),
        ({"security": {"certificate": "a.der"}}, "belong together"),
        ({"security": {"policy": "Basic128Rsa15"}}, "Basic256Sha256"),
    ],
)
async def test_what_would_not_protect_is_refused_in_the_file(said, words):
    capability = {"start": "a", "state": "b", "outputs": {"y": "c"}}
    with pytest.raises(ValidationError, match=words):
        OpcUaResource.Options.model_validate({"url": "opc.tcp://h:4840", "capabilities": {"heat": capability}, **said})


async def test_our_own_key_is_made_once_for_our_eyes_only(oven, tmp_path):
    await asyncio.gather(*(refused(oven, tmp_path, security={}) for _ in range(3)))

    home = tmp_path / "pki" / "own"
    assert (home / "key.pem").stat().st_mode & 0o077 == 0
    assert sorted(file.name for file in (tmp_path / "pki").iterdir()) == ["own", "rejected"]
    before = (home / "certificate.der").read_bytes()
    await refused(oven, tmp_path, security={})
    assert (home / "certificate.der").read_bytes() == before


async def test_a_file_among_the_trusted_that_is_no_certificate_is_named(oven, tmp_path):
    (tmp_path / "pki" / "trusted").mkdir(parents=True)
    (tmp_path / "pki" / "trusted" / "notes.txt").write_text("not a certificate")
    with pytest.raises(InvalidInput, match=r"notes\.txt cannot be read as a certificate"):
        async with connected(oven, tmp_path, security={}):
            pass
