"""Python programs as labelled trees."""

from __future__ import annotations

import ast
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_trees import PROGRAM

from spinn.data.fragments.python import (
    compiles,
    python_module,
    python_source,
    python_tree,
    python_trees,
)
from spinn.data.fragments.tree import Fragment, Slot, Tree, fragments_of, nodes_of, tree_of
from spinn.transitions import TreeError

STANDARD = ("bisect", "keyword", "textwrap", "contextlib", "types")


def restored(source: str | bytes) -> str:
    """Return the ``ast`` of a program after conversion to fragments and back."""
    fragments = fragments_of(python_tree(source))
    return ast.dump(python_module(tree_of(fragments)))


def test_a_program_of_all_statements_survives():
    assert restored(PROGRAM) == ast.dump(ast.parse(PROGRAM))
    source = python_source(python_tree(PROGRAM))
    assert compiles(source)
    assert ast.dump(ast.parse(source)) == ast.dump(ast.parse(PROGRAM))


@pytest.mark.parametrize("name", STANDARD)
def test_files_of_the_standard_library_survive(name):
    source = Path(sysconfig.get_path("stdlib"), f"{name}.py").read_bytes()
    assert restored(source) == ast.dump(ast.parse(source))


NAMES = st.sampled_from(["a", "b", "long_name", "é"])
CONSTANTS = st.one_of(
    st.integers(0), st.floats(0), st.text(), st.binary(), st.booleans(), st.none()
).map(lambda value: repr(value).replace("inf", "1e999").replace("nan", "0.5"))
EXPRESSIONS = st.recursive(
    st.one_of(NAMES, CONSTANTS, st.just("...")),
    lambda below: st.one_of(
        st.tuples(below, st.sampled_from(["+", "or", "is not", "<", "@"]), below).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        st.tuples(below, st.lists(below, max_size=3), NAMES, below).map(
            lambda parts: (
                f"({parts[0]})({', '.join(parts[1])}{', ' * bool(parts[1])}"
                f"*{parts[3]}, {parts[2]}={parts[3]})"
            )
        ),
        st.tuples(below, NAMES, below).map(lambda parts: f"({parts[0]}).{parts[1]}[{parts[2]}:]"),
        st.lists(below, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        st.tuples(below, NAMES, below).map(
            lambda parts: f"{{{parts[0]} for {parts[1]} in {parts[2]}}}"
        ),
    ),
    max_leaves=8,
)
STATEMENTS = st.recursive(
    st.one_of(
        st.tuples(NAMES, EXPRESSIONS).map(lambda parts: [f"{parts[0]} = {parts[1]}"]),
        st.sampled_from([["break"], ["return"], ["pass"], ["yield 1"]]),
    ),
    lambda below: st.tuples(
        st.sampled_from(["while a:", "if b:", "with a as b:", "for a in b:", "def f(a, *, b=1):"]),
        st.lists(below, min_size=1, max_size=3),
    ).map(lambda parts: [parts[0], *(f" {line}" for block in parts[1] for line in block)]),
    max_leaves=6,
)


@given(STATEMENTS)
def test_random_programs_survive(lines: list[str]):
    source = "\n".join(["def g():", " while a:", *(f"  {line}" for line in lines)])
    if compiles(source):  # without a break in an inner function, for example
        assert restored(source) == ast.dump(ast.parse(source))


def test_each_statement_of_a_module_is_a_program():
    trees = python_trees("x = 1\n\ndef f():\n    return x\n")
    assert [python_source(tree) for tree in trees] == ["x = 1", "def f():\n    return x"]
    assert python_trees("") == []


def test_identifiers_and_constants_are_alone_in_their_nodes():
    fragments = fragments_of(python_tree("a.b(c=1)"))
    assert Fragment("Attribute", (Slot("Name"), Slot("Attribute.attr"))) in fragments
    assert Fragment("Attribute.attr", ("b",)) in fragments
    assert Fragment("keyword.arg", ("c",)) in fragments
    assert Fragment("Constant-int", ("1",)) in fragments


def types(source: str) -> set[str]:
    return {node.type for node in nodes_of(python_tree(source))}


def test_types_name_what_a_node_needs_from_above():
    loop = types("def f():\n while a:\n  if b: return 1\n  else: break")
    assert {"If+loop+return", "While+return", "FunctionDef", "Module"} <= loop
    assert "Expr+yield" in types("def f():\n yield")
    assert {"Tuple+slice", "Subscript"} <= types("a[1:, 2]")
    assert "Body+module" in types("if a: from b import *")
    assert {"Name-Store", "Starred-Store", "Name-Del"} <= types("a, *b = c\ndel a")
    assert {"AsyncFunctionDef", "Body+await+return"} <= types("async def f():\n return await g()")


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("if", "invalid syntax, line 1"),
        ("x\nreturn 1", "outside function, line 2"),
        ("\0", "null bytes"),
        ("(" * 150 + ")" * 150 + ".a" * 5000, "nested too deeply"),
        (b"\xff", "not a Python program"),
    ],
)
def test_what_is_not_a_program_is_refused(source, cause):
    with pytest.raises(TreeError, match=cause):
        python_tree(source)


@pytest.mark.parametrize(
    "tree",
    [
        Tree("Name", ("a",)),
        Tree("Module", ()),
        Tree("Module", ("[", "]", "a")),
        Tree("Module", ("[",)),
        Tree("Nothing", ()),
        Tree("parse", ("a",)),
        Tree("Module", (Tree("Body", ("Pass", "Pass")),)),
        Tree("Module", (Tree("Body", (Tree("Expr", (Tree("Constant-int", ("(",)),)),)),)),
        Tree("Module", (Tree("Body", (Tree("Expr", (Tree("Name", ("~",)),)),)),)),
    ],
)
def test_trees_of_no_program_are_refused(tree):
    with pytest.raises(TreeError, match=r"not a Python program|root|children|chain|not a node"):
        python_source(tree)
