"""Mistakes in signing in to Microsoft and in reading from it."""

from __future__ import annotations

from tests.mistakes.row import Mistake, Patch, mistake

TOKEN_PY = "connectors/entra/token.py"
GRAPH_PY = "connectors/entra/graph.py"
GROUPS_PY = "connectors/entra/membership.py"
RECORDS_PY = "connectors/entra/records.py"
TRANSPORT_PY = "connectors/entra/transport.py"
TOKENS = ("tests/connectors/test_entra_token.py",)
READING = ("tests/connectors/test_entra_reading.py",)
TRANSPORT = ("tests/connectors/test_entra_transport.py",)
CONSENT = ("tests/connectors/test_consent.py",)
SEARCH = ("tests/connectors/test_entra_search.py",)

MISTAKES: tuple[Mistake, ...] = (
    mistake(
        1,
        "a token is taken for the proof that the connection works",
        "connectors/entra/proof.py",
        "    granted = graph.tokens.token().permissions\n",
        "    granted = graph.tokens.token().permissions\n    return Verification(tenant_id, granted or frozenset())\n",
        TOKENS,
    ),
    mistake(
        1,
        "the permissions in the token are believed, no read is tried",
        "connectors/entra/proof.py",
        "    for permission, probe in _PROBES.items():\n",
        "    for permission, probe in {}.items():\n",
        TOKENS,
    ),
    mistake(
        2,
        "a 403 is final although the token is from before the consent",
        GRAPH_PY,
        "        if status not in (401, 403) or self._renewed:\n",
        "        if status != 401 or self._renewed:\n",
        TOKENS,
    ),
    mistake(
        2,
        "verifying uses the token of the last run",
        "connectors/entra/door.py",
        "now=self._now, fresh=True)",
        "now=self._now)",
        TOKENS,
    ),
    Mistake(
        3,
        "a refused sign-in is remembered and answered again",
        (
            Patch(TOKEN_PY, "class _Door:\n", "_REPLAYED: dict[str, DirectoryError] = {}\n\n\nclass _Door:\n"),
            Patch(
                TOKEN_PY,
                '        reply = self._transport.send(\n            "POST",\n',
                "        if url in _REPLAYED:\n            raise _REPLAYED[url]\n"
                '        reply = self._transport.send(\n            "POST",\n',
            ),
            Patch(
                TOKEN_PY,
                "            raise token_refused(reply, self._credentials,",
                "            _REPLAYED[url] = token_refused(reply, self._credentials,",
            ),
            Patch(
                TOKEN_PY,
                '        value, lifetime = reply.document.get("access_token")',
                "        if url in _REPLAYED:\n            raise _REPLAYED[url]\n"
                '        value, lifetime = reply.document.get("access_token")',
            ),
        ),
        TOKENS,
    ),
    mistake(
        4,
        "an unknown tenant is left to msal, which raises a bare ValueError",
        TOKEN_PY,
        "                raise discovery_refused(reply, self._credentials)\n",
        '                raise ValueError("Unable to get authority configuration")\n',
        TOKENS,
    ),
    mistake(
        5,
        "requests are sent without a time limit",
        TRANSPORT_PY,
        "                timeout=(_CONNECT_SECONDS, max(0.1, min(_REQUEST_SECONDS / 2, self._ends - started))),\n",
        "",
        TOKENS,
    ),
    mistake(
        6,
        "a token msal does not keep is asked for before every request",
        TOKEN_PY,
        "        if self._token is None or time.monotonic() >= self._token.good_until:\n",
        "        if self._token is None or True:\n",
        TOKENS,
    ),
    mistake(
        7,
        "admin_consent=True is read as success though an error stands beside it",
        "connectors/entra/consent.py",
        '    if not error and params.get("admin_consent"',
        '    if params.get("admin_consent"',
        CONSENT,
    ),
    mistake(
        7,
        "the tenant in the consent's answer is not compared",
        "connectors/views/consent.py",
        "    return bool(answer.tenant) and is_guid(ours) and answer.tenant != ours\n",
        "    return False\n",
        CONSENT,
    ),
    mistake(
        10,
        "a record of nulls is taken for a disabled person without a name",
        RECORDS_PY,
        "    if enabled is not True and enabled is not False:\n        raise Odd\n",
        "    enabled = bool(enabled)\n",
        READING,
    ),
    Mistake(
        10,
        "accountEnabled is not asked for, and its absence read as enabled",
        (
            Patch(RECORDS_PY, 'PERSON_FIELDS = "id,accountEnabled,', 'PERSON_FIELDS = "id,'),
            Patch(RECORDS_PY, 'record.get("accountEnabled")', 'record.get("accountEnabled", True)'),
        ),
        READING,
    ),
    mistake(
        11,
        "an empty page is taken for the end",
        GRAPH_PY,
        "            if link is None:\n",
        "            if link is None or not items:\n",
        READING,
    ),
    mistake(
        11,
        "the next page's address is rebuilt from its token",
        GRAPH_PY,
        '                page = self._send("GET", link, headers=ask.headers)\n',
        "                link = f\"{self._endpoints.graph}/v1.0{ask.path}&$skiptoken={link.split('skiptoken=')[-1]}\"\n"
        '                page = self._send("GET", link.split("&%24mark")[0], headers=ask.headers)\n',
        READING,
    ),
    Mistake(
        11,
        "the token follows a nextLink to any address",
        (
            Patch(GRAPH_PY, " or not within(link, (self._endpoints.graph,)):", ":"),
            Patch(
                TRANSPORT_PY,
                "        if not signing_in and not within(url, (self._endpoints.graph,)):\n",
                "        if False:\n",
            ),
        ),
        READING,
    ),
    mistake(
        12,
        "ConsistencyLevel is sent with the first page alone",
        GRAPH_PY,
        'page = self._send("GET", link, headers=ask.headers)',
        'page = self._send("GET", link, headers={})',
        SEARCH,
    ),
    mistake(
        13,
        "groups nested in a group are passed over",
        GROUPS_PY,
        "                listing.groups[object_id] = name_of(item)\n",
        "                continue\n",
        READING,
    ),
    mistake(
        13,
        "a group in a group is counted among its people",
        GROUPS_PY,
        '            if kind == "user":\n',
        '            if kind == "group":\n                listing.people.append(object_id)\n'
        '            if kind == "user":\n',
        READING,
    ),
    mistake(
        14,
        "members are read from the index that lags",
        GROUPS_PY,
        '/members?$select={fields}&$top={PAGE}")',
        '/members?$select={fields}&$top={PAGE}&$count=true", {"ConsistencyLevel": "eventual"})',
        READING,
    ),
    mistake(
        15,
        "each page replaces the members of the page before",
        GROUPS_PY,
        "        shared: dict[str, str] = {}\n        for item in items:\n",
        "        shared: dict[str, str] = {}\n        listing.people.clear()\n        for item in items:\n",
        READING,
    ),
    mistake(
        16,
        "a deleted person is not recognised as gone",
        "connectors/entra/refusals.py",
        '        return self.status == 404 and self.code.lower() == "request_resourcenotfound"\n',
        "        return self.status == 410\n",
        READING,
    ),
    mistake(
        16,
        "any 404 is taken for a deletion",
        "connectors/entra/refusals.py",
        ' and self.code.lower() == "request_resourcenotfound"',
        "",
        (f"{READING[0]}::test_only_a_true_404_means_gone",),
    ),
    Mistake(
        17,
        "who was gone once is not looked for again",
        (
            Patch(GROUPS_PY, "class _Walk:\n", "_ONCE_GONE: set[str] = set()\n\n\nclass _Walk:\n"),
            Patch(
                GROUPS_PY,
                "            looked.gone.add(object_id)\n",
                "            looked.gone.add(object_id)\n            _ONCE_GONE.add(object_id)\n",
            ),
            Patch(
                GROUPS_PY,
                '            if kind == "user":\n',
                '            if kind == "user" and object_id not in _ONCE_GONE:\n',
            ),
        ),
        READING,
    ),
    Mistake(
        18,
        "a nested group is not read again while its parent does not change",
        (
            Patch(GROUPS_PY, "class _Walk:\n", "_STALE: dict[str, _Listing] = {}\n\n\nclass _Walk:\n"),
            Patch(GROUPS_PY, "        self.listings = dict(listings)\n", "        self.listings = _STALE\n"),
        ),
        READING,
    ),
    Mistake(
        19,
        "what was read before is only added to",
        (
            Patch(GROUPS_PY, "class _Walk:\n", "_BEFORE: dict[str, dict[str, str]] = {}\n\n\nclass _Walk:\n"),
            Patch(
                GROUPS_PY,
                '        members = dict.fromkeys(own.people, "")\n',
                "        members = _BEFORE.setdefault(root, {})\n"
                '        members.update(dict.fromkeys(own.people, ""))\n',
            ),
        ),
        READING,
    ),
    Mistake(
        20,
        "groups selected after the first reading are not read",
        (
            Patch(GROUPS_PY, "class _Walk:\n", "_SELECTED: dict[str, list[str]] = {}\n\n\nclass _Walk:\n"),
            Patch(
                GROUPS_PY,
                "    walk = _Walk(graph, records=False,",
                "    additional = _SELECTED.setdefault(sync_group_id, [*additional])\n"
                "    walk = _Walk(graph, records=False,",
            ),
        ),
        READING,
    ),
    mistake(
        21,
        "a page that does not come is taken for the end",
        GRAPH_PY,
        "            except Refused as refused:\n                if refused.status in (400, 404, 410):\n",
        "            except Exception as refused:\n                return\n"
        "                if refused.status in (400, 404, 410):\n",
        READING,
    ),
    mistake(
        21,
        "a listing refused half way keeps what it had",
        GROUPS_PY,
        "            except Refused as refused:\n                return self._refused(name, group_id, refused)\n",
        "            except Refused:\n                return listing\n",
        READING,
    ),
    mistake(
        21,
        "an answer without its items is an empty one",
        GRAPH_PY,
        '                raise Unexpected("Microsoft answered a listing without its items. Nothing was changed.")\n',
        "                items = []\n",
        READING,
    ),
    mistake(
        22,
        "a deleted sync group is read as an empty one",
        GROUPS_PY,
        '                name, GroupState.GONE, f"The group',
        '                name, GroupState.COMPLETE, f"The group',
        READING,
    ),
    mistake(
        23,
        "the answers of a batch are matched by their order",
        GRAPH_PY,
        '            number = expected.get(str(response.get("id"))) if isinstance(response, dict) else None\n',
        "            number = next((each for each in expected.values() if each not in found), None)\n",
        READING,
    ),
    mistake(
        23,
        "a batch answered with 200 is a success in all its parts",
        GRAPH_PY,
        "            if status == 200:\n                found[number] = document\n",
        "            if status != 404:\n                found[number] = document\n",
        READING,
    ),
    mistake(
        23,
        "Retry-After is read as a whole number",
        "connectors/entra/waits.py",
        "        seconds = float(value)\n",
        "        seconds = int(value)\n",
        READING,
    ),
    mistake(
        23,
        "a Retry-After that is a date breaks the reading",
        "connectors/entra/waits.py",
        "            moment = parsedate_to_datetime(value)\n",
        "            moment = datetime.fromisoformat(value)\n",
        (f"{TRANSPORT[0]}::test_every_form_of_retry_after_is_understood",),
    ),
    mistake(
        24,
        "a refused sign-in is tried again and again",
        TOKEN_PY,
        "            return self._ask()\n        except",
        "            for _ in range(3):\n"
        "                try:\n"
        "                    return self._ask()\n"
        "                except DirectoryError:\n"
        "                    continue\n"
        "            return self._ask()\n        except",
        TOKENS,
    ),
    mistake(
        25,
        "the scope stays that of the global cloud",
        "connectors/entra/clouds.py",
        '        return f"{self.graph}/.default"\n',
        '        return "https://graph.microsoft.com/.default"\n',
        TOKENS,
    ),
    mistake(
        25,
        "China's sign-in with the global Graph",
        "connectors/entra/clouds.py",
        '        "https://microsoftgraph.chinacloudapi.cn",\n',
        '        "https://graph.microsoft.com",\n',
        TOKENS,
    ),
    mistake(
        26,
        "the environment decides which certificates are trusted",
        "connectors/entra/session.py",
        "    session.trust_env = False\n",
        "    session.trust_env = True\n",
        TOKENS,
    ),
    mistake(
        27,
        "ids are compared with their case",
        RECORDS_PY,
        "object_id.lower()\n\n\ndef person",
        "object_id\n\n\ndef person",
        READING,
    ),
    mistake(
        28,
        "whoever answers to an id is taken for its owner",
        GROUPS_PY,
        "        if not isinstance(found, str) or found.lower() != object_id:\n            raise Odd\n",
        "",
        READING,
    ),
    mistake(
        29,
        "whatever is no group is taken for a person",
        GROUPS_PY,
        '            if kind == "user":\n',
        '            if kind != "group":\n',
        READING,
    ),
    mistake(
        29,
        "an unknown kind of member breaks the reading",
        GROUPS_PY,
        '            elif kind == "group":\n                listing.groups[object_id] = name_of(item)\n',
        '            elif kind == "group":\n                listing.groups[object_id] = name_of(item)\n'
        '            elif kind != "device":\n                raise ValueError(kind)\n',
        READING,
    ),
    mistake(
        0,
        "hidden members are read as no members",
        GROUPS_PY,
        "    return record.hidden and _READS_HIDDEN not in",
        "    return record.hidden and not record.name and _READS_HIDDEN not in",
        (*READING, *SEARCH),
    ),
    mistake(
        0,
        "the second look forgets who was in the first reading",
        GROUPS_PY,
        "    for object_id, via in first.members.items():\n",
        "    for object_id, via in second.members.items():\n",
        READING,
    ),
    mistake(
        0,
        "who was gone in the first look stays gone",
        GROUPS_PY,
        "    forgotten = (first.gone | looked.unread.keys()) - looked.gone\n",
        "    looked.gone |= first.gone - looked.people.keys()\n    forgotten = frozenset(looked.unread)\n",
        READING,
    ),
    mistake(
        0,
        "one odd record stops everybody",
        GROUPS_PY,
        "                    except Odd:\n                        blank.add(object_id)\n",
        '                    except Odd:\n                        raise Unexpected("An odd record.") from None\n',
        READING,
    ),
    mistake(
        0,
        "the caller is asked before the first request alone",
        TRANSPORT_PY,
        "        if self._before_request is not None:\n",
        "        if self._before_request is not None and not self.requests:\n",
        TRANSPORT,
    ),
    mistake(
        0,
        "a redirect is followed",
        TRANSPORT_PY,
        "                allow_redirects=False,\n",
        "                allow_redirects=True,\n",
        (*TRANSPORT, *TOKENS),
    ),
    mistake(
        0,
        "a long Retry-After holds the worker",
        "connectors/entra/waits.py",
        "LONGEST_IN_PLACE = 10.0\n",
        "LONGEST_IN_PLACE = 100000.0\n",
        TRANSPORT,
    ),
    mistake(
        0,
        "the frames that hold the secret stay on the error",
        TOKEN_PY,
        "            failure = error.with_traceback(None)\n",
        "            failure = error\n",
        TOKENS,
    ),
    mistake(
        23,
        "one person's lasting fault ends the whole reading",
        GRAPH_PY,
        "                if late.keys() - {number for number, inner in late.items() if inner.failed}:\n",
        "                if late:\n",
        READING,
    ),
    mistake(
        23,
        "a fault at everybody is a lot of unread people",
        GROUPS_PY,
        "        if all(isinstance(answer, Refused) and answer.failed for answer in answers):\n",
        "        if False:\n",
        READING,
    ),
    mistake(
        0,
        "an additional group that is listed oddly ends the whole reading",
        GROUPS_PY,
        "            except Unexpected as trouble:\n                if self._records:\n                    raise\n",
        "            except Unexpected as trouble:\n                raise\n",
        READING,
    ),
    mistake(
        0,
        "who is in the sync group and unread is not told from who is outside",
        GROUPS_PY,
        "    unread = reading.unread | (reading.members.keys() & looked.unread.keys())\n",
        "    unread = reading.unread\n",
        READING,
    ),
)
