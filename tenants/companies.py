"""The operations on partners and companies: each one transaction with its entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.crypto import get_random_string
from django.utils.text import slugify

from tenants.audit import Action, record
from tenants.models import Company, Partner, User
from tenants.roster import Refused, changing

PARTNER_CREATED = Action("partner.created", "{actor} created the partner {subject}.")
PARTNER_RENAMED = Action("partner.renamed", "{actor} renamed the partner {before} to {subject}.", ("before",))
COMPANY_CREATED = Action("company.created", "{actor} created the company {subject}.", ("licences",))
COMPANY_CHANGED = Action("company.changed", "{actor} changed the settings of {subject}.", ("before", "after"))


def create_partner(*, name: str, actor: User) -> Partner:
    """Create a partner. Raises Refused where the name is in use."""
    with transaction.atomic():
        with _one_of_a_name(name):
            partner = Partner.objects.create(name=name, slug=_slug(name))
        record(PARTNER_CREATED, partner=partner, actor=actor, subject=name, detail={})
    return partner


def rename_partner(partner: Partner, *, name: str, actor: User) -> None:
    """Rename a partner; its slug stays. Raises Refused where the name is in use."""
    with transaction.atomic():
        stored = Partner.objects.select_for_update(no_key=True).get(pk=partner.pk)
        if stored.name == name:
            return
        before, stored.name = stored.name, name
        with _one_of_a_name(name):
            stored.save(update_fields=["name"])
        record(PARTNER_RENAMED, partner=stored, actor=actor, subject=name, detail={"before": before})


def create_company(
    partner: Partner,
    *,
    name: str,
    licences: int | None = None,
    notification_emails: list[str] | None = None,
    actor: User,
) -> Company:
    """Create a company; None licences are unlimited. Raises Refused where the partner has one of that name."""
    with transaction.atomic():
        with _one_of_a_name(name):
            company = Company.objects.create(
                partner=partner,
                name=name,
                slug=_slug(name),
                licences=licences,
                notification_emails=notification_emails or [],
            )
        record(COMPANY_CREATED, company=company, actor=actor, subject=name, detail={"licences": licences})
    return company


def change_company(company: Company, values: Mapping[str, Any], *, actor: User) -> bool:
    """Set any of name, licences and notification_emails; return whether any was different, and nothing else is written.

    Licences may be cut below use: nobody is disabled. Raises Refused where the partner has another company of that
    name.
    """
    if not values.keys() <= {"name", "licences", "notification_emails"}:
        raise ValueError("Only a company's name, licences and notification addresses can be changed.")
    with changing(company.pk) as ledger:
        before = {key: getattr(ledger.company, key) for key in values}
        after = {key: value for key, value in values.items() if before[key] != value}
        if not after:
            return False
        if "licences" in after:
            ledger.set_licences(after["licences"])
        plain = {key: value for key, value in after.items() if key != "licences"}
        for key, value in plain.items():
            setattr(ledger.company, key, value)
        if plain:
            with _one_of_a_name(ledger.company.name):
                ledger.company.save(update_fields=list(plain))
        record(
            COMPANY_CHANGED,
            company=ledger.company,
            actor=actor,
            subject=ledger.company.name,
            detail={"before": {key: before[key] for key in after}, "after": after},
        )
    return True


def set_licences(company: Company, licences: int | None, *, actor: User) -> None:
    """Set the number of purchased licences; None is unlimited."""
    change_company(company, {"licences": licences}, actor=actor)


@contextmanager
def _one_of_a_name(name: str) -> Iterator[None]:
    """Turn a name that is in use into a refusal; a slug never is, but for one chance in a hundred million."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as taken:
        raise Refused(f"There is one named {name} already. Use that one, or give another name.") from taken


def _slug(name: str) -> str:
    # Always with a random end: a slug that is taken would tell of another partner's company.
    ending = get_random_string(6, "abcdefghjkmnpqrstuvwxyz23456789")
    return f"{slugify(name)[:50] or 'company'}-{ending}"
