"""Labelled trees for tests: random ones, and a few of English and Python."""

from __future__ import annotations

from hypothesis import strategies as st

from spinn.data.fragments.brackets import read_brackets
from spinn.data.fragments.tree import Fragment, Tree, fragments_of

SENTENCES = (
    "(ROOT (S (NP (DT A) (NN dog)) (VP (VBZ runs)) (. .)))",
    "(ROOT (S (NP (DT the) (NN dog)) (VP (VBZ sees) (NP (DT a) (NN cat)))))",
    "(ROOT (NP (NP (DT a) (NN cat)) (PP (IN in) (NP (NN rain)))))",
    "(ROOT (S (NP (DT a) (NN dog)) (VP (VBZ sees) (NP (NN rain)))))",
)

PROGRAM = '''
import os.path as path, sys
from . import *

@decorate(1, *rest, key=None, **more)
class Shape(Base, metaclass=Meta):
    """A shape."""
    size: int = 3
    names: list[str]

    def area(self, x, /, y=-1.5, *rest: int, z, w=2j, **more) -> float:
        for i, (a, *b) in enumerate(rest):
            if a is not None and i < y <= z or not b:
                continue
            elif a[1:i, ..., ::2]:
                break
        else:
            return f"{x!r:>{y}} and {{}} {z}" + u"old" 'new' + b"bytes".decode()
        try:
            del self.memo[x], more["x"], y
        except (KeyError, ValueError) as error:
            raise Lost("x") from error
        except:
            pass
        finally:
            x **= 0xff // 1e400
        return

    async def fetch(self):
        async with a as b, c:
            yield [await f(n) async for n in self if (m := n)]
        await g((yield))

def outer():
    x = lambda *a, k=1: (yield)
    def inner():
        nonlocal x
        global y, z
        x = y = {1: 2, **z, **{}}, {1, 2}, [], ()
        return {k: v for k, v in x} if x else (not x for x in y)
    yield from inner()
    while True:
        assert x, "broken"
        with open(x) as f: break
    match x:
        case [1, -2, *_] | (True | None): pass
        case {"a": None, **rest} if rest: pass
        case Point(x=0, y=[a, b]) as p: return p
        case "s" | 1+2j | mod.NAME: ...
        case _: pass
'''


def english() -> list[list[Fragment]]:
    """Return the fragments of a few sentences."""
    return [fragments_of(read_brackets(text)) for text in SENTENCES]


def trees(
    types: st.SearchStrategy[str], terminals: st.SearchStrategy[str]
) -> st.SearchStrategy[Tree]:
    """Return a strategy of labelled trees."""
    return st.recursive(
        st.builds(Tree, types, st.lists(terminals, max_size=2).map(tuple)),
        lambda below: st.builds(
            Tree, types, st.lists(st.one_of(below, terminals), max_size=3).map(tuple)
        ),
        max_leaves=12,
    )


WORDS = st.text("abcdé-.'\u00a0", min_size=1, max_size=3)
TREES = trees(st.sampled_from("ABC"), WORDS)
