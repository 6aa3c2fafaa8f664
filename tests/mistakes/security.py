"""Mistakes in keeping strangers out: membership, consent's way back, tokens, links, second factor, secrets."""

from __future__ import annotations

from tests.mistakes.guards import ALWAYS_ASKED as WALK
from tests.mistakes.row import Mistake, mistake

ACCESS = "tenants/access.py"
PORTALS = "tenants/portals.py"
ADMIN = "tenants/admin.py"
CONSENT = "connectors/lifecycle/consent.py"
CREDENTIALS = "connectors/lifecycle/credentials.py"
CONSENT_VIEW = "connectors/views/consent.py"
API = "connectors/api.py"
INVITATIONS = "tenants/invitations.py"
SEALED = "pbportal/sealed.py"
TESTS_OF_CONSENT = ("tests/connectors/test_consent.py",)
TESTS_OF_LINKS = ("tests/tenants/test_invitations.py",)
TESTS_OF_API = ("tests/connectors/test_api.py",)
PAGES = ("tests/tenants/test_admin.py", *WALK)
SIGNIN = ("tests/tenants/test_signin_pages.py", "tests/tenants/test_signin_microsoft.py")

MISTAKES: tuple[Mistake, ...] = (
    mistake(
        0,
        "whoever is signed in is a member of every company",
        ACCESS,
        "        if role is None or not isinstance(user, User):\n            raise Http404\n",
        "        role = role or Role.COMPANY_USER\n",
        WALK,
    ),
    mistake(
        0,
        "an account that is not Active opens its company",
        ACCESS,
        "user=user, company=company, status=AccountStatus.ACTIVE",
        "user=user, company=company",
        WALK,
    ),
    mistake(
        0,
        "a role at one partner counts at every partner",
        ACCESS,
        "StaffMembership.objects.filter(partner=partner, user=user).first()",
        "StaffMembership.objects.filter(user=user).first()",
        WALK,
    ),
    mistake(
        0,
        "a login that was ended keeps its role",
        ACCESS,
        "or not user.is_active or user.kind != LoginKind.STAFF:\n        return None\n",
        "or user.kind != LoginKind.STAFF:\n        return None\n",
        WALK,
    ),
    mistake(
        0,
        "an access reaches the rows of every company",
        ACCESS,
        'rows.visible_to(self.user).filter(**{path or "pk": self.company.pk})',
        "rows.visible_to(self.user)",
        WALK,
    ),
    mistake(
        0,
        "staff may use the user portal, and companies' people the partner portal",
        PORTALS,
        "or user.is_staff is not (portal is PARTNER):",
        "or False:",
        WALK,
    ),
    mistake(
        0,
        "any login opens the partner portal",
        ADMIN,
        "        return request.user.is_active and request.user.is_staff\n",
        "        return request.user.is_active\n",
        PAGES,
    ),
    mistake(
        0,
        "an admin page shows a row by its number",
        ADMIN,
        "        return rows.visible_to(request.user)\n",
        "        return rows\n",
        PAGES,
    ),
    mistake(
        0,
        "a right held anywhere counts over every row",
        ADMIN,
        "        return can in (_rights(request) if row is None else grants_over(request.user, row))\n",
        "        return can in _rights(request)\n",
        PAGES,
    ),
    mistake(
        0,
        "an action is offered to who may not do it",
        ADMIN,
        "            if right in _rights(request)\n",
        "",
        PAGES,
    ),
    mistake(
        0,
        "an action that takes something for good does not ask first",
        ADMIN,
        'ASKS_FIRST and "confirmed" not in request.POST:',
        "() :",
        PAGES,
    ),
    mistake(
        0,
        "a state is accepted in any session",
        CONSENT,
        ".filter(state_hash=_hash(state), session_hash=_hash(session), user=user)",
        ".filter(state_hash=_hash(state), user=user)",
        TESTS_OF_CONSENT,
    ),
    mistake(
        0,
        "a state is accepted from any person",
        CONSENT,
        ".filter(state_hash=_hash(state), session_hash=_hash(session), user=user)",
        ".filter(state_hash=_hash(state), session_hash=_hash(session))",
        TESTS_OF_CONSENT,
    ),
    mistake(
        0,
        "a state is used again and again",
        CONSENT,
        "    if not ConsentRequest.objects.filter(pk=found.pk, used_at=None).update(used_at=now):\n",
        "    if not ConsentRequest.objects.filter(pk=found.pk).update(used_at=now):\n",
        TESTS_OF_CONSENT,
    ),
    mistake(
        0,
        "a state never expires",
        CONSENT,
        "    if found.expires_at < now:\n",
        "    if False:\n",
        TESTS_OF_CONSENT,
    ),
    mistake(
        0,
        "a consent for former credentials counts",
        CONSENT,
        "    if found.connector.generation != found.generation:\n",
        "    if False:\n",
        TESTS_OF_CONSENT,
    ),
    mistake(
        0,
        "an error of Microsoft's is not looked at where admin_consent is True",
        "connectors/entra/consent.py",
        '    if not error and params.get("admin_consent", "").lower() == "true":\n',
        '    if params.get("admin_consent", "").lower() == "true":\n',
        TESTS_OF_CONSENT,
    ),
    mistake(
        0,
        "consent given in another tenant counts",
        CONSENT_VIEW,
        "    return bool(answer.tenant) and is_guid(ours) and answer.tenant != ours\n",
        "    return False\n",
        TESTS_OF_CONSENT,
    ),
    mistake(
        0,
        "any token opens the connector's API",
        CREDENTIALS,
        "    return row if row is not None and matches else None\n",
        "    return row\n",
        TESTS_OF_API,
    ),
    mistake(
        0,
        "a token is compared in a time that tells of it",
        CREDENTIALS,
        "    return hmac.compare_digest(connector.token_hash, _token_hash(token))\n",
        "    return connector.token_hash == _token_hash(token)\n",
        (*TESTS_OF_API, "tests/test_house_rules.py"),
    ),
    mistake(
        0,
        "a token is compared by its beginning",
        CREDENTIALS,
        "    return hmac.compare_digest(connector.token_hash, _token_hash(token))\n",
        "    return connector.token_hash.startswith(_token_hash(token)[:8])\n",
        ("tests/test_secrets_stay_sealed.py", *TESTS_OF_API),
    ),
    mistake(
        0,
        "wrong tokens are tried without a limit",
        API,
        '            if _over(f"failures:{address}", FAILURES_A_MINUTE):\n                return _slow_down()\n',
        "",
        TESTS_OF_API,
    ),
    mistake(
        0,
        "another connector's run is shown to a token",
        API,
        "    row = connector.runs.filter(pk=run_id).first()\n",
        "    row = SyncRun.objects.filter(pk=run_id).first()\n",
        TESTS_OF_API,
    ),
    mistake(
        0,
        "an invitation's link never expires",
        INVITATIONS,
        "token_hash=hash_of(token), expires_at__gt=now)",
        "token_hash=hash_of(token))",
        TESTS_OF_LINKS,
    ),
    mistake(
        0,
        "an invitation's link is kept as it is",
        INVITATIONS,
        "    return hashlib.sha256(token.encode()).hexdigest()\n",
        "    return token\n",
        TESTS_OF_LINKS,
    ),
    mistake(
        0,
        "staff go in without a second factor",
        "tenants/signin/second_factor.py",
        "        if not isinstance(user, User) or not user.is_staff or is_mfa_enabled(user, FACTORS):\n",
        "        if True:\n",
        SIGNIN,
    ),
    mistake(
        0,
        "staff take their last second factor away",
        "tenants/signin/adapters.py",
        "        return bool(factors.exclude(pk=authenticator.pk).exists())\n",
        "        return True\n",
        SIGNIN,
    ),
    mistake(
        0,
        "Microsoft is connected without asking again",
        "tenants/signin/microsoft.py",
        "    if connects and (not request.user.is_authenticated or not recently_confirmed(request)):\n",
        "    if connects and not request.user.is_authenticated:\n",
        SIGNIN,
    ),
    mistake(
        0,
        "a mail to set a password goes to whom it does not help",
        "tenants/signin/adapters.py",
        "        if not may_enter(user) or (account is not None and doubted([account.pk])):\n            return\n",
        "",
        SIGNIN,
    ),
    mistake(
        0,
        "the secret of a second factor is stored as it is",
        "tenants/signin/adapters.py",
        "        return Sealed(text, context=SEALED_FOR).stored()\n",
        "        return text\n",
        ("tests/test_secrets_stay_sealed.py",),
    ),
    mistake(
        0,
        "a second factor that cannot be opened stands in for itself with a known one",
        "tenants/signin/adapters.py",
        "            return base64.b32encode(secrets.token_bytes(20)).decode()\n",
        '            return base64.b32encode(b"0" * 20).decode()\n',
        ("tests/tenants/test_signin_pages.py",),
    ),
    mistake(
        0,
        "a sealed secret shows itself",
        SEALED,
        '        return "[sealed]"\n',
        "        return self.reveal()\n",
        ("tests/test_sealed.py", "tests/test_secrets_stay_sealed.py"),
    ),
)
