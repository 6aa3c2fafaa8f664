"""Delta queries on users and groups: rounds, tokens, removals, and what they do not tell."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.entra_emulator import Emulator, Tenant
from tests.entra_emulator_contract.conftest import GRAPH, Client, error_of

NOBODY = "00000000-1111-2222-3333-444444444444"


def rounds(client: Client, url: str, **words: Any) -> tuple[list[dict[str, Any]], str]:
    """Follow a round to its deltaLink."""
    found: list[dict[str, Any]] = []
    while True:
        answer = client.get(url, **words)
        assert answer.status_code == 200, answer.text
        document = answer.json()
        found += document["value"]
        if "@odata.deltaLink" in document:
            return found, document["@odata.deltaLink"]
        url = document["@odata.nextLink"]


def user_member(id: str, **more: Any) -> dict[str, Any]:
    return {"@odata.type": "#microsoft.graph.user", "id": id, **more}


@pytest.fixture
def ada(tenant: Tenant) -> str:
    return tenant.add_user("Ada Lovelace", mail="ada@brightwater.example").id


@pytest.fixture
def group(tenant: Tenant, ada: str) -> str:
    made = tenant.add_group("Password Boss Users")
    tenant.add_member(made.id, ada)
    return made.id


def test_the_first_round_tells_everything_and_the_next_only_changes(client: Client, tenant: Tenant, ada: str) -> None:
    """microsoft-graph-docs concepts/delta-query-users.md."""
    first, link = rounds(client, "/users/delta?$select=displayName,mail")
    assert first == [{"id": ada, "displayName": "Ada Lovelace", "mail": "ada@brightwater.example"}]
    assert list(parse_qs(urlsplit(link).query)) == ["$deltatoken"]
    nothing, link = rounds(client, link)
    assert nothing == []
    tenant.update_user(ada, display_name="Ada King")
    grace = tenant.add_user("Grace Hopper").id
    changed, link = rounds(client, link)
    assert changed == [
        {"id": ada, "displayName": "Ada King", "mail": "ada@brightwater.example"},
        {"id": grace, "displayName": "Grace Hopper"},
    ]
    tenant.update_user(ada, mail=None)
    assert rounds(client, link)[0] == [{"id": ada, "displayName": "Ada King", "mail": None}]


def test_a_change_of_what_is_not_selected_is_not_told(client: Client, tenant: Tenant, ada: str) -> None:
    """microsoft-graph-docs concepts/delta-query-overview.md: $select."""
    _, link = rounds(client, "/users/delta?$select=displayName")
    tenant.update_user(ada, job_title="Countess")
    assert rounds(client, link)[0] == []


def test_minimal_answers_hold_changed_properties_only(client: Client, tenant: Tenant, ada: str) -> None:
    """microsoft-graph-docs api user-delta.md: Prefer: return=minimal."""
    _, link = rounds(client, "/users/delta?$select=displayName,mail")
    tenant.update_user(ada, display_name="Ada King")
    minimal, _ = rounds(client, link, headers={"Prefer": "return=minimal"})
    assert minimal == [{"id": ada, "displayName": "Ada King"}]


def test_removed_says_whether_it_can_come_back(client: Client, tenant: Tenant, ada: str) -> None:
    """microsoft-graph-docs concepts/delta-query-overview.md: changed is restorable, deleted is not."""
    _, link = rounds(client, "/users/delta?$select=displayName")
    tenant.soft_delete_user(ada)
    gone, link = rounds(client, link)
    assert gone == [{"id": ada, "@removed": {"reason": "changed"}}]
    tenant.restore_user(ada)
    back, link = rounds(client, link)
    assert back == [{"id": ada, "displayName": "Ada Lovelace"}]
    tenant.purge_user(ada)
    assert rounds(client, link)[0] == [{"id": ada, "@removed": {"reason": "deleted"}}]


def test_members_come_with_groups_by_id_and_type(client: Client, tenant: Tenant, group: str, ada: str) -> None:
    """microsoft-graph-docs concepts/delta-query-groups.md; an empty group has no members@delta."""
    empty = tenant.add_group("Empty").id
    first, link = rounds(client, "/groups/delta?$select=displayName,members")
    assert sorted(first, key=lambda item: item["displayName"]) == [
        {"id": empty, "displayName": "Empty"},
        {"id": group, "displayName": "Password Boss Users", "members@delta": [user_member(ada)]},
    ]
    tenant.remove_member(group, ada)
    grace = tenant.add_user("Grace Hopper").id
    tenant.add_member(group, grace)
    (changed,), _ = rounds(client, link)
    assert changed["members@delta"] == [user_member(ada, **{"@removed": {"reason": "deleted"}}), user_member(grace)]


def test_without_select_members_are_told_and_with_it_only_if_named(client: Client, group: str, ada: str) -> None:
    """microsoft-graph-docs concepts/delta-query-groups.md."""
    (plain,), _ = rounds(client, "/groups/delta")
    assert plain["members@delta"] == [user_member(ada)]
    (named,), _ = rounds(client, "/groups/delta?$select=displayName")
    assert named == {"id": group, "displayName": "Password Boss Users"}


def test_a_large_group_is_split_over_pages(emulator: Emulator, client: Client, tenant: Tenant, group: str) -> None:
    """microsoft-graph-docs concepts/delta-query-groups.md: the same group, another slice of members."""
    for number in range(250):
        tenant.add_member(group, tenant.add_user(f"Person {number}").id)
    emulator.faults.add(path="/groups/delta", times=None, page_size=2)
    emulator.faults.add(path="/groups/delta", page=2, page_size=0)
    found, _ = rounds(client, "/groups/delta?$select=members")
    assert [(item["id"], len(item["members@delta"])) for item in found] == [(group, 100), (group, 100), (group, 51)]
    assert len(emulator.journal.where("/groups/delta")) == 3


def test_a_soft_deleted_member_leaves_without_a_membership_event(
    client: Client, tenant: Tenant, group: str, ada: str
) -> None:
    """microsoft-graph-docs#14708: only the user's own delta tells; a purge is told by the group."""
    _, link = rounds(client, "/groups/delta?$select=members")
    tenant.soft_delete_user(ada)
    silent, link = rounds(client, link)
    assert silent == []
    tenant.restore_user(ada)
    assert rounds(client, link)[0] == []
    tenant.purge_user(ada)
    (told,), _ = rounds(client, link)
    assert told["members@delta"] == [user_member(ada, **{"@removed": {"reason": "deleted"}})]


def test_a_change_in_a_nested_group_does_not_touch_its_parent(client: Client, tenant: Tenant, group: str) -> None:
    """microsoft-graph-docs#4822: no transitive delta."""
    nested = tenant.add_group("Nested").id
    tenant.add_member(group, nested)
    _, link = rounds(client, "/groups/delta?$select=members")
    tenant.add_member(nested, tenant.add_user("Grace Hopper").id)
    changed, _ = rounds(client, link)
    assert [item["id"] for item in changed] == [nested]


def test_a_filter_is_by_ids_only(client: Client, tenant: Tenant, group: str) -> None:
    """microsoft-graph-docs concepts/delta-query-overview.md: scoping filters, at most 50."""
    tenant.add_group("Another")
    found, link = rounds(
        client, f"/groups/delta?$select=displayName&$filter=id eq '{group.upper()}' or id eq '{NOBODY}'"
    )
    assert [item["id"] for item in found] == [group]
    tenant.add_group("A third")
    assert rounds(client, link)[0] == []
    many = " or ".join(f"id eq '{NOBODY}'" for _ in range(51))
    for text in ("displayName eq 'x'", many):
        assert error_of(client.get(f"/groups/delta?$filter={text}")) == (400, "Request_UnsupportedQuery")


def test_latest_begins_from_now(client: Client, tenant: Tenant, ada: str) -> None:
    """microsoft-graph-docs concepts/delta-query-overview.md: $deltatoken=latest, in any case."""
    for name in ("$deltatoken", "$deltaToken"):
        document = client.get(f"/users/delta?{name}=latest").json()
        assert document["value"] == []
    tenant.update_user(ada, display_name="Ada King")
    changed, _ = rounds(client, document["@odata.deltaLink"])
    assert [item["id"] for item in changed] == [ada]


@pytest.mark.parametrize("form", ["delta", "delta()", "microsoft.graph.delta", "microsoft.graph.delta()"])
def test_every_form_of_the_function_is_accepted(client: Client, ada: str, form: str) -> None:
    assert [item["id"] for item in rounds(client, f"/users/{form}")[0]] == [ada]


@pytest.mark.parametrize("parameter", ["$top=5", "$orderby=displayName", "$expand=members", "$search=x"])
def test_other_parameters_are_refused(client: Client, parameter: str) -> None:
    """microsoft-graph-docs concepts/delta-query-overview.md: not supported for users and groups."""
    assert error_of(client.get(f"/groups/delta?{parameter}")) == (400, "Request_BadRequest")


def test_parameters_are_not_repeated_with_a_token(client: Client, ada: str) -> None:
    _, link = rounds(client, "/users/delta?$select=displayName")
    assert error_of(client.get(f"{link}&$select=displayName")) == (400, "Request_BadRequest")


def test_tokens_age_are_reset_and_belong_to_one_place(
    emulator: Emulator, client: Client, tenant: Tenant, ada: str
) -> None:
    """devblogs.microsoft.com, Duration of change tracking tokens: 7 days, 400 syncStateNotFound;
    concepts/delta-query-overview.md: 410 with Location after a reset."""
    _, link = rounds(client, "/users/delta")
    token = urlsplit(link).query
    assert error_of(client.get(f"/groups/delta?{token}")) == (400, "Request_BadRequest")
    assert error_of(client.get("/users/delta?$deltatoken=nonsense")) == (400, "Request_BadRequest")
    tenant.reset_delta()
    gone = client.get(link)
    assert error_of(gone) == (410, "resyncRequired")
    assert gone.headers["Location"] == f"{GRAPH}/v1.0/users/delta?$deltatoken="
    _, link = rounds(client, gone.headers["Location"])
    emulator.clock.advance(days=7, seconds=1)
    assert error_of(client.sign_in().get(link)) == (400, "syncStateNotFound")


def test_delta_may_be_untidy(client: Client, tenant: Tenant, ada: str) -> None:
    """microsoft-graph-docs concepts/delta-query-overview.md: replays; docs-contrib#2005: removals in round one."""
    gone = tenant.add_user("Gone").id
    tenant.soft_delete_user(gone)
    tenant.untidy_delta()
    first, _ = rounds(client, "/users/delta?$select=displayName")
    assert [item["id"] for item in first] == [ada, gone, ada]
    assert first[1] == {"id": gone, "@removed": {"reason": "changed"}}


def test_delta_needs_the_permissions_of_a_list(client: Client, tenant: Tenant) -> None:
    """microsoft-graph-docs permissions group-delta and user-delta."""
    client.app = tenant.register_app(roles=["User.Read.All"], consented=True)
    client.sign_in()
    assert error_of(client.get("/groups/delta")) == (403, "Authorization_RequestDenied")
    assert client.get("/users/delta").status_code == 200
