"""Where IOCs are searched."""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from labwright.core.errors import InvalidInput, MissingExtra

CA_LIST, CA_AUTO = "EPICS_CA_ADDR_LIST", "EPICS_CA_AUTO_ADDR_LIST"
PVA_LIST, PVA_AUTO = "EPICS_PVA_ADDR_LIST", "EPICS_PVA_AUTO_ADDR_LIST"


def require_clients(name: str) -> None:
    """Raise MissingExtra where the clients are not installed."""
    if find_spec("aioca") is None or find_spec("p4p") is None:
        raise MissingExtra("epics", f"The EPICS resource {name!r}")


def searched(addresses: Sequence[str] | None, protocol: str) -> str:
    """Say where a protocol searches, for people."""
    if addresses is not None:
        return f"at {_of(addresses, protocol)} (`addresses`)"
    wanted = {"ca": (CA_LIST, CA_AUTO), "pva": (PVA_LIST, PVA_AUTO)}[protocol]
    said = [f"{name}={os.environ[name]}" for name in wanted if name in os.environ]
    return f"as the environment says ({', '.join(said) or 'nothing: by broadcast'})"


def pva_settings(addresses: Sequence[str] | None) -> Mapping[str, str] | None:
    """Return the settings of a client of PVAccess; None: those of the environment."""
    return None if addresses is None else {PVA_LIST: _of(addresses, "pva"), PVA_AUTO: "NO"}


def confine_ca(name: str, addresses: Sequence[str] | None) -> None:
    """Let Channel Access search at these addresses only; InvalidInput where the process searches elsewhere already.

    libca reads the environment once, when it first searches, and has one list for the whole process.
    """
    wanted = _of(addresses or (), "ca")
    if not wanted:
        return
    found = os.environ.get(CA_LIST)
    if found == wanted and os.environ.get(CA_AUTO, "").upper() == "NO":
        return
    if found is not None or "aioca" in sys.modules:
        raise InvalidInput(
            f"{name}: addresses: Channel Access is to search at {wanted}, but this process searches at"
            f" {found or 'its own network, by broadcast'}, and can do only one. Give the same addresses for each"
            f" resource, or leave them out and set {CA_LIST} and {CA_AUTO}=NO before Labwright starts."
        )
    os.environ |= {CA_LIST: wanted, CA_AUTO: "NO"}


def _of(addresses: Sequence[str], protocol: str) -> str:
    return " ".join(a.removeprefix(f"{protocol}://") for a in addresses if a.startswith(f"{protocol}://"))
