"""Mistakes in the ledger of a company and in what people do to accounts."""

from __future__ import annotations

from tests.mistakes.row import Mistake, mistake

LEDGER_PY = "tenants/roster/ledger.py"
ACTS_PY = "tenants/roster/acts.py"
_LEDGER = "tests/tenants/test_ledger.py"
_ACTS = "tests/tenants/test_acts.py"
_TAKES = f"{_LEDGER}::test_an_operation_takes_exactly_the_statuses_it_names"
_BULK = f"{_LEDGER}::test_one_row_in_another_state_undoes_the_whole_bulk"
_ACTIVE = f"{_LEDGER}::TestLicences"

MISTAKES: tuple[Mistake, ...] = (
    mistake(
        0,
        "licences are counted without a lock",
        LEDGER_PY,
        "        company = Company.objects.select_for_update(no_key=True).get(pk=company_id)\n",
        "        company = Company.objects.get(pk=company_id)\n",
        ("tests/tenants/test_concurrency.py",),
        database="postgresql",
    ),
    mistake(
        0,
        "licences are counted in a transaction that begins by reading",
        "pbportal/settings.py",
        '        "transaction_mode": "IMMEDIATE",\n',
        "",
        ("tests/tenants/test_concurrency.py", "tests/test_settings.py", "tests/test_queue_checks.py"),
        database="sqlite",
    ),
    mistake(
        0,
        "every account uses a licence",
        LEDGER_PY,
        "        active = Account.objects.filter(company=self.company, status=AccountStatus.ACTIVE).count()\n",
        "        active = Account.objects.filter(company=self.company, status__in=PRESENT).count()\n",
        (_ACTIVE,),
    ),
    mistake(
        0,
        "accounts of other companies use licences",
        LEDGER_PY,
        "        active = Account.objects.filter(company=self.company, status",
        "        active = Account.objects.filter(status",
        (_ACTIVE,),
    ),
    mistake(
        0,
        "one licence more than there is",
        LEDGER_PY,
        "        if free is not None and wanted > free:\n",
        "        if free is not None and wanted > free + 1:\n",
        (_ACTIVE,),
    ),
    mistake(
        0,
        "a new account needs no licence",
        LEDGER_PY,
        "        self._need_licences(sum(row.status is AccountStatus.ACTIVE for row in rows))\n",
        "",
        (_ACTIVE,),
    ),
    mistake(
        0,
        "a restored account needs no licence",
        LEDGER_PY,
        "            self._need_licences(len(set(ids)))\n            values |=",
        "            values |=",
        (_ACTIVE,),
    ),
    mistake(
        0,
        "an operation takes accounts in any status",
        LEDGER_PY,
        "self._accounts(chunk).filter(guard).update(",
        "self._accounts(chunk).update(",
        (_TAKES,),
    ),
    mistake(
        0,
        "an operation reaches into other companies",
        LEDGER_PY,
        "        return Account.objects.filter(company=self.company, pk__in=ids)\n",
        "        return Account.objects.filter(pk__in=ids)\n",
        (_BULK,),
    ),
    mistake(
        0,
        "rows that do not fit are passed over",
        LEDGER_PY,
        "            raise Stale(",
        "            str(",
        (_TAKES, _BULK),
    ),
    mistake(
        0,
        "what cannot be restored any more is restored",
        LEDGER_PY,
        "Q(status=AccountStatus.DELETED, restorable_until__gt=timezone.now(), purged_at=None)\n",
        "Q(status=AccountStatus.DELETED, purged_at=None)\n",
        (f"{_LEDGER}::TestRestore",),
    ),
    mistake(
        0,
        "the revision of the roster stays",
        LEDGER_PY,
        '            Company.objects.filter(pk=company_id).update(roster_revision=F("roster_revision") + 1)\n',
        "            pass\n",
        (_TAKES,),
    ),
    mistake(
        0,
        "the revision of the roster grows although nothing changed",
        LEDGER_PY,
        "        if ledger.changed:\n",
        "        if True:\n",
        (f"{_LEDGER}::test_an_operation_on_nobody_changes_nothing",),
    ),
    mistake(
        0,
        "a new account is no change of the roster",
        LEDGER_PY,
        "        self.changed = self.changed or bool(accounts)\n",
        "",
        (f"{_LEDGER}::TestRevision",),
    ),
    mistake(
        0,
        "who joins a group is no change of the roster",
        LEDGER_PY,
        "        self.changed = self.changed or bool(unique)\n",
        "",
        (f"{_LEDGER}::TestRevision",),
    ),
    mistake(
        0,
        "a deleted account stays in its groups",
        LEDGER_PY,
        'they leave every group."""\n        self._leave_every_group(ids)\n',
        'they leave every group."""\n',
        (f"{_LEDGER}::TestLeaving",),
    ),
    mistake(
        0,
        "who leaves a company keeps what they administer",
        LEDGER_PY,
        "            role=AccountRole.USER,\n            managed_by=ManagedBy.PB,\n",
        "            managed_by=ManagedBy.PB,\n",
        (f"{_LEDGER}::TestLeaving",),
    ),
    mistake(
        0,
        "a group takes accounts of other companies",
        LEDGER_PY,
        "        mine = rows.filter(company=self.company)\n",
        "        mine = rows\n",
        (f"{_LEDGER}::TestGroups",),
    ),
    mistake(
        0,
        "the last administrator can be taken away",
        ACTS_PY,
        "    if administrators and administrators <= set(_ids(accounts)):\n",
        "    if False:\n",
        (_ACTS,),
    ),
    mistake(
        0,
        "an account that a person deleted is created again by the next sync",
        ACTS_PY,
        "    # The owner may stay in scope: the sync must not create the account again.\n"
        "    ledger.bar(_known(accounts))\n",
        "",
        (_ACTS,),
    ),
    mistake(
        0,
        "an account that a person enabled is disabled by the next sync",
        ACTS_PY,
        "    ledger.enable(_ids(accounts))\n    ledger.vouch(_known(accounts))\n",
        "    ledger.enable(_ids(accounts))\n",
        (_ACTS,),
    ),
)
