"""Whatever is asked is answered: no request makes the emulator itself fail."""

from __future__ import annotations

from urllib.parse import quote

import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import LONG
from tests.entra_emulator import Emulator
from tests.entra_emulator.people import BRIGHTWATER, SYNC_GROUP, populate
from tests.entra_emulator_contract.conftest import GRAPH, LOGIN, Client

ANSWERS = {200, 400, 401, 403, 404, 405, 410, 429, 501}

emulator = Emulator()
populate(emulator)
emulator.throttling = False
tenant = emulator.tenant(BRIGHTWATER)
group = tenant.group(SYNC_GROUP).id
client = Client(emulator.session(), next(iter(emulator.applications.values())), tenant).sign_in()

words = st.text(max_size=12) | st.sampled_from(
    ["displayName", "eq", "'x'", "and", "(", ")", "id", "in", "any", ":", "members", "true", "1", "999", "null"]
)
values = st.lists(words, max_size=6).map(" ".join)
names = st.sampled_from(
    ["$select", "$filter", "$search", "$top", "$orderby", "$count", "$expand", "$skiptoken", "$deltatoken", "$x", "y"]
)
paths = st.sampled_from(
    [
        "users", "users/delta", "users/$count", "users/ada", "groups", f"groups/{group}", f"groups/{group}/members",
        f"groups/{group}/transitiveMembers/microsoft.graph.user", f"groups/{group}/members/$count", "groups/delta",
    ]
) | st.text(max_size=20)  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
steps = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1, max_size=3) | json_values,
        "method": st.just("GET") | json_values,
        "url": st.just("/users?$top=1") | st.text(max_size=20) | json_values,
    },
    optional={
        "headers": json_values,
        "dependsOn": json_values,
        "body": json_values,
    },
)


@settings(max_examples=2000 if LONG else 100, deadline=None)
@given(path=paths, query=st.dictionaries(names, values, max_size=4), eventual=st.booleans())
def test_any_read(path: str, query: dict[str, str], eventual: bool) -> None:
    text = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    answer = client.get(f"/{quote(path, safe='/$')}?{text}", eventual=eventual)
    assert answer.status_code in ANSWERS
    if answer.status_code != 200:
        assert sorted(answer.json()["error"]) == ["code", "innerError", "message"]


@settings(max_examples=1500 if LONG else 75, deadline=None)
@given(document=st.fixed_dictionaries({"requests": st.lists(steps, max_size=3)}) | json_values)
def test_any_batch(document: object) -> None:
    headers = {"Authorization": f"Bearer {client.token}"}
    answer = client.session.post(f"{GRAPH}/v1.0/$batch", json=document, headers=headers, timeout=5)
    assert answer.status_code in ANSWERS


@settings(max_examples=1000 if LONG else 50, deadline=None)
@given(
    segment=st.text(max_size=10) | st.just(tenant.id),
    form=st.dictionaries(
        st.sampled_from(["client_id", "client_secret", "scope", "grant_type", "client_assertion"]),
        st.text(max_size=10) | st.sampled_from(["client_credentials", client.app.client_id, f"{GRAPH}/.default"]),
    ),
)
def test_any_token_request(segment: str, form: dict[str, str]) -> None:
    url = f"{LOGIN}/{quote(segment, safe='')}/oauth2/v2.0/token"
    answer: requests.Response = client.session.post(url, data=form, timeout=5)
    assert answer.status_code in ANSWERS
