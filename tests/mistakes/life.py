"""Mistakes in a connector's life: putting a run right, removing, purging, and the brake's page."""

from __future__ import annotations

from tests.mistakes.row import Mistake, mistake

DECIDE_PY = "connectors/plan/putting_right.py"
RIGHT_PY = "connectors/lifecycle/righting.py"
REMOVAL_PY = "connectors/lifecycle/removal.py"
LIFE_PY = "connectors/lifecycle/life.py"
LEDGER_PY = "tenants/roster/ledger.py"

DECIDED = ("tests/connectors/test_plan_putting_right.py",)
RIGHT = ("tests/connectors/test_putting_right.py",)
REMOVED = ("tests/connectors/test_removing.py",)
PURGED = ("tests/connectors/test_purging.py", "tests/tenants/test_acts.py", "tests/tenants/test_ledger.py")
BRAKED = ("tests/connectors/test_braking.py",)

MISTAKES: tuple[Mistake, ...] = (
    mistake(
        0,
        "putting right enables whom a person disabled",
        DECIDE_PY,
        "    if loss.disabled_by is Hand.PERSON:\n        return Obstacle.BY_PERSON_DISABLED\n",
        "",
        DECIDED,
    ),
    mistake(
        0,
        "putting right undoes what a later run did",
        DECIDE_PY,
        "    if loss.again:\n        return Obstacle.AGAIN\n",
        "",
        DECIDED,
    ),
    mistake(
        0,
        "putting right restores what cannot be restored",
        DECIDE_PY,
        "    if not loss.restorable:\n        return Obstacle.TOO_LATE\n",
        "",
        DECIDED,
    ),
    mistake(
        0,
        "putting right activates whom the run had found waiting",
        DECIDE_PY,
        "    waited = loss.before is AccountStatus.PENDING\n",
        "    waited = False\n",
        DECIDED,
    ),
    mistake(
        0,
        "putting right decides which of two gets an address",
        DECIDE_PY,
        "wanted[loss.email.lower()] > 1:",
        "wanted[loss.email.lower()] > 2:",
        DECIDED,
    ),
    mistake(
        0,
        "putting right uses a licence too many",
        DECIDE_PY,
        "            if licences > 0:\n",
        "            if licences >= 0:\n",
        DECIDED,
    ),
    mistake(
        0,
        "putting right keeps nobody",
        RIGHT_PY,
        "            _keep(found, remedy.returns, rows, actor)\n",
        "",
        RIGHT,
    ),
    mistake(
        0,
        "putting right does another thing than was shown",
        RIGHT_PY,
        "            if remedy.seen != seen:\n                raise Changed\n",
        "",
        RIGHT,
    ),
    mistake(
        0,
        "what was put right counts for the brake",
        RIGHT_PY,
        "            approved=True,\n",
        "",
        RIGHT,
    ),
    mistake(
        0,
        "a run that is planning does not notice what was put right",
        RIGHT_PY,
        "            row.settings_revision += 1\n",
        "",
        RIGHT,
    ),
    mistake(
        0,
        "a later run that was put right itself stands in the way",
        RIGHT_PY,
        "kind__in=DESTRUCTIVE | _RETURNING)",
        "kind__in=DESTRUCTIVE)",
        RIGHT,
    ),
    mistake(
        0,
        "a removal is not the one that was shown",
        "connectors/views/removing.py",
        '    if request.POST.get("seen") != shown.seen:\n',
        '    if request.POST.get("seen") == "":\n',
        REMOVED,
    ),
    mistake(
        0,
        "a removal is asked for anew because a run began",
        REMOVAL_PY,
        "repr(astuple(self)[:-1])",
        "repr(astuple(self))",
        REMOVED,
    ),
    mistake(
        0,
        "a removal cuts the identities by which people are recognised",
        LIFE_PY,
        "        ledger.manage(statuses, ManagedBy.PB)\n",
        '        ledger.manage(statuses, ManagedBy.PB)\n        ledger.identify(dict.fromkeys(statuses, ("", "")))\n',
        REMOVED,
    ),
    mistake(
        0,
        "a purge leaves the login with its name and address",
        LEDGER_PY,
        "        User.objects.filter(pk__in=chunk, kind=LoginKind.COMPANY, account=None).delete()\n",
        "        User.objects.filter(pk__in=chunk, kind=LoginKind.COMPANY, account=None)\n",
        PURGED,
    ),
    mistake(
        0,
        "a purge by hand forgets whom a person deleted",
        LEDGER_PY,
        '    due.filter(barred=False).update(directory_tenant_id="", directory_object_id="")\n',
        '    due.update(directory_tenant_id="", directory_object_id="")\n',
        PURGED,
    ),
    mistake(
        0,
        "looser limits are saved before their consequence was shown",
        "connectors/views/braking.py",
        '    if _loosened(row, values) and request.POST.get("seen") != _seen(row, values):\n',
        '    if _loosened(row, values) and "seen" not in request.POST:\n',
        BRAKED,
    ),
)
