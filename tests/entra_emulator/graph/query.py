"""OData as Graph's directory understands it: ``$filter``, ``$search``, ``$orderby``, and what is advanced."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.entra_emulator.graph.errors import bad_request, unsupported_query
from tests.entra_emulator.graph.projection import BY_LOWER
from tests.entra_emulator.objects import DirectoryObject

Test = Callable[[DirectoryObject], bool]
MAX_CLAUSES = 15
SEARCHABLE = ("displayName", "description", "mail", "mailNickname", "userPrincipalName", "givenName", "surname")
SORTABLE = ("displayName", "userPrincipalName", "createdDateTime")
TOKEN = re.compile(r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<punct>[(),:/])|(?P<word>[^\s(),:/']+))", re.DOTALL)
WITHOUT_ADVANCED = frozenset(
    [
        "displayName",
        "givenName",
        "surname",
        "mail",
        "userPrincipalName",
        "mailNickname",
        "userType",
        "accountEnabled",
        "id",
        "proxyAddresses",
        "otherMails",
        "securityEnabled",
        "mailEnabled",
        "groupTypes",
        "jobTitle",
        "department",
        "usageLocation",
        "employeeId",
        "onPremisesImmutableId",
        "onPremisesSyncEnabled",
        "externalUserState",
        "createdDateTime",
        "companyName",
        "membershipRuleProcessingState",
        "isAssignableToRole",
    ]
)


@dataclass(frozen=True)
class Filter:
    """A parsed filter; ``advanced`` where only an advanced query may ask it."""

    test: Test
    advanced: bool


class _Parser:
    """Recursive descent over the operators Graph documents for users and groups."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        position = 0
        while position < len(text.rstrip()):
            match = TOKEN.match(text, position)
            if not match:
                raise self.invalid()
            self.tokens.append(match[match.lastgroup or 0])
            position = match.end()
        self.at = 0
        self.advanced = False
        self.clauses = 1

    def invalid(self) -> Exception:
        return bad_request("Invalid filter clause.", "BadRequest")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if not token or (expected is not None and token.lower() != expected):
            raise self.invalid()
        self.at += 1
        return token

    def parse(self) -> Filter:
        test = self.either()
        if self.at != len(self.tokens):
            raise self.invalid()
        if self.clauses > MAX_CLAUSES:
            raise unsupported_query(
                "Too many child clauses specified in search filter expression containing 'OR' operators: "
                f"{self.clauses}. Max allowed: {MAX_CLAUSES}."
            )
        return Filter(test, self.advanced)

    def either(self) -> Test:
        tests = [self.both()]
        while self.peek().lower() == "or":
            self.take()
            self.clauses += 1
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda item: any(test(item) for test in tests)

    def both(self) -> Test:
        tests = [self.single()]
        while self.peek().lower() == "and":
            self.take()
            tests.append(self.single())
        return tests[0] if len(tests) == 1 else lambda item: all(test(item) for test in tests)

    def single(self) -> Test:
        word = self.peek().lower()
        if word == "(":
            self.take()
            test = self.either()
            self.take(")")
            return test
        if word == "not":
            self.take()
            self.advanced = True
            inner = self.single()
            return lambda item: not inner(item)
        if word in ("startswith", "endswith"):
            return self.affix(word)
        if word == "contains":
            raise unsupported_query("Unsupported Query.")
        return self.comparison()

    def affix(self, function: str) -> Test:
        self.take()
        self.take("(")
        name = self.property()
        self.take(",")
        value = str(self.literal()).casefold()
        self.take(")")
        if function == "endswith":
            if name not in ("mail", "userPrincipalName", "otherMails", "proxyAddresses"):
                raise unsupported_query(f"endsWith is not supported for '{name}'.")
            self.advanced = True
            return lambda item: str(item.get(name) or "").casefold().endswith(value)
        return lambda item: str(item.get(name) or "").casefold().startswith(value)

    def property(self) -> str:
        word = self.take()
        name = BY_LOWER.get(word.lower())
        if name is None:
            raise bad_request(f"Could not find a property named '{word}'.", "BadRequest")
        if name not in WITHOUT_ADVANCED:
            self.advanced = True
        return name

    def literal(self) -> Any:
        token = self.take()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        words: dict[str, Any] = {"true": True, "false": False, "null": None}
        if token.lower() in words:
            return words[token.lower()]
        raise self.invalid()

    def comparison(self) -> Test:
        name = self.property()
        if self.peek() == "/":
            return self.lambda_any(name)
        operator = self.take().lower()
        if operator == "in":
            return self.membership(name)
        if operator not in ("eq", "ne"):
            raise unsupported_query(f"Unsupported or invalid query filter clause for property '{name}'.")
        value = _fold(self.literal())
        if operator == "ne" or value is None:
            self.advanced = True
        if operator == "ne":
            return lambda item: _fold(item.get(name)) != value
        return lambda item: _fold(item.get(name)) == value

    def membership(self, name: str) -> Test:
        self.take("(")
        values = [_fold(self.literal())]
        while self.peek() == ",":
            self.take()
            values.append(_fold(self.literal()))
        self.take(")")
        self.clauses += len(values) - 1
        return lambda item: _fold(item.get(name)) in values

    def lambda_any(self, name: str) -> Test:
        self.take("/")
        self.take("any")
        self.take("(")
        variable = self.take()
        self.take(":")
        if self.peek().lower() == "startswith":
            self.take()
            self.take("(")
            self.take(variable.lower())
            self.take(",")
            start = str(self.literal()).casefold()
            self.take(")")
            self.take(")")
            return lambda item: any(str(value).casefold().startswith(start) for value in item.get(name) or ())
        self.take(variable.lower())
        self.take("eq")
        wanted = _fold(self.literal())
        self.take(")")
        return lambda item: any(_fold(value) == wanted for value in item.get(name) or ())


def _fold(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def parse_filter(text: str) -> Filter:
    """Read ``$filter``. Quotes in literals double; comparisons ignore case, as the directory's do."""
    return _Parser(text).parse()


def parse_search(text: str) -> Test:
    """Read ``$search``: quoted ``"property:value"`` clauses joined by AND / OR.

    displayName and description are tokenised, other properties matched from their start. Source:
    microsoft-graph-docs concepts/search-query-parameter.md.
    """
    parts = re.split(r"\s+(AND|OR)\s+", text.strip())
    tests: list[Test] = []
    for clause in parts[::2]:
        match = re.fullmatch(r'"(\w+):(.*)"', clause.strip(), re.DOTALL)
        if not match:
            raise bad_request("Syntax error: $search clauses must be enclosed in double quotes.", "BadRequest")
        name = BY_LOWER.get(match[1].lower())
        if name not in (
            "displayName",
            "description",
            "mail",
            "mailNickname",
            "userPrincipalName",
            "givenName",
            "surname",
        ):
            raise unsupported_query(f"Property '{match[1]}' does not support $search.")
        tests.append(_search_test(name, match[2].replace('\\"', '"')))
    joins = parts[1::2]

    def test(item: DirectoryObject) -> bool:
        alternatives = [tests[0](item)]
        for join, clause_test in zip(joins, tests[1:], strict=True):
            if join == "OR":
                alternatives.append(clause_test(item))
            else:
                alternatives[-1] = alternatives[-1] and clause_test(item)
        return any(alternatives)

    return test


def _search_test(name: str, value: str) -> Test:
    if name not in ("displayName", "description"):
        start = value.casefold()
        return lambda item: str(item.get(name) or "").casefold().startswith(start)
    wanted = [piece.casefold() for piece in re.findall(r"[^\W\d_]+|\d+", value)]
    return lambda item: all(any(token.startswith(word) for token in _tokens(item.get(name))) for word in wanted)


def _tokens(text: str | None) -> list[str]:
    """Split as the index does: at spaces, changes of letter case, digits and symbols."""
    pieces = re.findall(r"[^\W\d_]+|\d+", text or "")
    words = [word for piece in pieces for word in (piece, *re.findall(r"[A-Z][a-z]+|[a-z]+", piece))]
    return [word.casefold() for word in words]


def parse_orderby(text: str) -> tuple[str, bool]:
    """Read ``$orderby`` into a property and whether it descends."""
    word, _, direction = text.strip().partition(" ")
    name = BY_LOWER.get(word.lower())
    if name not in ("displayName", "userPrincipalName", "createdDateTime") or direction.lower() not in (
        "",
        "asc",
        "desc",
    ):
        raise unsupported_query("Sorting not supported for current query.")
    return name, direction.lower() == "desc"
