"""Mutants of a module: conditions negated, comparisons flipped, calls and raises dropped."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import TypeGuard

FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}  # fmt: skip

REACHED = "__reached__"
"""The built-in name that is called when a statement is reached."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to a function, named ``Class.method``.

    ``change`` is what was done, ``original`` the code before on one line, ``code`` the changed
    function's. ``line`` is where, ``statement`` the line of the statement around it.
    """

    path: str
    line: int
    statement: int
    function: str
    change: str
    original: str
    code: CodeType

    @property
    def name(self) -> str:
        """An identity that survives moved lines."""
        return f"{self.path} {self.function}: {self.change} {self.original}"


def mutants(path: str, source: str) -> Iterator[Mutant]:
    """Every mutant of a module's functions; nested functions belong to the outer one."""
    tree = ast.parse(source)
    for name, function in _functions(tree, ""):
        statements = dict(_statements(function, function.lineno))
        for number, (change, site) in enumerate(_sites(function)):
            mutated = copy.deepcopy(tree)
            twin = next(f for n, f in _functions(mutated, "") if f.lineno == function.lineno)
            _, there = list(_sites(twin))[number]
            _apply(twin, change, there)
            ast.fix_missing_locations(mutated)
            code = _code_of(compile(mutated, path, "exec"), name, function)
            original = " ".join(ast.unparse(site).split())
            yield Mutant(path, site.lineno, statements[id(site)], name, change, original, code)


def marked(path: str, source: str) -> Iterator[tuple[str, CodeType]]:
    """Every function of a module, by name, with a call of ``REACHED(path, line)`` before each
    statement."""
    tree = ast.parse(source)
    for _, function in list(_functions(tree, "")):
        _mark(function, path)
    ast.fix_missing_locations(tree)
    module = compile(tree, path, "exec")
    for name, function in _functions(tree, ""):
        yield name, _code_of(module, name, function)


def _mark(node: ast.AST, path: str) -> None:
    for field, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            _mark(value, path)
        if not isinstance(value, list):
            continue
        for child in value:
            if isinstance(child, ast.AST):
                _mark(child, path)
        if value and isinstance(value[0], ast.stmt):
            both = [[_marker(path, child.lineno), child] for child in value]
            setattr(node, field, [each for pair in both for each in pair])


def _marker(path: str, line: int) -> ast.stmt:
    return ast.parse(f"{REACHED}({path!r}, {line})").body[0]


def _statements(node: ast.AST, line: int) -> Iterator[tuple[int, int]]:
    """(id, line) of each part of a function: the line of the statement around it."""
    for child in ast.iter_child_nodes(node):
        at = child.lineno if isinstance(child, ast.stmt) else line
        yield id(child), at
        yield from _statements(child, at)


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield prefix + child.name, child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.If | ast.Try):
            yield from _functions(child, prefix)


def _sites(function: Function) -> Iterator[tuple[str, ast.expr | ast.stmt]]:
    """The places that can be mutated, in the order of the tree."""
    whole_tests = set()
    for node in ast.walk(function):
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            whole_tests.add(id(node.test))
            yield "negate", node.test
        elif isinstance(node, ast.comprehension):
            for test in node.ifs:
                whole_tests.add(id(test))
                yield "negate", test
        elif isinstance(node, ast.Compare):
            # A comparison that is a whole condition is negated already.
            if id(node) not in whole_tests and type(node.ops[0]) in FLIPPED:
                yield "flip", node
        elif isinstance(node, ast.Raise) or _is_call(node):
            yield "drop", node


def _is_call(node: ast.AST) -> TypeGuard[ast.Expr]:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await)


def _apply(function: Function, change: str, site: ast.AST) -> None:
    class Mutation(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            if node is not site:
                return self.generic_visit(node)
            if change == "negate":
                assert isinstance(node, ast.expr)
                return ast.UnaryOp(ast.Not(), node)
            if change == "flip":
                assert isinstance(node, ast.Compare)
                node.ops[0] = FLIPPED[type(node.ops[0])]()
                return node
            return ast.Pass()

    Mutation().visit(function)


def _code_of(module: CodeType, name: str, function: Function) -> CodeType:
    """The compiled code of a module's function; it starts at the first decorator."""
    line = min([function.lineno, *(d.lineno for d in function.decorator_list)])
    waiting = [module]
    while waiting:
        code = waiting.pop()
        if code.co_qualname == name and code.co_firstlineno == line:
            return code
        waiting += [const for const in code.co_consts if isinstance(const, CodeType)]
    raise LookupError(name)
