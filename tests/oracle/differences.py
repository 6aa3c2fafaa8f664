"""Says in sentences where an end that was seen differs from the one that was expected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from tests.oracle.facts import Account, End

_ALWAYS = ("status",)
_LIVING = (
    "first_name",
    "last_name",
    "role",
    "pending_reason",
    "managed_by",
    "disabled_by",
    "tenant_id",
    "object_id",
    "link",
)
_DELETED = ("deleted_by", "tenant_id", "object_id", "barred")


def differences(expected: End, seen: End, *, skipped: bool = True, memory: bool = True) -> list[str]:
    """Return one sentence for each difference; accounts are told apart by address, never by their ids.

    Deleted accounts whose 30 days are over count on neither side: when they are purged is another's business.
    """
    pairs, missing, surplus = _paired(expected.company.accounts, seen.company.accounts)
    sentences = [f"{one.email}: an account ({one.status.label}) was expected, and there is none" for one in missing]
    sentences += [f"{one.email}: there is an account ({one.status.label}) nobody expected" for one in surplus]
    for wanted, found in pairs:
        fields = _ALWAYS + (_LIVING if wanted.living and found.living else ())
        fields += () if wanted.living or found.living else _DELETED
        for one in fields:
            left, right = getattr(wanted, one), getattr(found, one)
            if left != right:
                sentences.append(f"{wanted.email}: {one} should be {left!r} and is {right!r}")
    sentences += _groups(expected, seen)
    sentences += _mapping("held", _plain(expected.held), _plain(seen.held))
    sentences += _mapping("left out", dict.fromkeys(expected.left_out, ""), dict.fromkeys(seen.left_out, ""))
    if skipped:
        sentences += _sets("skipped", expected.skipped, seen.skipped)
    if memory:
        sentences += _sets(
            "remembers",
            {(m.object_id, m.kind, m.value) for m in expected.memory},
            {(m.object_id, m.kind, m.value) for m in seen.memory},
        )
    return sentences


def _counts(account: Account) -> bool:
    return account.living or account.restorable or account.barred


def _paired(
    expected: list[Account], seen: list[Account]
) -> tuple[list[tuple[Account, Account]], list[Account], list[Account]]:
    """Pair accounts of one address: the same id and identity first, then what is most alike."""
    left = [one for one in expected if _counts(one)]
    right: dict[str, list[Account]] = defaultdict(list)
    for one in seen:
        if _counts(one):
            right[one.address].append(one)
    pairs = []
    for likeness in _LIKENESSES:
        waiting, left = left, []
        for wanted in waiting:
            alike = right[wanted.address]
            number = next((number for number, found in enumerate(alike) if likeness(wanted, found)), None)
            if number is None:
                left.append(wanted)
            else:
                pairs.append((wanted, alike.pop(number)))
    return pairs, left, [one for alike in right.values() for one in alike]


_LIKENESSES: tuple[Callable[[Account, Account], bool], ...] = (
    lambda a, b: a.id == b.id and a.object_id == b.object_id,
    lambda a, b: a.object_id == b.object_id and a.status is b.status,
    lambda a, b: a.object_id == b.object_id,
    lambda a, b: a.status is b.status,
    lambda a, b: True,
)


def _groups(expected: End, seen: End) -> list[str]:
    left, right = _by_name(expected), _by_name(seen)
    sentences = []
    for key in sorted(left.keys() | right.keys()):
        if key not in left:
            sentences.append(f"group {right[key]['name']}: nobody expected it")
        elif key not in right:
            sentences.append(f"group {left[key]['name']}: it was expected, and there is none")
        else:
            sentences += [
                f"group {left[key]['name']}: {what} should be {left[key][what]!r} and is {right[key][what]!r}"
                for what in left[key]
                if left[key][what] != right[key][what]
            ]
    return sentences


def _by_name(end: End) -> dict[tuple[str, str, int], dict[str, object]]:
    """Key groups by directory id where they have one, else by name; the number tells equal ones apart."""
    addresses = {account.id: account.address for account in end.company.accounts}
    found: dict[tuple[str, str, int], dict[str, object]] = {}
    for group in sorted(end.company.groups, key=lambda one: one.id):
        key = (group.directory_id, "" if group.directory_id else group.name)
        number = sum(known[:2] == key for known in found)
        found[*key, number] = {
            "name": group.name,
            "managed by": group.managed_by.label,
            "connector": group.link,
            "members": sorted(addresses.get(one, f"account {one}") for one in group.members),
        }
    return found


def _plain(held: Mapping[str, object]) -> dict[str, str]:
    return {object_id: str(kind) for object_id, kind in held.items()}


def _mapping(what: str, expected: dict[str, str], seen: dict[str, str]) -> list[str]:
    return [
        f"{key}: {what} should be {expected.get(key, 'not')!r} and is {seen.get(key, 'not')!r}"
        for key in sorted(expected.keys() | seen.keys())
        if expected.get(key) != seen.get(key)
    ]


def _sets(what: str, expected: Iterable[tuple[str, ...]], seen: Iterable[tuple[str, ...]]) -> list[str]:
    wanted, found = set(expected), set(seen)
    missing = [f"{' '.join(one)}: {what} is missing" for one in sorted(wanted - found)]
    return missing + [f"{' '.join(one)}: {what} is too much" for one in sorted(found - wanted)]
