"""Plants small mistakes in the planner, one at a time, and says which of them its unit tests do not notice.

`python -m tests.mutate_plan [MODULE …]` takes long, so it is no part of the ordinary tests. It exits 1 where a mistake
survives that `tests/mutants_explained.py` does not explain, or where an explanation there has become untrue.

The tests are collected once; every mistake is planted in a forked copy of that process, in the functions and values
that are there already. What only a new class would show (the fields and defaults of the values) is planted in a
process of its own.
"""

from __future__ import annotations

import ast
import copy
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from tests.mutants_explained import EQUIVALENT

ROOT = Path(__file__).resolve().parent.parent
PLANNER = ROOT / "connectors" / "plan"
TESTS = sorted(
    str(path) for path in (ROOT / "tests" / "connectors").glob("test_plan_*.py") if "properties" not in path.name
)
LEFT_OUT = {"__init__", "__main__"}
WORKERS = 2
SECONDS_EACH = 120

_OPPOSITE: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OTHER_OPERATOR: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


@dataclass(frozen=True)
class Mutant:
    """Hold one mistake: its module, where in it, and a text that names it."""

    module: str
    place: int
    change: int
    name: str
    in_a_class: bool


@dataclass
class _Place:
    node: ast.AST
    scope: str
    in_a_class: bool


def mutants_of(module: str) -> Iterator[Mutant]:
    """Yield every mistake to plant in a module, each named by its function and by what it was and became."""
    seen: Counter[str] = Counter()
    for index, place in enumerate(_places(_parsed(module), module)):
        for change in range(len(_changes(place.node))):
            wrong = copy.deepcopy(place.node)
            _changes(wrong)[change]()
            name = f"{place.scope}: {_text(place.node)} → {_text(wrong)}"
            seen[name] += 1
            name += f" #{seen[name]}" if seen[name] > 1 else ""
            yield Mutant(module, index, change, name, place.in_a_class)


def mistaken(mutant: Mutant) -> ast.Module:
    """Return the module's code with the mistake in it."""
    tree = _parsed(mutant.module)
    place = next(place for index, place in enumerate(_places(tree, mutant.module)) if index == mutant.place)
    _changes(place.node)[mutant.change]()
    return ast.fix_missing_locations(tree)


def _parsed(module: str) -> ast.Module:
    return ast.parse(_source(module))


@cache
def _source(module: str) -> str:
    """Read a module once: whoever edits it meanwhile changes nothing of this run."""
    return (PLANNER / f"{module}.py").read_text(encoding="utf-8")


def _places(node: ast.AST, scope: str, in_a_class: bool = False) -> Iterator[_Place]:
    """Yield what may be changed; annotations, decorators, docstrings and imports are left out."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AnnAssign) and ast.unparse(child.annotation) == "TypeAlias":
                continue
            if not isinstance(child, ast.AST) or isinstance(child, ast.Import | ast.ImportFrom):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            inner, inside = scope, in_a_class
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inner = f"{scope}.{child.name}"
                inside = isinstance(child, ast.ClassDef)
            if not isinstance(child, ast.FunctionDef | ast.ClassDef):
                yield _Place(child, scope, in_a_class)
            else:
                yield _Place(child, inner, inside and isinstance(child, ast.ClassDef))
            yield from _places(child, inner, inside)


def _changes(node: ast.AST) -> list[Callable[[], None]]:
    """Return what may go wrong at one place, each as an act on the tree."""
    found: list[Callable[[], None]] = []
    match node:
        case ast.Compare(ops=[operator]):
            found += [lambda other=other: _set(node, "ops", [other()]) for other in _OPPOSITE[type(operator)]]
        case ast.BoolOp():
            other = ast.Or if isinstance(node.op, ast.And) else ast.And
            found.append(lambda: _set(node, "op", other()))
            found += [lambda at=at: _leave_operand_out(node, at) for at in range(len(node.values))]
        case ast.UnaryOp(op=ast.Not()):
            found.append(lambda: _set(node, "operand", ast.UnaryOp(ast.Not(), node.operand)))
        case ast.BinOp() if type(node.op) in _OTHER_OPERATOR:
            found.append(lambda: _set(node, "op", _OTHER_OPERATOR[type(node.op)]()))
        case ast.If() | ast.IfExp():
            found.append(lambda: _set(node, "test", ast.UnaryOp(ast.Not(), node.test)))
        case ast.Constant(value=bool(value)):
            found.append(lambda: _set(node, "value", not value))
        case ast.Constant(value=int(value)):
            found += [lambda by=by: _set(node, "value", value + by) for by in (1, -1)]
        case ast.Constant(value=str(value)):
            found.append(lambda: _set(node, "value", f"not {value}"))
        case ast.Set() | ast.Tuple(ctx=ast.Load()) | ast.List(ctx=ast.Load()) if len(node.elts) > 1:
            found += [lambda at=at: _drop(node.elts, at) for at in range(len(node.elts))]
        case ast.Dict() if len(node.keys) > 1:
            found += [lambda at=at: (_drop(node.keys, at), _drop(node.values, at))[0] for at in range(len(node.keys))]
        case ast.comprehension() if node.ifs:
            found.append(lambda: _set(node, "ifs", []))
        case ast.Call():
            found += [lambda at=at: _drop(node.keywords, at) for at in range(len(node.keywords))]
            if isinstance(node.func, ast.Name) and node.func.id == "sorted":
                found.append(lambda: _set(node, "keywords", []) or _set(node.func, "id", "list"))
        case ast.Return(value=ast.expr()):
            found.append(lambda: _set(node, "value", ast.Constant(None)))
    for body in (getattr(node, "body", None), getattr(node, "orelse", None)):
        if isinstance(body, list):
            found += [lambda body=body, at=at: _skip(body, at) for at, one in enumerate(body) if _droppable(one)]
    return found


def _set(node: ast.AST, field: str, value: object) -> None:
    setattr(node, field, value)


def _leave_operand_out(node: ast.BoolOp, at: int) -> None:
    del node.values[at]
    node.values = node.values if len(node.values) > 1 else node.values * 2


def _drop(things: list[ast.expr] | list[ast.keyword], at: int) -> None:
    del things[at]


def _droppable(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Assign):
        return any(isinstance(target, ast.Subscript | ast.Attribute) for target in statement.targets)
    return isinstance(statement, ast.AugAssign | ast.Continue | ast.Return)


def _skip(body: list[ast.stmt], at: int) -> None:
    body[at] = ast.Pass()


def _text(node: ast.AST) -> str:
    """Return a node in one short line, of the statements inside it only those that could be left out."""
    shown = copy.deepcopy(node)
    for field in ("body", "orelse"):
        body = getattr(shown, field, None)
        if isinstance(body, list):
            kept = [one for one in body if isinstance(one, ast.Pass) or _droppable(one)]
            setattr(shown, field, kept or [ast.Pass()])
    if isinstance(shown, ast.FunctionDef):
        shown.decorator_list = []
    return " ".join(ast.unparse(ast.fix_missing_locations(shown)).split())[-200:]


# Planting.


def plant(mutant: Mutant) -> None:
    """Change the functions and values of a module, and of those who imported them, into the mistaken ones."""
    module = sys.modules[f"connectors.plan.{mutant.module}"]
    tree = mistaken(mutant)
    was = _parsed(mutant.module)
    at = next(i for i, (old, new) in enumerate(zip(was.body, tree.body, strict=True)) if ast.dump(old) != ast.dump(new))
    statement = tree.body[at]
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        apart = dict(vars(module))
        exec(_code([statement]), apart)  # noqa: S102  # the planner's own source
        _become(vars(module)[statement.name], apart[statement.name])
        at = 0
    before = dict(vars(module))
    exec(_code([one for one in tree.body[at:] if isinstance(one, ast.Assign | ast.AnnAssign)]), vars(module))  # noqa: S102
    for other in [one for name, one in sys.modules.items() if name.startswith(("connectors.plan", "tests.connectors"))]:
        _follow(other, before, vars(module))
    sys.modules["connectors.plan.lines"].because.cache_clear()


def _code(statements: list[ast.stmt]) -> object:
    return compile(ast.Module(statements, []), "<a mistake>", "exec")


def _become(old: object, new: object) -> None:
    """Give a function, or every function of a class, the other's code and defaults."""
    old, new = getattr(old, "__wrapped__", old), getattr(new, "__wrapped__", new)
    if isinstance(old, FunctionType) and isinstance(new, FunctionType):
        old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__
    elif isinstance(old, property) and isinstance(new, property):
        _become(old.fget, new.fget)
    elif isinstance(old, type):
        for name, member in vars(old).items():
            if isinstance(member, FunctionType | property) and name in vars(new):
                _become(member, vars(new)[name])


def _follow(other: ModuleType, before: dict[str, object], after: dict[str, object]) -> None:
    for name, value in list(vars(other).items()):
        if name in before and value is before[name] and after[name] is not value:
            setattr(other, name, after[name])


# Running.


class Planter:
    """Take the place of pytest's loop over the tests: run them once for each mistake."""

    def __init__(self, mutants: Sequence[Mutant]) -> None:
        self.mutants = mutants
        self.survived: list[Mutant] = []
        self.failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed = self.failed or report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted("The tests cannot be collected.")
        read, write = os.pipe()
        for worker in range(WORKERS):
            if os.fork() == 0:
                os.close(read)
                items = list(session.items)
                for index in range(worker, len(self.mutants), WORKERS):
                    noticed = self._noticed(items, self.mutants[index])
                    os.write(write, f"{index} {'killed' if noticed else 'survived'}\n".encode())
                os._exit(0)
        os.close(write)
        with os.fdopen(read) as answers:
            for number, answer in enumerate(answers, 1):
                index, outcome = answer.split()
                if outcome == "survived":
                    self._tell(self.mutants[int(index)])
                if number % 200 == 0:
                    sys.stderr.write(f"{number} of {len(self.mutants)}, {len(self.survived)} survived\n")
        return True

    def _tell(self, mutant: Mutant) -> None:
        self.survived.append(mutant)
        reason = EQUIVALENT.get(mutant.name)
        sys.stderr.write(f"survived: {mutant.name}\n" + (f"    {reason}\n" if reason else ""))

    def _noticed(self, items: list[pytest.Item], mutant: Mutant) -> bool:
        """Say whether the tests fail with a mistake planted; who takes too long has noticed it too.

        The test that noticed goes to the front: it is likely to notice the next mistake in the same function.
        """
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os._exit(self._apart(mutant) if mutant.in_a_class else self._here(items, mutant, write))
        os.close(write)
        outcome = self._outcome(child)
        with os.fdopen(read) as answer:
            first = answer.read()
        if first:
            items.insert(0, items.pop(int(first)))
        return outcome

    def _outcome(self, child: int) -> bool:
        until = time.monotonic() + SECONDS_EACH
        while time.monotonic() < until:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return status != 0
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return True

    def _here(self, items: list[pytest.Item], mutant: Mutant, write: int) -> int:
        try:
            plant(mutant)
        except Exception:  # the planner could not even be imported with this mistake in it
            return 1
        for at, item in enumerate(items):
            following = items[at + 1] if at + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                os.write(write, str(at).encode())
                return 1
        return 0

    def _apart(self, mutant: Mutant) -> int:
        source = ast.unparse(mistaken(mutant))
        program = [sys.executable, "-m", "tests.mutate_plan", "--with", mutant.module]
        return subprocess.run(program, input=source, text=True, capture_output=True).returncode


def run_with(module: str, source: str) -> int:
    """Run the tests with another source for one module."""

    class Loader:
        def create_module(self, spec: object) -> None:
            return None

        def exec_module(self, made: ModuleType) -> None:
            exec(compile(source, "<a mistake>", "exec"), vars(made))  # noqa: S102  # the planner's own source

    class Finder:
        def find_spec(self, name: str, path: object, target: object = None) -> object:
            if name != f"connectors.plan.{module}":
                return None
            return importlib.machinery.ModuleSpec(name, Loader())

    import importlib.machinery

    sys.meta_path.insert(0, Finder())
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *TESTS]))


def main(arguments: Sequence[str]) -> int:
    os.chdir(ROOT)
    if arguments[:1] == ["--with"]:
        return run_with(arguments[1], sys.stdin.read())
    modules = [path.stem for path in sorted(PLANNER.glob("*.py")) if path.stem not in LEFT_OUT]
    chosen = [module for module in modules if not arguments or module in arguments]
    mutants = [mutant for module in chosen for mutant in mutants_of(module)]
    sys.stderr.write(f"{len(mutants)} mistakes to plant\n")
    planter = Planter(mutants)
    status = pytest.main(["-p", "no:cacheprovider", "-p", "no:terminal", *TESTS], plugins=[planter])
    if status:
        return int(status)
    names = {mutant.name for mutant in planter.survived}
    unexplained = names - EQUIVALENT.keys()
    untrue = {name for name in EQUIVALENT if name.partition(":")[0].partition(".")[0] in chosen} - names
    killed = len(mutants) - len(planter.survived)
    sys.stderr.write(f"{killed} killed, {len(planter.survived)} survived, {len(unexplained)} of them unexplained\n")
    for name in sorted(untrue):
        sys.stderr.write(f"explained, but killed or gone: {name}\n")
    return 1 if unexplained or untrue else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
