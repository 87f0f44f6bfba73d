"""The mutants of a module: mutmut's operators on every expression, and some of ours on conditions and statements.

mutmut itself leaves out decorated functions and module level, where most of our checks and readings live. So its
operators are applied here, each to the whole source of a module, one change at a time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider
from mutmut.mutation import mutators


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A module with one change."""

    function: str
    """The function or class that holds the change, dotted from the module; empty at module level."""
    line: int
    """Where the changed code begins, from 1."""
    was: str
    """The changed lines in one, blanks squeezed; with `function` and `now`, what it is known by when lines move."""
    now: str
    code: str
    """The whole source."""


Pairs = Iterator[tuple[cst.CSTNode, cst.CSTNode]]
"""A node, and what may stand in its place."""

_THEIRS: Final = tuple(
    (kind, operator)
    for kind, operator in mutators.mutation_operators
    # Nearly all that these make raises at once, which says nothing of a test but that it runs the line; the last
    # asks for an argument's default by leaving it out, which `_defaults` does where there may be one.
    if operator not in (mutators.operator_assignment, mutators.operator_dict_arguments, mutators.operator_arg_removal)
)
_MESSAGES: Final = ("Unobservable", "Inconclusive", "ValueError", "NotJson", "AssertionError")
"""What these are given is a text for people."""
_TEXTS: Final = ("expected", "found", "detail", "explanation")
"""And what stands under these names in a call."""


def _forced(test: cst.BaseExpression) -> Pairs:
    """A branch never taken, and always; the condition is evaluated still, for the names that it binds."""
    held = test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    yield test, cst.BooleanOperation(left=held, operator=cst.And(), right=cst.Name("False"))
    yield test, cst.BooleanOperation(left=held, operator=cst.Or(), right=cst.Name("True"))


def _conditions(node: cst.CSTNode) -> Pairs:
    match node:
        case cst.If(test=test) | cst.CompIf(test=test) | cst.While(test=test):
            yield from _forced(test)
        case cst.MatchCase(guard=guard) if guard is not None:
            yield from _forced(guard)


def _operands(node: cst.CSTNode) -> Pairs:
    """One side of an `and` or an `or` alone."""
    if isinstance(node, cst.BooleanOperation):
        for side in (node.left, node.right):
            yield node, side.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def _statements(node: cst.CSTNode) -> Pairs:
    """A statement left out, a result lost."""
    match node:
        case cst.Expr(value=cst.SimpleString() | cst.ConcatenatedString()):
            return
        case cst.Expr() | cst.Raise():
            yield node, cst.Pass()
        case cst.Return(value=value) if value is not None and not _is_name(value, "None"):
            yield value, cst.Name("None")


def _defaults(node: cst.CSTNode) -> Pairs:
    """A call without one of the arguments that it names."""
    if isinstance(node, cst.Call) and not _is_name(node.func, "Violation", "Finding", "check"):
        for place, argument in enumerate(node.args):
            if argument.keyword is not None:
                yield node, node.with_changes(args=[*node.args[:place], *node.args[place + 1 :]])


def _is_name(node: cst.CSTNode, *names: str) -> bool:
    return isinstance(node, cst.Name) and node.value in names


def _theirs(node: cst.CSTNode) -> Pairs:
    for kind, operator in _THEIRS:
        if isinstance(node, kind):
            # Of the same text in other letters, one is enough.
            for other in islice(operator(node), 1 if operator is mutators.operator_string else None):
                yield node, other


OPERATORS: Final[tuple[Callable[[cst.CSTNode], Pairs], ...]] = (
    _conditions,
    _operands,
    _statements,
    _defaults,
    _theirs,
)


class _Finder(cst.CSTVisitor):
    """Collects each node with what may stand in its place, outside of texts, types and how records are made."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[cst.CSTNode, cst.CSTNode, str, CodeRange]] = []
        self._inside: list[str] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        match node:
            case cst.Annotation() | cst.Import() | cst.ImportFrom() | cst.FormattedString():
                return False
            case cst.Decorator(decorator=cst.Call(func=func)) if _is_name(func, "dataclass", "lru_cache"):
                return False
            case cst.Call(func=func) if _is_name(func, *_MESSAGES):
                return False
            case cst.Arg(keyword=cst.Name(value=name)) if name in _TEXTS:
                return False
            case cst.FunctionDef() | cst.ClassDef():
                self._inside.append(node.name.value)
        for operator in OPERATORS:
            for original, other in operator(node):
                place = self.get_metadata(PositionProvider, original)
                assert isinstance(place, CodeRange)
                self.found.append((original, other, ".".join(self._inside), place))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self._inside.pop()


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant that is Python, once, in the order of the source."""
    wrapper = MetadataWrapper(cst.parse_module(source))
    finder = _Finder()
    wrapper.visit(finder)
    seen = {source}
    for original, other, function, place in sorted(finder.found, key=lambda each: each[3].start.line):
        code = _changed(source, wrapper.module, original, other, place)
        try:
            compile(code, "mutant", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            continue
        if code not in seen:
            seen.add(code)
            was, now = _difference(source, code)
            yield Mutant(function=function, line=place.start.line, was=was, now=now, code=code)


def _changed(source: str, module: cst.Module, original: cst.CSTNode, other: cst.CSTNode, place: CodeRange) -> str:
    """The source with one node in place of another: by its span, or whole where the node holds indented lines."""
    if isinstance(original, cst.BaseCompoundStatement):
        whole = module.deep_replace(original, other)
        assert isinstance(whole, cst.Module)
        return whole.code
    lines = source.splitlines(keepends=True)
    start = sum(map(len, lines[: place.start.line - 1])) + place.start.column
    end = sum(map(len, lines[: place.end.line - 1])) + place.end.column
    return source[:start] + module.code_for_node(other) + source[end:]


def _difference(before: str, after: str) -> tuple[str, str]:
    """The lines in which two sources differ, from the first to the last, each side as one line."""
    one, other = before.splitlines(), after.splitlines()
    head = 0
    while head < min(len(one), len(other)) and one[head] == other[head]:
        head += 1
    tail = 0
    while tail < min(len(one), len(other)) - head and one[-1 - tail] == other[-1 - tail]:
        tail += 1
    sides = (one[head : len(one) - tail], other[head : len(other) - tail])
    first, second = (" ".join(" ".join(lines).split()) for lines in sides)
    return first, second
