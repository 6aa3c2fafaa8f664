"""Which address of a directory person an account may be made for."""

from __future__ import annotations

import re

from connectors.directory import Person

LONGEST = 254
LONGEST_LOCAL = 64
TENANT_DOMAINS = (".onmicrosoft.com", ".onmicrosoft.us", ".onmschina.cn")
"""Domains that Microsoft gives every tenant (global, US Government, China); hardly anybody reads mail there."""

_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[^\W_](?:(?:[^\W_]|-){0,61}[^\W_])?"
_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@((?:{_LABEL}\.)+{_LABEL})")


def reported_address(person: Person) -> str:
    """Return what the directory has for an address, usable or not: `mail`; only where that is empty, the UPN."""
    return person.mail.strip() or person.user_principal_name.strip()


def usable_address(person: Person, *, allow_onmicrosoft: bool) -> str:
    """Return the lower-cased address for this person's account, or '' where the directory has no usable one.

    It is `mail`; only where that is empty, the user principal name. An unusable `mail` is not made good by the latter.
    """
    written = reported_address(person)
    address = written.lower()
    if len(address) > LONGEST or "#ext#" in address:
        return ""
    parts = _ADDRESS.fullmatch(address)
    if parts is None or len(parts[1]) > LONGEST_LOCAL or len(parts[2].rpartition(".")[2]) < 2:
        return ""
    if not written.isascii() and not _encodes(written.partition("@")[0], parts[2]):
        return ""
    if not allow_onmicrosoft and address.endswith(TENANT_DOMAINS):
        return ""
    # Most addresses are written small already: the same text is kept once, not twice, for 100,000 people.
    return written if written == address else address


def _encodes(local: str, domain: str) -> bool:
    """Say whether a mail server can be told an address with letters that are not ASCII.

    A domain is told by IDNA, which knows no word for some. A local part is told as it is written: a sign that only
    becomes a letter of ASCII when it is made small, such as the Kelvin sign, is somebody else's mailbox.
    """
    try:
        domain.encode("idna")
    except UnicodeError:
        return False
    return local.isascii()
