"""Reading users, groups and members: projections, permissions, pages, queries, errors."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.entra_emulator import Application, Emulator, Tenant
from tests.entra_emulator_contract.conftest import GRAPH, Client, error_of

NOBODY = "00000000-1111-2222-3333-444444444444"


@pytest.fixture
def ada(tenant: Tenant) -> str:
    return tenant.add_user("Ada Lovelace", given_name="Ada", surname="Lovelace", mail="ada@brightwater.example").id


@pytest.fixture
def group(tenant: Tenant, ada: str) -> str:
    made = tenant.add_group("Password Boss Users", description="Who has an account")
    tenant.add_member(made.id, ada)
    return made.id


def crowd(tenant: Tenant, group: str, number: int) -> None:
    for count in range(number):
        tenant.add_member(group, tenant.add_user(f"Person {count:04}").id)


# --- projections -------------------------------------------------------------------------------


def test_a_user_without_select_has_the_default_properties(client: Client, ada: str) -> None:
    """microsoft-graph-docs resources/user.md: eleven defaults; accountEnabled is not one of them."""
    document = client.get(f"/users/{ada}").json()
    assert document.pop("@odata.context") == f"{GRAPH}/v1.0/$metadata#users/$entity"
    assert document == {
        "businessPhones": [],
        "displayName": "Ada Lovelace",
        "givenName": "Ada",
        "id": ada,
        "jobTitle": None,
        "mail": "ada@brightwater.example",
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": "Lovelace",
        "userPrincipalName": "ada@brightwater.example",
    }


def test_select_gives_what_it_names_and_nothing_else(client: Client, ada: str) -> None:
    """microsoft-graph-docs resources/user.md: accountEnabled, userType, proxyAddresses by $select only."""
    document = client.get(f"/users/{ada}?$select=id,accountEnabled,userType,proxyAddresses").json()
    assert document == {
        "@odata.context": f"{GRAPH}/v1.0/$metadata#users(id,accountEnabled,userType,proxyAddresses)/$entity",
        "id": ada,
        "accountEnabled": True,
        "userType": "Member",
        "proxyAddresses": ["SMTP:ada@brightwater.example"],
    }


def test_an_unknown_property_is_refused_and_one_kept_elsewhere_is_501(client: Client) -> None:
    """microsoft-graph-docs resources/user.md: aboutMe, skills and others are not for collections."""
    assert error_of(client.get("/users?$select=id,shoeSize")) == (400, "BadRequest")
    assert error_of(client.get("/users?$select=id,skills")) == (501, "NotImplemented")


def test_a_group_has_its_defaults(client: Client, group: str) -> None:
    """microsoft-graph-docs resources/group.md: a security group is security-enabled, without types or mail."""
    document = client.get(f"/groups/{group}").json()
    kinds = {name: document[name] for name in ("groupTypes", "mailEnabled", "securityEnabled", "visibility")}
    assert kinds == {"groupTypes": [], "mailEnabled": False, "securityEnabled": True, "visibility": None}


def test_ids_are_compared_without_case(client: Client, group: str, ada: str) -> None:
    for path in (f"/groups/{group.upper()}/members", f"/users/{ada.upper()}", "/users/ADA@brightwater.example"):
        assert client.get(path).status_code == 200


# --- members -----------------------------------------------------------------------------------


def test_members_mix_types_and_say_which(client: Client, tenant: Tenant, group: str, ada: str) -> None:
    """microsoft-graph-docs group-list-members.md; service principals are not listed (its known issue)."""
    nested = tenant.add_group("Nested").id
    device = tenant.add_device("LAPTOP-1").id
    contact = tenant.add_org_contact("Haulage desk").id
    robot = tenant.service_principals[client.app.client_id].id
    for member in (nested, device, contact, robot):
        tenant.add_member(group, member)
    found = {item["id"]: item["@odata.type"] for item in client.get(f"/groups/{group}/members").json()["value"]}
    assert found == {
        ada: "#microsoft.graph.user",
        nested: "#microsoft.graph.group",
        device: "#microsoft.graph.device",
        contact: "#microsoft.graph.orgContact",
    }


def test_a_cast_narrows_and_drops_the_annotation(client: Client, tenant: Tenant, group: str, ada: str) -> None:
    """microsoft-graph-docs group-list-members.md: OData cast."""
    tenant.add_member(group, tenant.add_group("Nested").id)
    document = client.get(f"/groups/{group}/members/microsoft.graph.user?$select=id").json()
    assert document == {"@odata.context": f"{GRAPH}/v1.0/$metadata#users(id)", "value": [{"id": ada}]}


def test_transitive_members_are_flat_once_and_survive_a_cycle(
    client: Client, tenant: Tenant, group: str, ada: str
) -> None:
    """microsoft-graph-docs group-list-transitivemembers.md: flat, the nested groups included."""
    nested = tenant.add_group("Nested").id
    tenant.add_member(group, nested)
    tenant.add_member(nested, group)
    tenant.add_member(nested, ada)
    grace = tenant.add_user("Grace Hopper").id
    tenant.add_member(nested, grace)
    found = [item["id"] for item in client.get(f"/groups/{group}/transitiveMembers?$select=id").json()["value"]]
    assert found == sorted([ada, grace, nested, group])
    direct = [item["id"] for item in client.get(f"/groups/{group}/members?$select=id").json()["value"]]
    assert direct == sorted([ada, nested])


def test_a_transitive_cast_is_an_advanced_query(client: Client, group: str, ada: str) -> None:
    """microsoft-graph-docs concepts/aad-advanced-queries.md: header and $count=true, both."""
    path = f"/groups/{group}/transitiveMembers/microsoft.graph.user"
    assert error_of(client.get(path)) == (400, "Request_UnsupportedQuery")
    assert error_of(client.get(f"{path}?$count=true")) == (400, "Request_UnsupportedQuery")
    assert error_of(client.get(path, eventual=True)) == (400, "Request_UnsupportedQuery")
    document = client.get(f"{path}?$count=true&$select=id", eventual=True).json()
    assert (document["@odata.count"], document["value"]) == (1, [{"id": ada}])


def test_without_user_read_all_members_are_bare(client: Client, tenant: Tenant, group: str, ada: str) -> None:
    """microsoft-graph-docs concepts/permissions-overview.md: type and id, every other property null, and 200."""
    client.app = tenant.register_app(roles=["Group.Read.All"], consented=True)
    answer = client.sign_in().get(f"/groups/{group}/members?$select=id,displayName,mail,accountEnabled")
    assert answer.json()["value"] == [
        {
            "@odata.type": "#microsoft.graph.user",
            "id": ada,
            "displayName": None,
            "mail": None,
            "accountEnabled": None,
        }
    ]
    assert error_of(client.get("/users?$top=1&$select=id")) == (403, "Authorization_RequestDenied")


def test_devices_and_contacts_are_bare_too(client: Client, tenant: Tenant, group: str) -> None:
    """As above: neither Group.Read.All nor User.Read.All reads a device."""
    device = tenant.add_device("LAPTOP-1").id
    tenant.add_member(group, device)
    items = client.get(f"/groups/{group}/members?$select=id,displayName").json()["value"]
    assert [item for item in items if item["id"] == device] == [
        {"@odata.type": "#microsoft.graph.device", "id": device, "displayName": None}
    ]


def test_hidden_members_need_their_own_permission(client: Client, tenant: Tenant, group: str) -> None:
    """microsoft-graph-docs permissions group-list-members: Member.Read.Hidden for HiddenMembership groups."""
    parent = tenant.add_group("Parent").id
    tenant.add_member(parent, group)
    tenant.hide_group(group)
    for path in (f"/groups/{group}/members", f"/groups/{parent}/transitiveMembers"):
        assert error_of(client.get(path)) == (403, "Authorization_RequestDenied")
    assert client.get(f"/groups/{parent}/members").status_code == 200
    assert client.get(f"/groups/{group}").json()["visibility"] == "HiddenMembership"
    tenant.grant_consent(client.app.client_id, ["Group.Read.All", "User.Read.All", "Member.Read.Hidden"])
    assert len(client.sign_in().get(f"/groups/{group}/members").json()["value"]) == 1


def test_expand_stops_at_twenty_without_a_word(client: Client, tenant: Tenant, group: str) -> None:
    """microsoft-graph-docs concepts/query-parameters.md: at most 20 expanded, no nextLink."""
    crowd(tenant, group, 30)
    document = client.get(f"/groups/{group}?$expand=members($select=id)").json()
    assert len(document["members"]) == 20
    assert "members@odata.nextLink" not in document


def test_the_groups_of_a_person(client: Client, tenant: Tenant, group: str, ada: str) -> None:
    """microsoft-graph-docs user-list-transitivememberof.md; User.Read.All is enough."""
    parent = tenant.add_group("Parent").id
    tenant.add_member(parent, group)
    client.app = tenant.register_app(roles=["User.Read.All"], consented=True)
    client.sign_in()
    direct = client.get(f"/users/{ada}/memberOf?$select=id").json()["value"]
    assert [item["id"] for item in direct] == [group]
    everything = client.get(f"/users/{ada}/transitiveMemberOf?$select=id").json()["value"]
    assert sorted(item["id"] for item in everything) == sorted([group, parent])
    advanced = f"/users/{ada}/transitiveMemberOf/microsoft.graph.group?$count=true&$select=id"
    assert len(client.get(advanced, eventual=True).json()["value"]) == 2


# --- people who leave ---------------------------------------------------------------------------


def test_a_soft_deleted_person_is_nowhere_until_restored(client: Client, tenant: Tenant, group: str, ada: str) -> None:
    """microsoft-graph-docs directory-deleteditems: restorable for 30 days, with memberships."""
    tenant.soft_delete_user(ada)
    assert error_of(client.get(f"/users/{ada}")) == (404, "Request_ResourceNotFound")
    assert client.get(f"/groups/{group}/members").json()["value"] == []
    assert client.get("/users").json()["value"] == []
    tenant.restore_user(ada)
    assert [item["id"] for item in client.get(f"/groups/{group}/members").json()["value"]] == [ada]


def test_a_principal_name_belongs_to_one_living_person(tenant: Tenant, ada: str) -> None:
    """microsoft-graph-docs resources/user.md: unique among the living, free again after a deletion."""
    name = tenant.people[ada].user_principal_name
    with pytest.raises(ValueError, match="principal name"):
        tenant.add_user("Another Ada", user_principal_name=name.upper())
    same_mail = tenant.add_user("Ada Twice", mail=name)
    with pytest.raises(ValueError, match="principal name"):
        tenant.update_user(same_mail.id, user_principal_name=name)
    tenant.soft_delete_user(ada)
    assert tenant.update_user(same_mail.id, user_principal_name=name).user_principal_name == name
    with pytest.raises(ValueError, match="principal name"):
        tenant.restore_user(ada)
    assert (list(tenant.people), list(tenant.deleted)) == ([same_mail.id], [ada])


def test_a_purged_person_does_not_come_back(emulator: Emulator, tenant: Tenant, group: str, ada: str) -> None:
    tenant.soft_delete_user(ada)
    emulator.clock.advance(days=31)
    with pytest.raises(LookupError, match="30 days"):
        tenant.restore_user(ada)
    tenant.purge_user(ada)
    assert tenant.members[group] == {}


def test_a_deleted_group_is_404(client: Client, tenant: Tenant, group: str) -> None:
    """microsoft-graph-docs concepts/errors.md."""
    tenant.delete_group(group)
    for path in (f"/groups/{group}", f"/groups/{group}/members", f"/groups/{group}/transitiveMembers"):
        assert error_of(client.get(path)) == (404, "Request_ResourceNotFound")


# --- pages -------------------------------------------------------------------------------------


def test_pages_hold_100_or_what_top_says_up_to_999(client: Client, tenant: Tenant, group: str) -> None:
    """microsoft-graph-docs group-list-members.md: default 100, maximum 999."""
    crowd(tenant, group, 1100)
    assert [len(page) for page in client.pages(f"/groups/{group}/members?$select=id")] == [100] * 11 + [1]
    assert [len(page) for page in client.pages(f"/groups/{group}/members?$top=999")] == [999, 102]
    assert error_of(client.get(f"/groups/{group}/members?$top=1000")) == (400, "Request_UnsupportedQuery")
    assert error_of(client.get(f"/groups/{group}/members?$top=0")) == (400, "Request_UnsupportedQuery")


def test_a_next_link_is_absolute_and_carries_the_parameters(client: Client, tenant: Tenant, group: str) -> None:
    """microsoft-graph-docs concepts/paging.md: use it as it is."""
    crowd(tenant, group, 3)
    link = client.get(f"/groups/{group}/members?$select=id,mail&$top=2").json()["@odata.nextLink"]
    parts = urlsplit(link)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{GRAPH}/v1.0/groups/{group}/members"
    query = parse_qs(parts.query)
    assert (query["$select"], query["$top"]) == (["id,mail"], ["2"])
    assert sorted(query) == ["$select", "$skiptoken", "$top"]


def test_a_rebuilt_link_is_refused(client: Client, tenant: Tenant, group: str) -> None:
    """microsoft-graph-docs concepts/paging.md forbids it; that it is refused is the emulator's own rule."""
    crowd(tenant, group, 3)
    link = client.get(f"/groups/{group}/members?$select=id,mail&$top=2").json()["@odata.nextLink"]
    token = parse_qs(urlsplit(link).query)["$skiptoken"][0]
    for rebuilt in (f"/groups/{group}/members?$skiptoken={token}", f"/users?$select=id,mail&$top=2&$skiptoken={token}"):
        assert error_of(client.get(rebuilt)) == (400, "Request_BadRequest")


def test_a_page_token_dies(emulator: Emulator, client: Client, tenant: Tenant, group: str) -> None:
    """microsoftgraph/msgraph-sdk-dotnet#2254; the status is assumed."""
    crowd(tenant, group, 3)
    link = client.get(f"/groups/{group}/members?$top=2").json()["@odata.nextLink"]
    assert client.get(link).status_code == 200
    assert error_of(client.get(link[:-3] + "AAA")) == (400, "Directory_ExpiredPageToken")
    emulator.clock.advance(minutes=61)
    assert error_of(client.sign_in().get(link)) == (400, "Directory_ExpiredPageToken")


def test_a_page_may_be_empty_and_go_on(emulator: Emulator, client: Client, tenant: Tenant, group: str) -> None:
    """microsoft-graph-docs concepts/paging.md."""
    crowd(tenant, group, 5)
    emulator.faults.add(path="/members", page=2, page_size=0)
    assert [len(page) for page in client.pages(f"/groups/{group}/members?$top=2")] == [2, 0, 2, 2]


def test_nobody_slips_through_when_somebody_leaves_between_two_pages(
    emulator: Emulator, client: Client, tenant: Tenant, group: str
) -> None:
    """Pages are positions, not offsets. How Graph does it is not documented."""
    crowd(tenant, group, 5)
    before = [item["id"] for item in client.get(f"/groups/{group}/members").json()["value"]]
    emulator.faults.add(path="/members", page=2, call=lambda: tenant.remove_member(group, before[0]))
    found = [item["id"] for page in client.pages(f"/groups/{group}/members?$top=2") for item in page]
    assert found == before
    assert len(tenant.members[group]) == 5


def test_skip_is_not_supported(client: Client) -> None:
    """microsoft-graph-docs concepts/query-parameters.md, directory objects."""
    assert error_of(client.get("/users?$skip=10")) == (400, "Request_BadRequest")
    assert error_of(client.get("/users?$apply=x")) == (400, "BadRequest")


# --- queries -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("$filter=startswith(displayName,'pass')", ["Password Boss Users"]),
        ("$filter=displayName eq 'O''Brien''s'", ["O'Brien's"]),
        ("$filter=securityEnabled eq true", ["O'Brien's", "Password Boss Users"]),
        ("$filter=groupTypes/any(c:c eq 'Unified')", ["Fleet"]),
        ("$filter=mailEnabled eq true and securityEnabled eq false", ["Fleet"]),
        ("$filter=startswith(displayName,'x') or (mailEnabled eq true)", ["Fleet"]),
        ("$orderby=displayName", ["Fleet", "O'Brien's", "Password Boss Users"]),
        ("$orderby=displayName desc&$top=1", ["Password Boss Users", "O'Brien's", "Fleet"]),
    ],
)
def test_default_queries_on_groups(client: Client, tenant: Tenant, query: str, found: list[str]) -> None:
    """microsoft-graph-docs group-list.md and concepts/filter-query-parameter.md."""
    tenant.add_group("Password Boss Users")
    tenant.add_group("O'Brien's")
    tenant.add_microsoft_365_group("Fleet")
    names = [item["displayName"] for page in client.pages(f"/groups?$select=displayName&{query}") for item in page]
    assert (names if "orderby" in query else sorted(names)) == found


def test_ids_in_a_list_are_at_most_fifteen(client: Client, tenant: Tenant, group: str) -> None:
    """microsoft-graph-docs concepts/filter-query-parameter.md: in. The limit of 15 clauses is seen in practice."""
    assert client.get(f"/groups?$select=id&$filter=id in ('{NOBODY}','{group}')").json()["value"] == [{"id": group}]
    many = ",".join(f"'{NOBODY}'" for _ in range(16))
    assert error_of(client.get(f"/groups?$filter=id in ({many})")) == (400, "Request_UnsupportedQuery")


@pytest.mark.parametrize(
    "query",
    [
        "$filter=mail eq 'ada@brightwater.example'",
        "$filter=mail eq 'ADA@BRIGHTWATER.EXAMPLE'",
        "$filter=userPrincipalName eq 'ada@brightwater.example'",
        "$filter=proxyAddresses/any(x:x eq 'SMTP:ada@brightwater.example')",
        "$filter=proxyAddresses/any(x:startswith(x,'smtp:ada@'))",
        "$filter=accountEnabled eq true and userType eq 'Member'",
    ],
)
def test_default_queries_on_users(client: Client, ada: str, tenant: Tenant, query: str) -> None:
    """microsoft-graph-docs user-list.md."""
    tenant.add_guest("Marta Ruiz", "marta@ferncastle.example", account_enabled=False)
    assert client.get(f"/users?$select=id&{query}").json()["value"] == [{"id": ada}]


@pytest.mark.parametrize(
    "query",
    [
        "$filter=accountEnabled ne true",
        "$filter=not(startswith(displayName,'A'))",
        "$filter=endswith(mail,'ferncastle.example')",
        "$filter=startswith(displayName,'M')&$orderby=displayName",
    ],
)
def test_advanced_queries_need_the_header_and_count(client: Client, tenant: Tenant, ada: str, query: str) -> None:
    """microsoft-graph-docs concepts/aad-advanced-queries.md."""
    guest = tenant.add_guest("Marta Ruiz", "marta@ferncastle.example", account_enabled=False).id
    assert error_of(client.get(f"/users?{query}")) == (400, "Request_UnsupportedQuery")
    assert error_of(client.get(f"/users?{query}", eventual=True)) == (400, "Request_UnsupportedQuery")
    assert error_of(client.get(f"/users?{query}&$count=true")) == (400, "Request_UnsupportedQuery")
    found = client.get(f"/users?$select=id&{query}&$count=true", eventual=True).json()
    assert (found["value"], found["@odata.count"]) == ([{"id": guest}], 1)


@pytest.mark.parametrize(
    "broken", ["displayName eq", "displayName like 'x'", "shoeSize eq 3", "(displayName eq 'x'", "'"]
)
def test_a_broken_filter_is_refused(client: Client, broken: str) -> None:
    """microsoft-graph-docs concepts/errors.md."""
    assert client.get(f"/users?$filter={broken}").status_code == 400


def test_search_needs_the_header_and_quotes(client: Client, tenant: Tenant) -> None:
    """microsoft-graph-docs concepts/search-query-parameter.md: tokenised on displayName and description."""
    names = ("Password Boss Users", "OneVideo", "Bosses", "Embossed")
    for name in names:
        tenant.add_group(name)
    search = '/groups?$select=displayName&$search="displayName:boss"'
    assert error_of(client.get(search)) == (400, "Request_UnsupportedQuery")
    found = [item["displayName"] for item in client.get(search, eventual=True).json()["value"]]
    assert sorted(found) == ["Bosses", "Password Boss Users"]
    assert error_of(client.get("/groups?$search=displayName:boss", eventual=True)) == (400, "BadRequest")
    video = client.get('/groups?$search="displayName:video" OR "displayName:users"', eventual=True).json()["value"]
    assert sorted(item["displayName"] for item in video) == ["OneVideo", "Password Boss Users"]


def test_the_header_is_asked_for_again_on_every_page(client: Client, tenant: Tenant) -> None:
    """microsoft-graph-docs concepts/paging.md: headers are not carried over; the count is on the first page only."""
    for number in range(3):
        tenant.add_group(f"Boss {number}")
    first = client.get('/groups?$search="displayName:boss"&$top=2&$count=true', eventual=True).json()
    assert first["@odata.count"] == 3
    assert error_of(client.get(first["@odata.nextLink"])) == (400, "Request_UnsupportedQuery")
    second = client.get(first["@odata.nextLink"], eventual=True).json()
    assert (len(second["value"]), "@odata.count" in second) == (1, False)


def test_count_as_a_segment_and_as_a_parameter(client: Client, group: str, ada: str) -> None:
    """microsoft-graph-docs#1000 and concepts/aad-advanced-queries.md: refused as a segment, ignored as a parameter."""
    for path in ("/users/$count", "/groups/$count", f"/groups/{group}/members/$count"):
        assert error_of(client.get(path)) == (400, "Request_BadRequest")
        answer = client.get(path, eventual=True)
        assert (answer.text, answer.headers["Content-Type"]) == ("1", "text/plain")
    assert "@odata.count" not in client.get("/users?$count=true").json()


def test_the_index_of_advanced_queries_may_lag(client: Client, tenant: Tenant, group: str, ada: str) -> None:
    """microsoft-graph-docs concepts/aad-advanced-queries.md: eventually consistent, plain reads are not."""
    tenant.hold_index()
    grace = tenant.add_user("Grace Hopper").id
    tenant.add_member(group, grace)
    tenant.update_user(ada, display_name="Ada King")
    plain = f"/groups/{group}/members?$select=id,displayName"
    assert len(client.get(plain).json()["value"]) == 2
    lagging = client.get(plain, eventual=True).json()["value"]
    assert lagging == [{"@odata.type": "#microsoft.graph.user", "id": ada, "displayName": "Ada Lovelace"}]
    tenant.release_index()
    assert len(client.get(plain, eventual=True).json()["value"]) == 2


# --- access ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/organization"),
        ("GET", "/applications(appId='x')"),
        ("GET", "/applications"),
        ("GET", "/servicePrincipals"),
        ("GET", "/devices"),
        ("GET", "/directoryRoles"),
        ("POST", "/directoryObjects/getByIds"),
    ],
)
def test_what_the_two_permissions_do_not_open_is_403(client: Client, method: str, path: str) -> None:
    """microsoft-graph-docs api-reference permissions includes: none lists Group.Read.All with User.Read.All."""
    headers = {"Authorization": f"Bearer {client.token}"}
    answer = client.session.request(method, f"{GRAPH}/v1.0{path}", headers=headers, json={}, timeout=5)
    assert error_of(answer) == (403, "Authorization_RequestDenied")


def test_the_organisation_opens_with_its_own_permission(client: Client, tenant: Tenant) -> None:
    """microsoft-graph-docs organization-list permissions."""
    client.app = tenant.register_app(roles=["Organization.Read.All"], consented=True)
    assert client.sign_in().get("/organization").json()["value"][0]["id"] == tenant.id


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_nothing_can_be_written(client: Client, ada: str, method: str) -> None:
    headers = {"Authorization": f"Bearer {client.token}"}
    answer = client.session.request(method, f"{GRAPH}/v1.0/users/{ada}", headers=headers, json={}, timeout=5)
    assert error_of(answer) == (405, "Request_BadRequest")


def test_each_collection_needs_its_permission(client: Client, tenant: Tenant, group: str, ada: str) -> None:
    """microsoft-graph-docs api-reference permissions includes."""
    client.app = tenant.register_app(roles=["User.Read.All"], consented=True)
    client.sign_in()
    for path in ("/groups", f"/groups/{group}", f"/groups/{group}/members", f"/groups/{group}/transitiveMembers"):
        assert error_of(client.get(path)) == (403, "Authorization_RequestDenied")
    assert client.get(f"/users/{ada}").status_code == 200


def test_a_missing_broken_or_expired_token_is_401_with_a_challenge(emulator: Emulator, client: Client) -> None:
    """Public threads on InvalidAuthenticationToken; the challenge names login and Graph's own client id."""
    challenge = (
        'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
        'client_id="00000003-0000-0000-c000-000000000000"'
    )
    bare = client.session.get(f"{GRAPH}/v1.0/users", timeout=5)
    forged = client.get("/users", headers={"Authorization": f"Bearer {client.token[:-4]}AAAA"})
    emulator.clock.advance(3600)
    expired = client.get("/users")
    for answer in (bare, forged, expired):
        assert error_of(answer) == (401, "InvalidAuthenticationToken")
        assert answer.headers["WWW-Authenticate"] == challenge
    assert expired.json()["error"]["message"] == "Lifetime validation failed, the token is expired."


def test_tokens_can_be_voided_before_they_expire(client: Client, tenant: Tenant) -> None:
    """entra-docs concept-continuous-access-evaluation-workload.md: claims challenge, 401."""
    tenant.revoke_tokens(client.app.client_id)
    answer = client.get("/users")
    assert error_of(answer) == (401, "InvalidAuthenticationToken")
    assert 'error="insufficient_claims"' in answer.headers["WWW-Authenticate"]
    assert client.sign_in().get("/users").status_code == 200


def test_an_application_taken_out_of_the_tenant_is_no_longer_known(client: Client, tenant: Tenant) -> None:
    """MicrosoftDocs/azure-docs#6485: Authorization_IdentityNotFound; the status is assumed."""
    tenant.remove_enterprise_app(client.app.client_id)
    assert error_of(client.get("/users")) == (403, "Authorization_IdentityNotFound")


def test_one_tenant_never_sees_another(emulator: Emulator, client: Client, app: Application, ada: str) -> None:
    other = emulator.add_tenant("Sable Street Brewing", domain="sablestreet.example")
    owen = other.add_user("Owen Marsh").id
    other.grant_consent(app.client_id)
    theirs = Client(emulator.session(), app, other).sign_in()
    assert [item["id"] for item in theirs.get("/users").json()["value"]] == [owen]
    assert [item["id"] for item in client.get("/users").json()["value"]] == [ada]
    assert error_of(theirs.get(f"/users/{ada}")) == (404, "Request_ResourceNotFound")


# --- errors and headers --------------------------------------------------------------------------


def test_the_error_envelope(client: Client) -> None:
    """microsoft-graph-docs concepts/errors.md."""
    answer = client.get(f"/users/{NOBODY}", headers={"client-request-id": "mine"})
    error = answer.json()["error"]
    assert sorted(error) == ["code", "innerError", "message"]
    assert sorted(error["innerError"]) == ["client-request-id", "date", "request-id"]
    assert error["innerError"]["request-id"] == answer.headers["request-id"]
    assert answer.headers["client-request-id"] == error["innerError"]["client-request-id"] == "mine"
    assert "x-ms-ags-diagnostic" in answer.headers


@pytest.mark.parametrize("path", ["/people", f"/users/{NOBODY}/shoes", "/groups/not-a-guid", "/me"])
def test_an_unknown_path_is_400(client: Client, path: str, ada: str) -> None:
    assert client.get(path).status_code == 400


def test_another_version_is_refused(client: Client) -> None:
    assert error_of(client.get(f"{GRAPH}/beta/users")) == (400, "BadRequest")
