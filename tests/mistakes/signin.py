"""Mistakes in signing people in: what naive clients believe of a token, and whom they let in."""

from __future__ import annotations

from tests.mistakes.row import Mistake, Patch, mistake

IDTOKEN = "tenants/signin/idtoken.py"
MICROSOFT = "tenants/signin/microsoft.py"
DOORS = "tenants/signin/doors.py"
FORGED = ("tests/tenants/test_idtoken.py::test_a_forged_token_is_refused",)
SIGN_IN = "tests/tenants/test_signin_microsoft.py::"

CARRIES = Patch(DOORS, "        if not carries or account", "        if account")
LOOKED_UP = (
    "        directory_tenant_id=identity.tenant_id,\n        directory_object_id=identity.object_id,\n"
    "        status__in=[AccountStatus.ACTIVE"
)

MISTAKES: tuple[Mistake, ...] = (
    Mistake(
        8,
        "an identity is looked up by the object id alone",
        (
            Patch(
                DOORS,
                LOOKED_UP,
                "        directory_object_id=identity.object_id,\n        status__in=[AccountStatus.ACTIVE",
            ),
            CARRIES,
        ),
        (f"{SIGN_IN}test_trap_08_an_address_opens_nothing",),
    ),
    Mistake(
        8,
        "an account without a login is found by the address in the token",
        (
            Patch(
                DOORS, LOOKED_UP, "        email__iexact=identity.username,\n        status__in=[AccountStatus.ACTIVE"
            ),
            CARRIES,
        ),
        (f"{SIGN_IN}test_trap_08_an_address_opens_nothing",),
    ),
    mistake(
        8,
        "a directory's identity opens a login that exists",
        DOORS,
        "        user=None,\n    )\n    rows =",
        "    )\n    rows =",
        (f"{SIGN_IN}test_a_directory_does_not_enter_a_login_that_exists",),
    ),
    mistake(
        9,
        "any tenant's issuer will do",
        IDTOKEN,
        '            issuer=f"{login}/{tenant_id}/v2.0",\n',
        "",
        FORGED,
    ),
    mistake(9, "personal accounts may knock", IDTOKEN, "    if tenant_id == CONSUMERS:\n", "    if False:\n", FORGED),
    mistake(
        0,
        "any audience will do",
        IDTOKEN,
        "            audience=audience,\n",
        '            audience=unproven["aud"],\n',
        FORGED,
    ),
    Mistake(
        0,
        "the token chooses its algorithm",
        (
            Patch(IDTOKEN, '    if header.get("alg") != ALGORITHM:\n', "    if False:\n"),
            Patch(IDTOKEN, "            algorithms=[ALGORITHM],\n", '            algorithms=[header["alg"]],\n'),
        ),
        ("tests/tenants/test_idtoken.py::test_a_forged_token_is_refused",),
    ),
    mistake(
        0,
        "the nonce is not compared",
        IDTOKEN,
        '    if not nonce or not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):\n',
        "    if False:\n",
        FORGED,
    ),
    mistake(
        0,
        "the signature is not checked",
        IDTOKEN,
        '"strict_aud": True}',
        '"strict_aud": True, "verify_signature": False, "verify_exp": True, "verify_aud": True, "verify_iss": True}',
        FORGED,
    ),
    mistake(
        0,
        "an expired token is believed",
        IDTOKEN,
        '"strict_aud": True}',
        '"strict_aud": True, "verify_exp": False}',
        FORGED,
    ),
    mistake(
        0,
        "a link may say what Microsoft is asked",
        MICROSOFT,
        '        kwargs["auth_params"] = {**kwargs.get("auth_params", {}), "nonce": nonce}\n',
        '        kwargs["auth_params"] = {"nonce": nonce, **dict(request.GET.items())}\n',
        (f"{SIGN_IN}TestTheRoundTrip",),
    ),
    mistake(
        0,
        "disabled people keep their sessions",
        "tenants/signin/backend.py",
        "account.status not in {AccountStatus.DISABLED, AccountStatus.DELETED}",
        "True",
        ("tests/tenants/test_signin_pages.py::test_a_disabled_account_loses_its_sessions_at_once",),
    ),
    mistake(
        0,
        "an account is deleted by whoever finds the session open",
        "tenants/views/people.py",
        "    if act in ASKS_AGAIN and not recently_confirmed(request, FORM_SECONDS):\n",
        "    if False:\n",
        ("tests/tenants/test_pages.py",),
    ),
    mistake(
        0,
        "an account is deleted from the plain list by whoever finds the session open",
        "tenants/admin.py",
        "        if act in ASKS_FIRST and not recently_confirmed(request, FORM_SECONDS):\n",
        "        if False:\n",
        ("tests/tenants/test_admin.py",),
    ),
    mistake(
        0,
        "an invitation's link works twice",
        "tenants/invitations.py",
        "    return found if found is not None and _waits_for_owner(found) else None\n",
        "    return found\n",
        ("tests/tenants/test_invitations.py::TestTheLink", "tests/tenants/test_invitations.py::TestStaff"),
    ),
)
