"""What a connector says it needs a person for, above all at the edges of its secret's or certificate's life."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from connectors.attention import Credential, Need, credential_of, days_left, know_groups, needs_of
from connectors.models import Connector, SelectedGroup
from connectors.states import Attention, ConnectorStatus, CredentialKind
from tests.connectors.fleet_scene import make_connector
from tests.world import make_company, make_partner

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def connector(**fields: Any) -> Connector:
    """Return a connector that is fine but for what is told, unsaved."""
    return Connector(**{"status": ConnectorStatus.CONNECTED} | fields)


def needs(now: datetime = NOON, **fields: Any) -> list[Need]:
    return needs_of(connector(**fields), now)


SECRET, CERTIFICATE = {}, {"certificate": "PEM"}
ENDS = " Enter a new secret on the tab Azure Auth before that; the old one works until the new one is proven."
RENEW = " Make a new certificate on the tab Azure Auth before that; the old one works until the new one is proven."
OVER = "Microsoft refuses it then, and nothing is synchronised; nobody loses an account by that."


@pytest.mark.parametrize(
    ("day", "fields", "attention", "sentence"),
    [
        (date(2026, 12, 24), SECRET, None, ""),
        (date(2026, 12, 23), SECRET, "secret_expires", f"The client secret ends in 30 days, on 23 Dec 2026.{ENDS}"),
        (date(2026, 11, 25), SECRET, "secret_expires", f"The client secret ends in 2 days, on 25 Nov 2026.{ENDS}"),
        (date(2026, 11, 24), SECRET, "secret_expires", f"The client secret ends tomorrow, on 24 Nov 2026.{ENDS}"),
        (date(2026, 11, 23), SECRET, "secret_expires", f"The client secret ends today, 23 Nov 2026.{ENDS}"),
        (
            date(2026, 11, 22),
            SECRET,
            "secret_ended",
            f"The client secret ended on 22 Nov 2026, by the day that was entered. {OVER} Enter a new secret on the tab"
            " Azure Auth.",
        ),
        (date(2026, 12, 24), CERTIFICATE, None, ""),
        (date(2026, 12, 23), CERTIFICATE, "secret_expires", f"The certificate ends in 30 days, on 23 Dec 2026.{RENEW}"),
        (
            date(2026, 11, 22),
            CERTIFICATE,
            "secret_ended",
            f"The certificate ended on 22 Nov 2026. {OVER} Make a new certificate on the tab Azure Auth.",
        ),
    ],
)
def test_a_credential_warns_from_thirty_days_on_and_says_when_it_is_over(
    day: date, fields: dict[str, Any], attention: str | None, sentence: str
) -> None:
    found = [(str(need.attention), need.sentence) for need in needs(secret_expires_on=day, **fields)]
    assert found == ([(attention, sentence)] if attention else [])


def test_a_day_nobody_told_warns_of_nothing() -> None:
    assert needs(secret_expires_on=None) == []


@pytest.mark.parametrize("status", [ConnectorStatus.SETUP_INCOMPLETE, ConnectorStatus.REMOVED])
def test_what_is_not_in_use_needs_nobody(status: ConnectorStatus) -> None:
    assert needs(status=status, secret_expires_on=date(2020, 1, 1)) == []


@pytest.mark.parametrize("hours", [-12, -5, 0, 1, 9, 14])
def test_a_day_is_the_same_for_whoever_asks_at_the_same_moment(hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    first, last = (datetime(2026, 11, 23, *clock, tzinfo=UTC) for clock in ((0, 0, 0), (23, 59, 59)))
    assert [days_left(date(2026, 11, 23), now.astimezone(zone)) for now in (first, last)] == [0, 0]
    assert days_left(date(2026, 11, 23), (last + timedelta(seconds=1)).astimezone(zone)) == -1
    assert days_left(date(2026, 12, 23), (first - timedelta(seconds=1)).astimezone(zone)) == 31
    assert [str(need.attention) for need in needs(first.astimezone(zone), secret_expires_on=date(2026, 12, 23))] == [
        "secret_expires"
    ]


def test_what_a_connector_signs_in_with() -> None:
    day = date(2027, 5, 31)
    assert credential_of(connector(secret="a~b", secret_expires_on=day)) == (CredentialKind.SECRET, day)
    assert credential_of(connector(secret="a~b")) == Credential(CredentialKind.SECRET, None)
    assert credential_of(connector(certificate="PEM", private_key="key", secret_expires_on=day)) == (
        CredentialKind.CERTIFICATE,
        day,
    )
    waiting = connector(secret="a~b", next_certificate="PEM", next_private_key="key")
    assert credential_of(waiting).kind is CredentialKind.SECRET


def test_what_is_over_comes_before_what_is_held_and_what_ends_soon_after_it() -> None:
    held = ["held"]
    assert [str(one.attention) for one in needs(attention=held, secret_expires_on=date(2026, 11, 22))] == [
        "secret_ended",
        "held",
    ]
    assert [str(one.attention) for one in needs(attention=held, secret_expires_on=date(2026, 11, 30))] == [
        "held",
        "secret_expires",
    ]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "By Maren since 09:42 UTC on 23 Nov 2026."),
        ({"pause_reason": "The tenant moves."}, "By Maren since 09:42 UTC on 23 Nov 2026: The tenant moves."),
        (
            {"paused_until": datetime(2026, 11, 30, 9, 0, tzinfo=timezone(timedelta(hours=1))), "pause_reason": "Move"},
            "By Maren since 09:42 UTC on 23 Nov 2026 until 08:00 UTC on 30 Nov 2026: Move.",
        ),
    ],
)
def test_a_pause_says_who_since_when_until_when_and_why(fields: dict[str, Any], sentence: str) -> None:
    paused = needs(paused_at=datetime(2026, 11, 23, 9, 42, tzinfo=UTC), paused_by="Maren", **fields)
    assert paused == [Need(Attention.PAUSED, sentence)]


EVERYTHING: dict[str, Any] = {
    "failure": "A page of the group did not arrive.",
    "attention": [str(one) for one in Attention],
    "sync_group_name": "Everybody",
    "paused_at": NOON,
    "paused_by": "Maren",
    "throttled_until": NOON + timedelta(minutes=10),
    "unreachable_since": NOON,
    "secret_expires_on": date(2026, 11, 30),
}


@pytest.mark.django_db
def test_a_sentence_says_what_its_label_does_not() -> None:
    # Both are shown side by side, as the cause and one fact.
    told = {need.attention: need for need in needs_of(_saved(**EVERYTHING), NOON)}
    broken = needs(failure=Attention.CREDENTIALS_UNREADABLE)[0]
    ended = needs(secret_expires_on=date(2026, 11, 1))[0]
    told |= {need.attention: need for need in (broken, ended)}
    assert set(told) == set(Attention)
    repeating = [need.sentence for need in told.values() if need.attention.label.lower() in need.sentence.lower()]
    assert repeating == []
    assert told[Attention.SYNC_GROUP_EMPTY].sentence == (
        "Nobody is removed by that. Look at the members of “Everybody” in Microsoft Entra."
    )


def _saved(**fields: Any) -> Connector:
    name = f"Company {Connector.objects.count()}"
    return make_connector(make_company(make_partner(name), name), **fields)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "Its mirror stays as it was."),
        (["Drivers"], "“Drivers”: its mirror stays as it was."),
        (["Drivers", "Yard"], "“Drivers” and “Yard”: their mirrors stay as they were."),
        (["Drivers", "Yard", "Dispatch"], "“Drivers”, “Yard” and “Dispatch”: their mirrors stay as they were."),
        (list("ABCDE"), "“A”, “B”, “C” and 2 more: their mirrors stay as they were."),
    ],
)
def test_groups_that_cannot_be_read_are_named(names: list[str], sentence: str) -> None:
    row = _saved(attention=[Attention.GROUP_UNREADABLE])
    SelectedGroup.objects.create(connector=row, directory_id="fine", name="Fine")
    for name in names:
        SelectedGroup.objects.create(connector=row, directory_id=name, name=name, sentence="It is hidden.")
    assert needs_of(row, NOON) == [Need(Attention.GROUP_UNREADABLE, sentence)]


@pytest.mark.django_db
def test_the_groups_of_many_connectors_cost_one_query(django_assert_num_queries: Any) -> None:
    rows = [_saved(attention=[Attention.GROUP_UNREADABLE], tenant=f"t{number}.example") for number in range(5)]
    for row in rows:
        SelectedGroup.objects.create(connector=row, directory_id="drivers", name="Drivers", sentence="It is hidden.")
    for many in (rows[:1], rows):
        found = list(Connector.objects.filter(pk__in=[row.pk for row in many]))
        with django_assert_num_queries(1):
            know_groups(found)
            told = [need.sentence for row in found for need in needs_of(row, NOON)]
        assert told == ["“Drivers”: its mirror stays as it was."] * len(many)
    with django_assert_num_queries(0):
        know_groups([connector(), connector(attention=["held"])])
