"""Many accounts made by hand: read from pasted lines, each line's problem named, and all of them created or none."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from tenants import invitations
from tenants.audit import Action, record
from tenants.models import Account, Company, User
from tenants.roster.acts import Refused, checked_person, licences_sentence, living_with, status_words
from tenants.roster.ledger import LicencesShort, NewAccount, changing

MOST = 500
"""So many accounts at most are created at once."""

CREATED_TOGETHER = Action("account.created_together", "{actor} created {subject}.", ("accounts",))


@dataclass(frozen=True, slots=True)
class Pasted:
    """Hold the person of one line; `number` is the line's, from 1."""

    number: int
    first_name: str
    last_name: str
    email: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Hold why a line cannot be taken, as a sentence with the next step; `number` is 0 where it is no line's."""

    number: int
    sentence: str


def read_people(text: str) -> tuple[list[Pasted], list[Problem]]:
    """Read lines of "first name, last name, email", or of cells copied from a spreadsheet.

    Empty lines and a line of headings at the beginning are passed over. What is returned in the first place is only to
    be used where there are no problems.
    """
    mark = next((mark for mark in ("\t", ";") if mark in text), ",")
    people: list[Pasted] = []
    problems: list[Problem] = []
    met: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        cells = _cells(line, mark)
        if not any(cells) or (not people and not problems and _is_heading(cells)):
            continue
        try:
            person = _person(number, cells)
        except Refused as refused:
            problems.append(Problem(number, refused.sentence))
            continue
        first = met.setdefault(person.email.lower(), number)
        if first != number:
            problems.append(Problem(number, f"{person.email} stands on line {first} already. Take one of them out."))
        else:
            people.append(person)
    if len(people) > MOST:
        problems.append(Problem(0, f"These are {len(people):,} people. Create at most {MOST} at once."))
    if not people and not problems:
        problems.append(Problem(0, "There is no line yet. Write one for each person: first name, last name, email."))
    return people, problems


def _cells(line: str, mark: str) -> list[str]:
    try:
        found = next(csv.reader([line], delimiter=mark, skipinitialspace=True), [])
    except csv.Error:
        found = line.split(mark)
    return [cell.strip() for cell in found]


def _is_heading(cells: Sequence[str]) -> bool:
    return len(cells) == 3 and cells[2].lower() in {"email", "e-mail", "email address", "mail"}


def _person(number: int, cells: Sequence[str]) -> Pasted:
    if len(cells) != 3:
        parts = "1 part" if len(cells) == 1 else f"{len(cells)} parts"
        raise Refused(f"It has {parts}, and needs three: first name, last name, email. One of the names may be empty.")
    return Pasted(number, *checked_person(*cells))


def taken_addresses(company: Company, people: Sequence[Pasted]) -> list[Problem]:
    """Return the lines whose address has an account in the company already."""
    numbers = {one.email.lower(): one.number for one in people}
    holders = living_with(company, list(numbers))
    return sorted((_taken(numbers[one.email.lower()], one) for one in holders), key=lambda one: one.number)


def _taken(number: int, holder: Account) -> Problem:
    words = f"{holder.email} already has an account here, and it is {status_words(holder)}. Take the line out."
    return Problem(number, words)


def create_accounts(company: Company, people: Sequence[Pasted], *, actor: User) -> list[Account]:
    """Create an Active account for each, managed by Password Boss, in one transaction with one entry. Raises Refused.

    The caller checks Can.MANAGE_ACCOUNTS.
    """
    if not 0 < len(people) <= MOST:
        raise Refused(f"Create at least one account, and at most {MOST} at once.")
    try:
        with changing(company.pk) as ledger:
            for problem in taken_addresses(ledger.company, people):
                raise Refused(f"Line {problem.number}: {problem.sentence}")
            accounts = ledger.create([NewAccount(one.first_name, one.last_name, one.email) for one in people])
            invitations.queue([account.pk for account in accounts])
            subject = "1 account" if len(accounts) == 1 else f"{len(accounts)} accounts"
            detail = {"accounts": [account.email for account in accounts]}
            record(CREATED_TOGETHER, company=ledger.company, actor=actor, subject=subject, detail=detail)
    except LicencesShort as short:
        raise Refused(licences_sentence(short)) from short
    return accounts
