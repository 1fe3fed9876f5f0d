"""How client and server prove to each other who they are, before anything else is said."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.resources.opcua.certificates import check_server, own, pair
from labwright.resources.opcua.options import Mode, ServerOptions, UserPart

UNTRUSTED = ("BadCertificate", "BadSecurityChecksFailed")
NOT_LET_IN = ("BadUserAccessDenied", "BadIdentityToken", "BadUserSignatureInvalid")


class Security:
    """Makes a client secure and gives it its user, as the options say, and tells why a server refused it."""

    def __init__(self, name: str, options: ServerOptions, folder: Path) -> None:
        self._name, self._url, self._folder = name, options.url, folder
        self._part, self._user = options.security, options.user
        self._own = own(name, self._part, folder) if self._part else None
        if self._user is not None and self._user.certificate is not None and self._user.key is not None:
            pair(name, folder / self._user.certificate, folder / self._user.key)

    async def apply(self, client: Any) -> None:
        """Choose the endpoint, check its certificate, and log in with the next connection."""
        if self._part is None or self._own is None:
            return
        from asyncua.crypto import security_policies

        endpoint = self._choose(await client.connect_and_get_server_endpoints())
        shown = _first(endpoint.ServerCertificate)
        await check_server(self._name, self._url, shown, endpoint.Server, self._folder / self._part.folder)
        if self._own.uri:
            client.application_uri = self._own.uri
        try:
            await client.set_security(
                getattr(security_policies, f"SecurityPolicy{self._part.policy}"),
                _encoded(self._own.certificate),
                _encoded(self._own.key),
                server_certificate=shown,
                mode=_mode(self._part.mode),
            )
            if self._user is not None:
                await self._log_in(client, self._user)
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"{self._name}: a certificate or a key cannot be used: {error}") from error

    def why_refused(self, status: str) -> str:
        """Say what a server means that refused the connection with that status."""
        if status.startswith(NOT_LET_IN):
            return self._why_not_let_in()
        if status.startswith(UNTRUSTED) and self._own is not None:
            return (
                f"it does not trust our certificate {self._own.certificate} (SHA-1 {self._own.thumbprint})."
                " Let whoever runs the server trust it"
            )
        if self._part is None:
            return "perhaps it offers no open connection. Say `security:`, then `labwright check`"
        return "it refuses the connection"

    def _why_not_let_in(self) -> str:
        if self._user is None:
            return "it lets nobody in who does not log in. Say `user:`"
        if self._user.name is None:
            return f"it does not let in whoever holds {self._user.certificate}"
        return f"it does not let {self._user.name!r} in. The name or the password is wrong, or that user may not"

    def _choose(self, endpoints: Sequence[Any]) -> Any:
        from asyncua.crypto import security_policies

        assert self._part is not None
        uri = getattr(security_policies, f"SecurityPolicy{self._part.policy}").URI
        for endpoint in endpoints:
            if endpoint.SecurityPolicyUri == uri and endpoint.SecurityMode == _mode(self._part.mode):
                return endpoint
        there = sorted({f"{_policy(e)} {e.SecurityMode.name}" for e in endpoints})
        raise ResourceUnavailable(
            f"{self._name}: the server at {self._url} does not offer {self._part.policy} with {self._part.mode}."
            f" It offers: {', '.join(there) or 'nothing'}."
        )

    async def _log_in(self, client: Any, user: UserPart) -> None:
        if user.name is not None:
            client.set_user(user.name)
            client.set_password(self._password(user))
            return
        assert user.certificate is not None and user.key is not None
        certificate, key = _encoded(self._folder / user.certificate), _encoded(self._folder / user.key)
        await client.load_client_certificate(certificate.path_or_content, certificate.extension)
        await client.load_private_key(key.path_or_content, extension=key.extension)

    def _password(self, user: UserPart) -> str:
        if user.password_env is not None:
            password = os.environ.get(user.password_env)
            if not password:
                raise InvalidInput(
                    f"{self._name}: user: the password of {user.name!r} should stand in the environment variable"
                    f" {user.password_env}, which is not set. Set it and try again."
                )
            return password
        assert user.password_file is not None
        file = self._folder / user.password_file
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{self._name}: user: the password of {user.name!r} cannot be read: {error}") from error


def _mode(mode: Mode) -> Any:
    from asyncua.ua import MessageSecurityMode

    return MessageSecurityMode.Sign if mode is Mode.SIGN else MessageSecurityMode.SignAndEncrypt


def _policy(endpoint: Any) -> str:
    return str(endpoint.SecurityPolicyUri).rpartition("#")[2].replace("_", "")


def _first(chain: bytes) -> bytes:
    """Return the first certificate of a chain: the server's own."""
    from asyncua.crypto.uacrypto import der_from_x509, x509_from_der

    return bytes(der_from_x509(x509_from_der(chain)))


def _encoded(file: Path) -> Any:
    """Return a certificate or a key in the words of asyncua; what it is stands in it, not in its name."""
    from asyncua.crypto.uacrypto import CertProperties

    data = file.read_bytes()
    return CertProperties(data, extension="pem" if data.lstrip().startswith(b"-----BEGIN") else "der")
