"""Guards taken away one by one, found in the source itself: a guard that is written tomorrow is a row tomorrow.

Of pages and forms: each decorator with a right, each `require`, each `visible_to`, each question whether somebody
may. Each row replaces text that stands once in its file; what cannot be told apart by its own line is told apart by
the lines above it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.mistakes.row import Mistake, mistake

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ("views.py", "views/**/*.py", "admin.py", "admin/*.py", "access.py", "portals.py")
WALK = "tests/test_isolation.py::test_a_url_answers_everybody_as_declared_and_tells_nobody_of_others"
HOUSE_RULES = "tests/test_house_rules.py"
"""Asked last: it notices a query without `visible_to` also where a later filter shuts others out as well."""
MOST = 5
"""So many test files are asked about one guard, those that speak most of its pages."""
WITH_RIGHTS = {"place_page"}
WHOLE = {"asks_again", "staff_page"}
# The whole walk takes a minute; these pages of it stand for a way in, and for the admin site's lists, forms and counts.
ALWAYS_ASKED = (
    "tests/tenants/test_access.py",
    *(
        f"{WALK}[{page}]"
        for page in (
            "partner:users",
            "business:users",
            "business:group",
            "admin:tenants_account_changelist",
            "admin:tenants_account_change",
            "admin:tenants_company_changelist",
            "admin:tenants_company_add",
            "admin:tenants_company_change",
            "admin:connectors_connector_changelist",
        )
    ),
)


def guards() -> tuple[Mistake, ...]:
    """Return one mistake for each guard of a page that is found in the source."""
    urls = _urls_of_views()
    found: list[Mistake] = []
    for app in ("tenants", "connectors"):
        for pattern in PAGES:
            for path in sorted((ROOT / app).glob(pattern)):
                found += _guards_of(path, urls)
    return tuple(found)


def _urls_of_views() -> dict[str, list[str]]:
    """Return the names of the pages that each "module.function" serves, read from the lists of addresses."""
    found: dict[str, list[str]] = {}
    for app in ("tenants", "connectors"):
        text = (ROOT / app / "urls.py").read_text()
        for view, name in re.findall(r'path\(\s*"[^"]*",\s*([\w.]+),\s*name="([\w-]+)"', text):
            found.setdefault(view, []).extend(f"{portal}:{name}" for portal in ("partner", "business"))
        text = (ROOT / app / "admin.py").read_text()
        for view, name in re.findall(r'add_page\(\s*"[^"]*",\s*([\w.]+),\s*"([\w-]+)"', text):
            found.setdefault(view, []).append(f"admin:{name}")
    text = (ROOT / "pbportal" / "urls.py").read_text()
    for view, name in re.findall(r'path\(\s*"[^"]*",\s*([\w.]+),\s*name="([\w-]+)"', text):
        found.setdefault(view, []).append(name)
    return found


def _guards_of(path: Path, urls: dict[str, list[str]]) -> Iterator[Mistake]:
    text = path.read_text()
    name = path.relative_to(ROOT).as_posix()
    lines = text.splitlines(keepends=True)
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef):
            continue
        tests = _tests(path, function.name, urls)
        for decorator in function.decorator_list:
            if _called(decorator) in WHOLE:
                what = f"{function.name}: {_called(decorator)}"
                yield _without(name, text, lines, decorator, "(lambda view: view)", what, tests)
            if _called(decorator) in WITH_RIGHTS and isinstance(decorator, ast.Call) and decorator.args:
                rights = ast.unparse(decorator).partition("(")[2].removesuffix(")")
                yield _without(
                    name, text, lines, decorator, f"{_called(decorator)}()", f"{function.name}: {rights}", tests
                )
        for node in _own_nodes(function):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            whole = ast.unparse(node)
            if node.func.attr == "require" and len(node.args) and "access" in ast.unparse(node.func.value):
                yield _without(name, text, lines, node, "None", f"{function.name}: {whole}", tests)
            if node.func.attr == "visible_to":
                bare = f"{ast.unparse(node.func.value)}.all()"
                yield _without(name, text, lines, node, bare, f"{function.name}: {whole}", (*tests, HOUSE_RULES))


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Return the nodes of a function's body, without those of functions inside it, which are walked themselves."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef):
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def _called(node: ast.expr) -> str:
    called = node.func if isinstance(node, ast.Call) else node
    return called.id if isinstance(called, ast.Name) else ""


def _without(
    name: str, text: str, lines: list[str], node: ast.expr, instead: str, what: str, tests: tuple[str, ...]
) -> Mistake:
    """Return the row that puts `instead` where a node stands, with enough of the lines above to be found once."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    start = sum(map(len, lines[: node.lineno - 1])) + _characters(lines[node.lineno - 1], node.col_offset)
    end = sum(map(len, lines[: node.end_lineno - 1])) + _characters(lines[node.end_lineno - 1], node.end_col_offset)
    first, last = node.lineno - 1, node.end_lineno
    while text.count("".join(lines[first:last])) != 1:
        # A decorator is told apart by the function below it, everything else by what stands above.
        first, last = (first, last + 1) if lines[node.lineno - 1].lstrip().startswith("@") else (first - 1, last)
    offset = sum(map(len, lines[:first]))
    before = "".join(lines[first:last])
    after = before[: start - offset] + instead + before[end - offset :]
    return mistake(0, f"{name} without its guard, {what}", name, before, after, tests)


def _characters(line: str, utf8_offset: int) -> int:
    return len(line.encode()[:utf8_offset].decode())


def _tests(path: Path, function: str, urls: dict[str, list[str]]) -> tuple[str, ...]:
    """Return what must notice: the walk of the function's own pages, then the tests that speak of its module."""
    app = path.relative_to(ROOT).parts[0]
    pages = urls.get(f"{path.stem}.{function}", [])
    walk = tuple(f"{WALK}[{page}]" for page in pages)
    of_module = {page for view, names in urls.items() if view.partition(".")[0] == path.stem for page in names}
    return (*walk, *_tests_of(app, path, frozenset(of_module)), *(() if walk else ALWAYS_ASKED))


@cache
def _tests_of(app: str, path: Path, pages: frozenset[str]) -> list[str]:
    """Return the test files that speak most of a module's pages, or are named like it or its folder."""
    names = {page.rpartition(":")[2] for page in pages}
    names |= {name.replace("-", "/") for name in names}
    words = {path.stem, path.parent.name} - {"views", app, "__init__"}
    spoken: dict[str, int] = {}
    for test in (ROOT / "tests" / app).glob("test_*.py"):
        text = test.read_text()
        said = sum(len(re.findall(rf"[:/\"]{re.escape(name)}[/\"]", text)) for name in sorted(names))
        said += 1_000 * sum(word in test.stem for word in words)
        if said:
            spoken[test.relative_to(ROOT).as_posix()] = said
    return sorted(spoken, key=lambda test: (-spoken[test], test))[:MOST]
