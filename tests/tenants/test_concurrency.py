"""The licence count with real processes that reach for the last licences at once."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tenants.models import Account, AuditEntry, Company
from tenants.states import AccountStatus
from tests.conftest import ROOT
from tests.world import make_account, make_company, make_operator

PROCESSES = 6
EACH = 5
LICENCES = 7

# Each process tries its own accounts one by one, begins when told, and says how each try ended.
PROGRAM = """
import json, sys
import django
django.setup()
from tenants.models import Account, Company, User
from tenants.roster import Act, LicencesShort, Refused, changing, perform

way, company_id, ids = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
company, actor = Company.objects.get(pk=company_id), User.objects.get()
print("ready", flush=True)
sys.stdin.readline()
ended = []
for pk in ids:
    try:
        if way == "person":
            perform(Act.APPROVE, company, [pk], actor=actor)
        else:
            with changing(company_id) as ledger:
                ledger.activate([pk])
        ended.append("active")
    except (Refused, LicencesShort):
        ended.append("short")
print(json.dumps(ended), flush=True)
"""


@pytest.mark.django_db(transaction=True)
def test_exactly_the_licences_end_active_however_many_processes_ask(child_environment: dict[str, str]) -> None:
    company = make_company(licences=LICENCES)
    make_operator()
    waiting = [[make_account(company, AccountStatus.PENDING).pk for _ in range(EACH)] for _ in range(PROCESSES)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, ("person", "sync")[number % 2], str(company.pk), json.dumps(ids)],
            cwd=ROOT,
            env=child_environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, ids in enumerate(waiting)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES, [told for _, told in answers]
    ended = [end for told, _ in answers for end in json.loads(told)]
    assert (ended.count("active"), ended.count("short")) == (LICENCES, PROCESSES * EACH - LICENCES)
    assert Account.objects.filter(status=AccountStatus.ACTIVE).count() == LICENCES
    assert Company.objects.get().roster_revision == LICENCES
    by_persons = sum(
        end == "active" for number, (told, _) in enumerate(answers) for end in json.loads(told) if number % 2 == 0
    )
    assert AuditEntry.objects.count() == by_persons
