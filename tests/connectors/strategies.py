"""Hypothesis strategies for small worlds in which clashes are likely: few people, few addresses, every state."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from connectors.directory import Person
from connectors.states import DESTRUCTIVE, RULE_CHOICES, ChangeKind, HoldCause, MarkKind, Situation
from tenants.states import AccountRole, AccountStatus, Hand, ManagedBy, PendingReason
from tests.connectors.scenes import Scene
from tests.oracle import Account, Brake, Company, Connector, Decision, Directory, DirectoryGroup, Group

TENANT = "tenant"
OTHER_TENANT = "elsewhere"
SYNC_GROUP = "everybody"
PEOPLE = tuple(f"person-{letter}" for letter in "abcdefg")
ADDRESSES = tuple(f"{name}@firm.example" for name in ("ada", "bo", "cy", "dee"))

_SELDOM = st.sampled_from([False] * 4 + [True])
_NOW_AND_THEN = st.sampled_from([False, False, True])
_STATES = st.sampled_from(["enabled"] * 5 + ["guest", "disabled", "disabled", "absent"])
_NAMES = st.sampled_from(
    [("Ada", "Lee", "Ada Lee")] * 3 + [("Ada", "", "Ada"), ("", "", "Ada L"), ("Bo", "Lee", ""), ("", "", "")]
)
_MAILS = st.sampled_from(
    [(address, "x@firm.onmicrosoft.com") for address in ADDRESSES * 3]
    + [("Ada@Firm.example", "bo@firm.example"), ("", "cy@firm.example"), ("", "dee@firm.example"), ("", "")]
    + [(mail, "bo@firm.example") for mail in ("x@firm.onmicrosoft.com", "x_y#EXT#@firm.example", "no address")]
)
_SHAPES = st.sampled_from(
    ["linked"] * 8
    + ["former", "former", "plain", "plain", "deleted", "deleted", "former deleted"]
    + ["deleted by person", "handed back", "foreign", "another's", "personal"]
)
_PRESENT = st.sampled_from(
    [
        AccountStatus.ACTIVE,
        AccountStatus.ACTIVE,
        AccountStatus.PENDING,
        AccountStatus.DISABLED,
    ]
)
_BRAKES = st.sampled_from(
    [
        Brake(),
        Brake(100, 20, 100, 50, 100, 50),
        Brake(100, 20, 100, 50),
        Brake(2, 20, 3, 50, 0, 0),
        Brake(3, 0, 2, 75, 1, 50),
    ]
)
_LAST_SEEN = st.sampled_from(
    [
        frozenset[Situation](),
        frozenset({Situation.DISABLED}),
        frozenset({Situation.REMOVED}),
        frozenset({Situation.DISABLED, Situation.REMOVED}),
        frozenset({Situation.DELETED}),
    ]
)
_HOLDS = st.sampled_from(
    [(kind, HoldCause.BRAKE) for kind in sorted(DESTRUCTIVE)]
    + [(kind, HoldCause.EMPTY_GROUP) for kind in sorted(DESTRUCTIVE)]
    + [(kind, HoldCause.GROWTH) for kind in (ChangeKind.CREATE, ChangeKind.CREATE_PENDING, ChangeKind.RESTORE)]
    + [(ChangeKind.ADOPT, HoldCause.ADMIN)]
)
_KEEPABLE = st.sampled_from([Situation.DISABLED, Situation.REMOVED, Situation.DELETED, Situation.RETURNED])
_RULES = st.fixed_dictionaries({situation: st.sampled_from(choices) for situation, choices in RULE_CHOICES.items()})
_ADDITIONAL = st.sampled_from([(), ("crew",), ("desk",), ("desk", "crew"), ("lost", "crew"), ("crew", "lost")])
_LICENCES = st.sampled_from([None, None, 0, 1, 2, 3, 4])
_UNREAD = st.sampled_from([()] * 8 + [PEOPLE[:1], PEOPLE[:1] + PEOPLE[3:4]])
_ONE = st.sampled_from(PEOPLE)
_SOME = st.frozensets(_ONE, max_size=5)
_FEW = st.frozensets(_ONE, max_size=2)


@st.composite
def scenes(draw: DrawFn, *, twins: bool = False) -> Scene:
    """Draw a directory, a company and a connector in between.

    With `twins` a person may also have a deleted account that could be restored beside another account of theirs.
    """
    directory = draw(_DIRECTORIES)
    accounts = draw(_accounts(directory, twins))
    connector = Connector(
        "entra",
        TENANT,
        "lost" if draw(_SELDOM) else SYNC_GROUP,
        draw(_ADDITIONAL),
        draw(_RULES),
        direct_members_only=draw(_SELDOM),
        leave_out_guests=draw(_SELDOM),
        allow_onmicrosoft=draw(_SELDOM),
        brake=draw(_BRAKES),
        memory=draw(_memories(accounts)),
        first_run=draw(_SELDOM),
        destroyed=draw(_FEW),
        grown=draw(_FEW),
    )
    return Scene(directory, Company(draw(_LICENCES), accounts, draw(_groups(accounts))), connector)


@st.composite
def _directories(draw: DrawFn) -> Directory:
    people = {}
    for object_id in PEOPLE:
        state = draw(_STATES)
        if state != "absent":
            given, surname, display = draw(_NAMES)
            mail, principal = draw(_MAILS)
            people[object_id] = Person(
                object_id, state != "disabled", state == "guest", display, given, surname, mail, principal
            )
    everybody = PEOPLE if draw(st.booleans()) else draw(_SOME)
    groups = {
        SYNC_GROUP: DirectoryGroup("Everybody", set(everybody), {"nested"}),
        "nested": DirectoryGroup("Nested", set(draw(_FEW)), {SYNC_GROUP}, readable=not draw(_SELDOM)),
        "crew": DirectoryGroup("Crew 2" if draw(_SELDOM) else "Crew", set(draw(_SOME))),
        "desk": DirectoryGroup("Desk", set(draw(_SOME)), readable=not draw(_SELDOM)),
    }
    if draw(_SELDOM):
        groups["crew"].groups.add("nested")
    return Directory(TENANT, people, groups, set(draw(_UNREAD)) & people.keys())


_DIRECTORIES = _directories()


@st.composite
def _accounts(draw: DrawFn, directory: Directory, twins: bool) -> list[Account]:
    found: list[Account] = []
    for number in range(1, 1 + draw(st.integers(0, 7))):
        account = _account(draw, number, directory)
        same_address = account.living and any(one.living and one.address == account.address for one in found)
        if not (same_address or any(_exclude(one, account, twins) for one in found)):
            found.append(account)
    return found


def _exclude(one: Account, other: Account, twins: bool) -> bool:
    """Say whether two accounts cannot be of one company, or are twins."""
    if not one.object_id or (one.tenant_id, one.object_id) != (other.tenant_id, other.object_id):
        return False
    returnable = any(a.restorable and not a.barred and a.deleted_by is Hand.CONNECTOR for a in (one, other))
    return (one.living and other.living) or (one.barred and other.barred) or (returnable and not twins)


def _account(draw: DrawFn, number: int, directory: Directory) -> Account:
    shape, object_id = draw(_SHAPES), draw(_ONE)
    status = AccountStatus.DELETED if "deleted" in shape else draw(_PRESENT)
    if shape == "personal":
        status = AccountStatus.PERSONAL
    account = Account(
        number,
        _address(draw, number, directory.people.get(object_id)),
        "" if draw(_SELDOM) else "Ada",
        "Lee",
        status,
        AccountRole.ADMIN if draw(_NOW_AND_THEN) else AccountRole.USER,
        was_active=status is AccountStatus.ACTIVE or draw(st.booleans()),
        claimed=draw(st.booleans()),
    )
    if status is AccountStatus.PENDING:
        account.pending_reason = draw(st.sampled_from([PendingReason.RULE, PendingReason.LICENCE]))
        account.waiting_since = draw(st.integers(0, 3))
    if status is AccountStatus.DISABLED:
        account.disabled_by = draw(st.sampled_from([Hand.PERSON, Hand.CONNECTOR]))
    if status is AccountStatus.DELETED:
        account.disabled_by = draw(st.sampled_from([Hand.NONE, Hand.NONE, Hand.PERSON, Hand.CONNECTOR]))
        account.deleted_by, account.restorable = Hand.CONNECTOR, True
    if shape not in ("plain", "personal"):
        account.tenant_id = OTHER_TENANT if shape in ("foreign", "another's") else TENANT
        account.object_id = object_id
    if shape in ("linked", "deleted", "another's") or (shape == "deleted by person" and draw(st.booleans())):
        account.link, account.managed_by = "entra" if account.tenant_id == TENANT else "other", ManagedBy.AZURE_AD
    if shape == "deleted by person":
        account.deleted_by = Hand.PERSON
        account.barred = not draw(_SELDOM)
        account.restorable = not account.barred or draw(st.booleans())
    if shape == "handed back":
        account.barred = True
    if account.link == "entra":
        account.situations = draw(_LAST_SEEN)
        account.vouched = account.living and draw(_SELDOM)
        account.directory_email = draw(st.sampled_from(["", account.address, ADDRESSES[0]]))
    return account


def _address(draw: DrawFn, number: int, person: Person | None) -> str:
    theirs = person.mail if person and person.mail in ADDRESSES else ADDRESSES[number % len(ADDRESSES)]
    return draw(_addresses(theirs, f"only{number}@firm.example"))


@cache
def _addresses(theirs: str, unique: str) -> SearchStrategy[str]:
    return st.sampled_from([theirs, theirs, theirs.upper(), *ADDRESSES, unique])


@st.composite
def _groups(draw: DrawFn, accounts: list[Account]) -> list[Group]:
    ids = [one.id for one in accounts if one.here]
    members = st.frozensets(st.sampled_from(ids), max_size=3) if ids else st.just(frozenset[int]())
    found = [Group(1, "By hand", members=set(draw(members)))]
    for number, directory_id in enumerate(["crew", "desk", "lost"], start=2):
        state = draw(st.sampled_from(["none", "live", "handed back"]))
        if state != "none":
            group = Group(number, "Crew", ManagedBy.PB, TENANT, directory_id, "", set(draw(members)))
            if state == "live":
                group.managed_by, group.link = ManagedBy.AZURE_AD, "entra"
            found.append(group)
    return found


@st.composite
def _memories(draw: DrawFn, accounts: list[Account]) -> set[Decision]:
    """Draw what is remembered: at most one hold of a person, and an approval only beside a hold."""
    found = set()
    for object_id in sorted(draw(_FEW)):
        kind, cause = draw(_HOLDS)
        found.add(Decision(object_id, MarkKind.HELD, kind.value, cause.value))
        if cause is not HoldCause.ADMIN and draw(st.booleans()):
            found.add(Decision(object_id, MarkKind.APPROVED, kind.value))
    owners = sorted({one.object_id for one in accounts if one.tenant_id == TENANT})
    if owners and draw(_NOW_AND_THEN):
        found.add(Decision(draw(st.sampled_from(owners)), MarkKind.KEPT, draw(_KEEPABLE).value))
    if draw(_SELDOM):
        found.add(Decision(draw(_ONE), MarkKind.DECLINED))
    for kind in (MarkKind.SAME_PERSON, MarkKind.SOMEONE_ELSE, MarkKind.CONFIRMED):
        if accounts and draw(_NOW_AND_THEN):
            account = draw(st.sampled_from(accounts))
            confirmed = kind is MarkKind.CONFIRMED and account.object_id
            found.add(Decision(account.object_id if confirmed else draw(_ONE), kind, str(account.id)))
    return found
