"""Rules of this house that no linter knows: each with lines it must find, lines it must leave, and its exemptions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Model

from tenants.models import Company, Partner, TenantQuerySet
from tests.conftest import ROOT

PRODUCTION = ("pbportal/*.py", "tenants/*.py", "connectors/*.py")
PYTHON = (*PRODUCTION, "tests/*.py", "benchmarks/*.py")
PAGES = tuple(
    f"{app}/{name}"
    for app in ("tenants", "connectors")
    for name in ("views.py", "views/*.py", "forms.py", "forms/*.py", "admin.py", "admin/*.py", "api.py", "api/*.py")
)
TEMPLATES = ("templates/*.html", "templates/*.txt")


@dataclass(frozen=True)
class Rule:
    """Hold a pattern that no line of some files may match.

    `exempt` maps "path: line" to the reason why that line may; one that matches nothing any more is reported.
    """

    name: str
    pattern: str
    files: tuple[str, ...]
    instead: str
    bad: tuple[str, ...]
    good: tuple[str, ...]
    exempt: dict[str, str] = field(default_factory=dict)

    def breaks(self, line: str) -> bool:
        """Say whether a line breaks the rule."""
        return re.search(self.pattern, line) is not None


RULES = (
    Rule(
        name="a page asks for rows through visible_to or an access",
        pattern=r"\.(objects|_default_manager|_base_manager)\.(?!visible_to\()|get_(object|list)_or_404\(\s*[A-Z]\w*\s*[,)]",
        files=PAGES,
        instead="Begin with Model.objects.visible_to(user), or with access.of(Model).",
        bad=(
            "company = Company.objects.get(pk=pk)",
            "rows = Account.objects.all()",
            "get_object_or_404(Connector, pk=pk)",
            "rows = model._default_manager.filter(pk=1)",
        ),
        good=(
            "Company.objects.visible_to(request.user).get(pk=pk)",
            "access.accounts.filter(status=status)",
            "get_object_or_404(access.of(Connector), pk=pk)",
        ),
    ),
    Rule(
        name="nothing is registered on the stock admin site",
        pattern=r"\badmin\.site\.(register|urls)|@admin\.register\((?!.*\bsite=)",
        files=PRODUCTION,
        instead="Register with site=site of tenants.admin.",
        bad=("admin.site.register(Company)", "@admin.register(Company)", 'path("admin/", admin.site.urls)'),
        good=(
            "@admin.register(Company, site=site)",
            "@register(Tags.security, deploy=True)",
            'path("partner/", partner_portal.urls)',
        ),
    ),
    Rule(
        name="a silenced tool is told which rule",
        pattern=r"#\s*type:\s*ignore(?!\[)|#\s*noqa(?!: [A-Z]+\d+)|#\s*nosec(?! B\d+)",
        files=PYTHON,
        instead="Name the rule: # noqa: S603 (our own program).",
        bad=("x = 1  # type: ignore", "import x  # noqa", "run()  # nosec"),
        good=("x = 1  # type: ignore[misc]", "import x  # noqa: F401 (registers itself)"),
    ),
    Rule(
        name="nothing is left for later in a comment",
        pattern=r"\b(TODO|FIXME|XXX|HACK)\b",
        files=(*PYTHON, *TEMPLATES),
        instead="Do it, or write an issue.",
        bad=("# TODO: later", "{# FIXME #}"),
        good=("# The next run does it.",),
    ),
    Rule(
        name="nothing a person typed is shown unescaped",
        pattern=r"\bmark_safe\(|\|\s*safe\b(?!seq)|autoescape\s+off|SafeString\(",
        files=(*PRODUCTION, *TEMPLATES),
        instead="Use a template, or format_html.",
        bad=("mark_safe(name)", "{{ name|safe }}", "{% autoescape off %}"),
        good=("format_html('<b>{}</b>', name)", "{{ name }}"),
        exempt=dict.fromkeys(
            (
                "templates/mail/invitation.txt: {% autoescape off %}",
                "templates/mail/invitation_subject.txt: {% autoescape off %}",
                "templates/mail/notification.txt: {% autoescape off %}",
            ),
            "A mail in plain text would show an escaped apostrophe as it is written.",
        ),
    ),
    Rule(
        name="a page holds under the strict Content-Security-Policy",
        pattern=r"<script(?![^>]*\bsrc=)|<style\b|\sstyle=|\son\w+=|javascript:",
        # All but templates/mail: mail programs know no stylesheet, and no policy.
        files=("templates/[!m]*.html", "templates/m[!a]*.html"),
        instead="Put it into portal.css or a file of scripts.",
        bad=("<script>x()</script>", '<p style="x">', '<a onclick="x()">', '<a href="javascript:x()">'),
        good=('<script src="{% static "portal/portal.js" %}" defer></script>', "<p>on this = that</p>"),
    ),
    Rule(
        name="what proves who somebody is, is compared in a time that tells nothing",
        pattern=r"(token|hash|nonce|signature)\w*[\"']?[\])]*(\([^)]*\))?\s*[!=]=",
        files=PRODUCTION,
        instead="Use hmac.compare_digest.",
        bad=("return row.token_hash == _hash(token)", 'if claims["nonce"] != nonce:', "_token_hash(token) == found"),
        good=("return hmac.compare_digest(row.token_hash, _hash(token))", "if nonce is None:", "filter(state_hash=x)"),
    ),
    Rule(
        name="the clock has a time zone",
        pattern=r"\bdatetime\.(now\(\)|utcnow\(|today\()|\bdate\.today\(",
        files=PRODUCTION,
        instead="Use django.utils.timezone.now().",
        bad=("at = datetime.now()", "at = datetime.utcnow()", "day = date.today()"),
        good=("at = timezone.now()", "at = datetime.now(UTC)"),
    ),
    Rule(
        name="the database is asked through the ORM",
        pattern=r"\.raw\(|\.extra\(|\.cursor\(|\bRawSQL\(",
        files=("tenants/*.py", "connectors/*.py"),
        instead="Use the ORM, or say here why it cannot.",
        bad=('Account.objects.raw("SELECT 1")', "with connection.cursor() as cursor:", "rows.extra(where=[])"),
        good=("rows.annotate(active=Count('accounts'))",),
    ),
)

MODULES_THAT_OWN_NOTHING = {"utils", "helpers", "common", "services", "managers", "util", "misc", "tools"}


def files_of(patterns: tuple[str, ...]) -> Iterator[Path]:
    """Return the project's files that match; a * also stands for folders."""
    for top in sorted({pattern.split("/")[0] for pattern in patterns}):
        for path in sorted((ROOT / top).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and "/migrations/" not in name and any(fnmatch(name, pattern) for pattern in patterns):
                yield path


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
class TestRules:
    def test_finds_its_bad_lines_and_leaves_its_good_ones(self, rule: Rule) -> None:
        assert [line for line in rule.bad if not rule.breaks(line)] == []
        assert [line for line in rule.good if rule.breaks(line)] == []

    def test_is_kept_and_no_exemption_is_stale(self, rule: Rule) -> None:
        found = set()
        for path in files_of(rule.files):
            if path == Path(__file__):
                continue
            name = path.relative_to(ROOT).as_posix()
            lines = path.read_text(encoding="utf-8").splitlines()
            found |= {f"{name}: {line.strip()}" for line in lines if rule.breaks(line)}
        assert found - set(rule.exempt) == set(), rule.instead
        assert set(rule.exempt) - found == set(), "These exemptions are stale: take them out."
        assert all(len(reason.split()) >= 5 for reason in rule.exempt.values())


def test_every_file_says_first_what_it_owns() -> None:
    silent = [
        path.relative_to(ROOT).as_posix()
        for path in files_of(PYTHON)
        if (text := path.read_text(encoding="utf-8")).strip() and not ast.get_docstring(ast.parse(text))
    ]
    assert silent == []


def test_no_module_is_named_for_owning_nothing() -> None:
    names = {part for path in files_of(PYTHON) for part in (*path.relative_to(ROOT).parts[:-1], path.stem)}
    assert names & MODULES_THAT_OWN_NOTHING == set()


def own_models() -> list[type[Model]]:
    """Return every model of ours."""
    return [
        model for label in ("tenants", "connectors", "pbportal") for model in apps.get_app_config(label).get_models()
    ]


@pytest.mark.parametrize("model", own_models(), ids=lambda model: model._meta.label)
def test_a_model_says_whose_its_rows_are_or_why_nobodys(model: type[Model]) -> None:
    declared = vars(model)
    if "tenant_exemption" in declared:
        assert len(declared["tenant_exemption"].split()) >= 5
        assert not {"company_path", "partner_path"} & declared.keys()
        return
    assert {"company_path", "partner_path"} <= declared.keys(), "Declare both paths, or a tenant_exemption."
    assert isinstance(model._default_manager.all(), TenantQuerySet)
    assert _leads_to(model, declared["partner_path"]) is Partner
    if declared["company_path"] is not None:
        assert _leads_to(model, declared["company_path"]) is Company


def _leads_to(model: type[Model], path: str) -> object:
    for name in filter(None, path.split("__")):
        model = model._meta.get_field(name).related_model
    return model
