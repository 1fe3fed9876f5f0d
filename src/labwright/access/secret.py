"""Secrets of people: how they are made, kept as argon2id, and checked."""

import os
import secrets
import unicodedata
from dataclasses import dataclass

from labwright.core.errors import InvalidInput

SHORTEST = 12
LONGEST = 1000
DIFFERENT = 5  # characters, so that 'aaaaaaaaaaaa' is none
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # without what is easily misread: l, o, 0 and 1


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one check of a secret costs. The default is the second choice of RFC 9106, section 4."""

    memory_kib: int = 65_536
    passes: int = 3
    lanes: int = 4


COST = Cost()


def generate() -> str:
    """Return a new secret of 100 random bits, in four groups that can be read out."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(4))


def check_quality(secret: str) -> None:
    """Raise InvalidInput for a secret that is too easily guessed; the message never repeats it."""
    if not SHORTEST <= len(secret) <= LONGEST:
        raise InvalidInput(
            f"A secret has {SHORTEST} to {LONGEST} characters; this one has {len(secret)}. "
            "Choose another, or let Labwright make one."
        )
    if len(set(secret)) < DIFFERENT:
        raise InvalidInput(f"A secret has at least {DIFFERENT} different characters. Choose another.")


def seal(secret: str, cost: Cost = COST) -> str:
    """Return the argon2id hash of a secret, with a salt of its own, as a PHC string."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    check_quality(secret)
    made = Argon2id(
        salt=os.urandom(16), length=32, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory_kib
    )
    return made.derive_phc_encoded(_bytes(secret))


def matches(secret: str, sealed: str) -> bool:
    """Whether a PHC string was made of this secret, compared in constant time; an unreadable string matches nothing."""
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    if len(secret) > LONGEST:
        return False
    try:
        Argon2id.verify_phc_encoded(_bytes(secret), sealed)
    except (InvalidKey, ValueError):
        return False
    return True


def _bytes(secret: str) -> bytes:
    """Return one spelling of a secret: keyboards differ in how they compose an accent (RFC 8265, OpaqueString)."""
    return unicodedata.normalize("NFC", secret).encode("utf-8", "surrogatepass")
