"""An administrator's consent: the address where Microsoft asks for it, and what its answer says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from django.conf import settings

from connectors.entra.clouds import ENDPOINTS
from connectors.states import Cloud

_AGAIN = "Nothing was changed here. "
_REFUSALS = {
    50020: "The person who signed in at Microsoft does not belong to this tenant. Sign in as an administrator of the"
    " tenant whose ID you entered, or send its administrator the consent link below.",
    65004: "Consent was declined at Microsoft. Without it the connector cannot read the directory. Verify the"
    " connection again and press Accept, or send the consent link below to somebody who may.",
    90094: "The person who signed in at Microsoft has no right to give consent. Send the consent link below to an"
    " administrator of the tenant, and press Check again when it is done.",
}
_CANCELLED = (
    "The sign-in at Microsoft was cancelled before consent was given. Verify the connection again, or send the consent"
    " link below to an administrator of the tenant."
)
_BUSY = "Microsoft could not finish the consent because of a fault of its own. Verify the connection again in a minute."
_OTHER = (
    "Microsoft did not record a consent. Verify the connection again; where it happens again, look up the reference."
)


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """Hold what Microsoft's redirect claims: a `refusal` in a sentence or '', and the tenant it names or ''.

    Anybody can make up such a redirect: it is a hint to look, never a proof.
    """

    refusal: str
    reference: str
    tenant: str


def consent_url(cloud: Cloud, tenant: str, client_id: str, *, redirect_uri: str, state: str = "") -> str:
    """Return where an administrator consents to all that the registration asks for (Microsoft: admin consent, v1)."""
    login = ENDPOINTS[cloud].login
    origin = settings.ENTRA_LOGIN_ORIGINS.get(login, login)
    query = {"client_id": client_id, "redirect_uri": redirect_uri} | ({"state": state} if state else {})
    return f"{origin}/{quote(tenant, safe='')}/adminconsent?{urlencode(query)}"


def read_consent(params: Mapping[str, str]) -> ConsentAnswer:
    """Read Microsoft's answer; its `error` comes first, since `admin_consent=True` stands on failures too."""
    error = params.get("error", "")
    tenant = params.get("tenant", "").strip().lower()[:255]
    if not error and params.get("admin_consent", "").lower() == "true":
        return ConsentAnswer("", "", tenant)
    code = re.search(r"AADSTS(\d{4,8})", params.get("error_description", "")[:500], re.ASCII)
    number = int(code[1]) if code else 0
    word = error if re.fullmatch(r"[A-Za-z0-9_.]{1,80}", error) else "no error named"
    reference = f"AADSTS{number}" if number else word
    if number in _REFUSALS:
        sentence = _REFUSALS[number]
    elif params.get("error_subcode") == "cancel":
        sentence = _CANCELLED
    elif error in ("permission_denied", "consent_required"):
        sentence = _REFUSALS[65004]
    elif error in ("server_error", "temporarily_unavailable"):
        sentence = _BUSY
    else:
        sentence = _OTHER
    return ConsentAnswer(f"{_AGAIN}{sentence}", reference, tenant)
