"""Mistakes in what a connector signs in with, when it ends, and in pauses."""

from __future__ import annotations

from tests.mistakes.row import Mistake, Patch, mistake

ATTENTION = "connectors/attention.py"
CERTIFICATES = "connectors/lifecycle/certificates.py"
REPLACING = "connectors/lifecycle/replacing.py"
LIFE = "connectors/lifecycle/life.py"
PAUSES = "connectors/schedule/pauses.py"
_CERTIFICATES = "tests/connectors/test_certificates.py"
_ATTENTION = "tests/connectors/test_attention.py"
_PAUSES = "tests/connectors/test_pauses.py"
_REPLACING = "tests/connectors/test_replacing.py"

MISTAKES: tuple[Mistake, ...] = (
    mistake(
        0,
        "a certificate that was made anew meanwhile counts as proven",
        REPLACING,
        "        if now.next_certificate != row.next_certificate:\n",
        "        if False:\n",
        (f"{_CERTIFICATES}::test_a_pair_that_was_made_anew_meanwhile_is_not_the_one_that_was_proven",),
    ),
    mistake(
        0,
        "a secret takes its place beside the certificate",
        CERTIFICATES,
        '    row.certificate, row.private_key = "", None\n',
        "",
        (f"{_CERTIFICATES}::test_a_secret_may_take_the_certificates_place_again",),
    ),
    mistake(
        0,
        "a certificate keeps the secret's last day",
        CERTIFICATES,
        "    row.secret, row.secret_expires_on = None, read_certificate(row.certificate).expires_on\n",
        "    row.secret = None\n",
        (f"{_CERTIFICATES}::test_a_certificate_is_used_once_microsoft_accepts_it_and_the_secret_is_forgotten",),
    ),
    mistake(
        0,
        "a certificate's key is sealed for the place it waited in",
        CERTIFICATES,
        "        key = Sealed(row.next_private_key.reveal())\n",
        "        key = row.next_private_key\n",
        (f"{_CERTIFICATES}::test_a_certificate_is_used_once_microsoft_accepts_it_and_the_secret_is_forgotten",),
    ),
    mistake(
        0,
        "a second certificate takes the place of one that was uploaded",
        CERTIFICATES,
        "        if row.next_certificate:\n            raise Refused(\n",
        "        if False:\n            raise Refused(\n",
        (f"{_CERTIFICATES}::test_one_certificate_waits_at_a_time_until_it_is_thrown_away",),
    ),
    mistake(
        0,
        "another tenant's credential is tried at the old tenant",
        REPLACING,
        '        candidate.tenant, candidate.tenant_id = checked(check_tenant, tenant, "tenant"), ""\n',
        '        candidate.tenant = checked(check_tenant, tenant, "tenant")\n',
        (f"{_CERTIFICATES}::test_another_tenant_is_refused_with_the_reason",),
    ),
    mistake(
        0,
        "a removed connector keeps the certificate that waits",
        LIFE,
        '_SECRETS = ("secret", "secret_expires_on", "private_key", "next_private_key")\n',
        '_SECRETS = ("secret", "secret_expires_on", "private_key")\n',
        (f"{_CERTIFICATES}::test_removing_destroys_both_keys",),
    ),
    mistake(
        0,
        "the days of a credential are counted in the zone of whoever asks",
        ATTENTION,
        "    return (expires_on - now.astimezone(UTC).date()).days\n",
        "    return (expires_on - now.date()).days\n",
        (f"{_ATTENTION}::test_a_day_is_the_same_for_whoever_asks_at_the_same_moment",),
    ),
    mistake(
        0,
        "the warning of a credential comes a day late",
        ATTENTION,
        "    if days > SECRET_WARNING_DAYS:\n",
        "    if days >= SECRET_WARNING_DAYS:\n",
        (f"{_ATTENTION}::test_a_credential_warns_from_thirty_days_on_and_says_when_it_is_over",),
    ),
    mistake(
        0,
        "a credential is over on its last day",
        ATTENTION,
        "    if days < 0:\n",
        "    if days < 1:\n",
        (f"{_ATTENTION}::test_a_credential_warns_from_thirty_days_on_and_says_when_it_is_over",),
    ),
    mistake(
        0,
        "a credential is replaced by whoever finds a browser open",
        "connectors/views/replacing.py",
        "@asks_again\n",
        "",
        (f"{_REPLACING}::test_a_certificate_is_made_without_saying_who_one_is_and_used_only_after_it",),
    ),
    Mistake(
        0,
        "a pause ends as soon as it has an end",
        (
            Patch(
                PAUSES,
                "    over = Connector.objects.filter(paused_until__lte=now)",
                "    over = Connector.objects.exclude(paused_until=None)",
            ),
            Patch(PAUSES, "locked.filter(pk=pk, paused_until__lte=now)", "locked.filter(pk=pk)"),
        ),
        (f"{_PAUSES}::test_a_pause_ends_at_its_moment_and_not_before",),
    ),
    mistake(
        0,
        "a pause to which a person just gave a later end is ended",
        PAUSES,
        "locked.filter(pk=pk, paused_until__lte=now)",
        "locked.filter(pk=pk)",
        (f"{_PAUSES}::test_a_person_who_acts_in_that_moment_is_not_overtaken",),
    ),
    mistake(
        0,
        "one pause that cannot be ended keeps the others paused",
        PAUSES,
        "        except Exception:\n            logger.exception(",
        "        except ZeroDivisionError:\n            logger.exception(",
        (f"{_PAUSES}::test_one_pause_that_cannot_be_ended_does_not_stop_the_others",),
    ),
    mistake(
        0,
        "a pause that is over asks for no run",
        PAUSES,
        "    if due(row):\n",
        "    if False:\n",
        (f"{_PAUSES}::test_a_pause_ends_at_its_moment_and_not_before",),
    ),
    mistake(
        0,
        "a pause told anew keeps its former end",
        LIFE,
        "        row.paused_at, row.paused_until = row.paused_at or timezone.now(), until\n",
        "        row.paused_at, row.paused_until = row.paused_at or timezone.now(), until or row.paused_until\n",
        (f"{_PAUSES}::test_who_resumes_or_sets_another_end_is_not_overtaken",),
    ),
    mistake(
        0,
        "a pause ends without a look at what the next run would do",
        "connectors/views/pausing.py",
        '    if request.POST.get("seen") != _seen(row):\n',
        "    if False:\n",
        (f"{_PAUSES}::test_resuming_shows_first_what_it_would_do_and_then_asks",),
    ),
)
