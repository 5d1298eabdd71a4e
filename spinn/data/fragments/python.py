"""Python programs as labelled trees, from ``ast``, and back.

A tree is designed so that every tree which is composed of fragments of real programs is a program
again, for almost all rules of Python:

- The type of a node is its class in ``ast``. To it are added the context of a name, list or other
  target (``Name-Store``), the type of a constant (``Constant-int``), and what the node needs from a
  node above it (``If+loop+return`` has a ``break`` and a ``return`` of an outer loop and function).
- A list of statements is a chain of nodes ``Body``, each with a statement and the rest.
- Identifiers and constants are terminals: the only ones of a ``Name`` or ``Constant``, in a node of
  their own (``Attribute.attr``) below other nodes. Hence a rare name makes a rare fragment of one
  small node only. Operators and other nodes without fields are terminals of the node above.
- The terminals ``[``, ``]`` and ``~`` mark the lists and the absent fields of a node.

What remains are rules that relate distant names, such as that arguments have different names;
:func:`compiles` checks them.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from typing import Any

from spinn.data.fragments.tree import Tree
from spinn.transitions import TreeError

ROOT = "Module"
_BODY = "Body"
_OPEN, _CLOSE, _ABSENT = "[", "]", "~"
_DROPPED = ("ctx", "kind", "type_comment", "type_ignores")
_NUMBERS = ("conversion", "is_async", "level", "simple")
_OPERATORS = ("op", "ops")
_LITERALS = (("Constant", "value"), ("MatchSingleton", "value"), ("Interpolation", "str"))

_NEEDS = {
    "Return": "return",
    "Yield": "yield",
    "YieldFrom": "yield",
    "Await": "await",
    "AsyncFor": "await",
    "AsyncWith": "await",
    "Break": "loop",
    "Continue": "loop",
    "Slice": "slice",
}
_PROVIDED: dict[tuple[str, str], frozenset[str]] = {
    ("FunctionDef", "body"): frozenset({"return", "yield"}),
    ("AsyncFunctionDef", "body"): frozenset({"return", "yield", "await"}),
    ("Lambda", "body"): frozenset({"yield"}),
    ("For", "body"): frozenset({"loop"}),
    ("AsyncFor", "body"): frozenset({"loop"}),
    ("While", "body"): frozenset({"loop"}),
    ("Subscript", "slice"): frozenset({"slice"}),
    (ROOT, "body"): frozenset({*_NEEDS.values(), "module"}),
}
_Needs = frozenset[str]
_NOTHING: _Needs = frozenset()


def python_trees(source: str | bytes) -> list[Tree]:
    """Return the tree of each statement of a module, as a module of this statement alone.

    Raises
    ------
    TreeError
        If it is not a program of the running version of Python, or nested too deeply.

    """
    module = _parse(source)
    return [_module_tree(ast.Module([statement], [])) for statement in module.body]


def python_tree(source: str | bytes) -> Tree:
    """Return the tree of a module.

    Raises
    ------
    TreeError
        If it is not a program of the running version of Python, or nested too deeply.

    """
    return _module_tree(_parse(source))


def python_source(tree: Tree) -> str:
    """Return the program of a tree; comments and layout are not those of the original.

    Raises
    ------
    TreeError
        If the tree has no program.

    """
    try:
        return ast.unparse(ast.fix_missing_locations(python_module(tree)))
    except (AttributeError, RecursionError, TypeError, ValueError) as error:
        raise TreeError(f"the tree is not a Python program ({error})") from error


def compiles(source: str) -> bool:
    """Return whether a program compiles; it is not run."""
    try:
        _parse(source)
    except TreeError:
        return False
    return True


def _parse(source: str | bytes) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes and the like
            module = ast.parse(source)
            compile(source, "<source>", "exec", dont_inherit=True)
    except SyntaxError as error:
        place = "" if error.lineno is None else f", line {error.lineno}"
        raise TreeError(f"it is not a Python program ({error.msg}{place})") from error
    except (MemoryError, RecursionError) as error:
        raise TreeError("the program is nested too deeply") from error
    except ValueError as error:  # null bytes
        raise TreeError(f"it is not a Python program ({error})") from error
    return module


# From ast to trees.


def _module_tree(module: ast.Module) -> Tree:
    try:
        tree, _ = _tree(module)
    except RecursionError as error:
        raise TreeError("the program is nested too deeply") from error
    return tree


def _tree(node: ast.AST) -> tuple[Tree, _Needs]:
    """Return the tree of a node, and what it needs from the nodes above."""
    name = type(node).__name__
    needs = {_NEEDS[name]} if name in _NEEDS else set()
    if getattr(node, "is_async", 0):
        needs.add("await")
    if isinstance(node, ast.alias) and node.name == "*":
        needs.add("module")
    children: list[Tree | str] = []
    nested = any(map(_is_nested, ast.iter_child_nodes(node)))
    for field, value in ast.iter_fields(node):
        if field in _DROPPED:
            continue
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            items, required = _body(value)
        elif isinstance(value, list):
            items, required = [_OPEN], _NOTHING
            for item in value:
                more, others = _item(name, field, item, nested=False)
                items.append(more)
                required |= others
            items.append(_CLOSE)
        else:
            only, required = _item(name, field, value, nested=nested)
            items = [only]
        children += items
        needs |= required - _PROVIDED.get((name, field), _NOTHING)
    if isinstance(node, ast.Constant) and node.kind is not None:
        children = [f"{node.kind}{children[0]}"]
    type_ = "+".join([name + _variant(node), *sorted(needs)])
    return Tree(type_, tuple(children)), frozenset(needs)


def _is_nested(node: ast.AST) -> bool:
    """Return whether a child becomes a node, not a terminal."""
    return bool(node._fields)


def _variant(node: ast.AST) -> str:
    """Return what distinguishes nodes of a class that cannot replace each other."""
    if isinstance(node, ast.Constant):
        return f"-{type(node.value).__name__}"
    if isinstance(node, ast.ExceptHandler) and node.type is None:
        return "-bare"
    context = getattr(node, "ctx", None)
    return "" if context is None or isinstance(context, ast.Load) else f"-{type(context).__name__}"


def _body(statements: list[ast.stmt]) -> tuple[list[Tree | str], _Needs]:
    """Return a chain of statements."""
    needs: _Needs = _NOTHING
    rest: list[Tree | str] = []
    for statement in reversed(statements):
        item, required = _item(_BODY, "", statement, nested=False)
        needs |= required
        rest = [Tree("+".join([_BODY, *sorted(needs)]), (item, *rest))]
    return rest, needs


def _item(name: str, field: str, value: Any, *, nested: bool) -> tuple[Tree | str, _Needs]:
    """Return the value of a field, or an item of its list."""
    if (name, field) in _LITERALS:
        return _literal(value), _NOTHING
    if value is None:
        return _ABSENT, _NOTHING
    if isinstance(value, ast.AST):
        if _is_nested(value):
            return _tree(value)
        need = _NEEDS.get(type(value).__name__)
        return type(value).__name__, _NOTHING if need is None else frozenset({need})
    if nested and isinstance(value, str):
        return Tree(f"{name}.{field}", (value,)), _NOTHING
    return str(value), _NOTHING


def _literal(value: object) -> str:
    """Return a constant as source text."""
    if value is ...:
        return "..."
    if isinstance(value, float | complex):
        return repr(value).replace("inf", "1e309")
    try:
        return repr(value)
    except ValueError:  # an integer of very many digits
        assert isinstance(value, int)
        return hex(value)


# From trees to ast.


def python_module(tree: Tree) -> ast.Module:
    """Return the ``ast`` of a tree, without positions; the inverse of :func:`python_tree`.

    Raises
    ------
    TreeError
        If the tree is none of a program.

    """
    try:
        module = _node(tree)
    except RecursionError as error:
        raise TreeError("the program is nested too deeply") from error
    except (AttributeError, StopIteration, SyntaxError, TypeError, ValueError) as error:
        raise TreeError(f"the tree is not a Python program ({error})") from error
    if not isinstance(module, ast.Module):
        raise TreeError(f"the root of the tree is {tree.type} where {ROOT} is required")
    return module


def _node(tree: Tree) -> ast.AST:
    name, _, variant = tree.type.partition("+")[0].partition("-")
    kind = _class(name)
    items = iter(tree.children)
    values: dict[str, Any] = {
        field: _value(name, field, next(items), items)
        for field in kind._fields
        if field not in _DROPPED
    }
    if next(items, None) is not None:
        raise TreeError(f"a node {name} has too many children")
    for field in kind._fields:
        if field == "ctx":
            values[field] = _class(variant or "Load")()
        elif field == "type_ignores":
            values[field] = []
        elif field in _DROPPED:
            values[field] = None
    if kind is ast.Constant and str(tree.children[0]).startswith("u"):
        values["kind"] = "u"
    return kind(**values)


def _value(name: str, field: str, item: Tree | str, rest: Iterator[Tree | str]) -> Any:
    """Return the value of a field; the items of its list are taken from the rest."""
    if item == _OPEN and (name, field) not in _LITERALS:
        values = []
        while (one := next(rest)) != _CLOSE:
            values.append(_single(name, field, one))
        return values
    if isinstance(item, Tree) and _is_body(item):
        return _statements(item)
    return _single(name, field, item)


def _single(name: str, field: str, item: Tree | str) -> Any:
    if isinstance(item, Tree):
        return _text(item) if item.type == f"{name}.{field}" else _node(item)
    if (name, field) in _LITERALS:
        return ast.literal_eval(item)
    if item == _ABSENT:
        return None
    if field in _NUMBERS:
        return int(item)
    return _class(item)() if field in _OPERATORS else item


def _text(leaf: Tree) -> str:
    (text,) = leaf.children
    assert isinstance(text, str)
    return text


def _is_body(tree: Tree) -> bool:
    return tree.type.partition("+")[0] == _BODY


def _statements(chain: Tree) -> list[ast.AST]:
    statements: list[ast.AST] = []
    rest: list[Tree | str] = [chain]
    while rest:
        (body,) = rest
        if not isinstance(body, Tree) or not _is_body(body):
            raise TreeError("a chain of statements ends in something else")
        statement, *rest = body.children
        statements.append(_node(statement) if isinstance(statement, Tree) else _class(statement)())
    return statements


def _class(name: str) -> type[ast.AST]:
    found = getattr(ast, name, None)
    if not (isinstance(found, type) and issubclass(found, ast.AST)):
        raise TreeError(f"{name!r} is not a node of a Python program")
    return found
