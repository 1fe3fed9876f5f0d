"""Signatures of limits files: Ed25519 over the exact bytes, never valid for anything else."""

from collections.abc import Sequence

from labwright.core.errors import InvalidInput, NotAuthorised

PURPOSE = b"labwright limits file, version 1\n"


def sign(data: bytes, private_key: bytes) -> bytes:
    """Return the signature, 64 bytes, of a limits file; the key is 32 raw bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(private_key).sign(PURPOSE + data)


def public_key(private_key: bytes) -> bytes:
    """Return the public key, 32 raw bytes, by which what a private key signs is known."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def check_signature(data: bytes, signature: bytes, trusted: Sequence[bytes], place: str) -> None:
    """Raise NotAuthorised unless one of the trusted public keys, each 32 raw bytes, signed these bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    for key in trusted:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, PURPOSE + data)
        except InvalidSignature:
            continue
        except ValueError as error:
            raise InvalidInput(f"{place}: found a trusted key of {len(key)} bytes, expected 32 raw ones.") from error
        return
    raise NotAuthorised(
        f"{place}: its signature was expected to be of one of {len(trusted)} trusted keys, and it is of none. Have "
        "these very bytes signed by someone who may; nothing is armed with them."
    )
