"""Binary trees of dependency parses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.data.dependencies import DependencyParse, tree_of
from spinn.transitions import check, to_brackets

LABELS = [
    "det",
    "nsubj",
    "aux",
    "advmod",
    "prep",
    "pobj",
    "dobj",
    "conj",
    "cc",
    "punct",
    "acl",
    "x",
]
TAGS = ["NN", "VBG", "VBZ", "IN", "DT"]


def bracketed(described: str) -> str:
    """Return the tree of a parse written as ``word/tag/label/head``, heads counted from 1."""
    fields = [item.split("/") for item in described.split()]
    words, tags, labels = ([field[place] for field in fields] for place in range(3))
    heads = [int(field[3]) - 1 for field in fields]
    return to_brackets(words, tree_of(DependencyParse(words, heads, labels, tags)))


@pytest.mark.parametrize(
    ("parse", "tree"),
    [
        # The subject joins last, after the auxiliary and the punctuation.
        (
            "The/DT/det/2 dog/NN/nsubj/4 is/VBZ/aux/4 running/VBG/ROOT/4 in/IN/prep/4 "
            "snow/NN/pobj/5 ././punct/4",
            "( ( The dog ) ( ( is ( running ( in snow ) ) ) . ) )",
        ),
        # Modifiers join a noun on the left first, the nearest before the others.
        (
            "a/DT/det/3 big/JJ/amod/3 dog/NN/ROOT/3 on/IN/prep/3 grass/NN/pobj/4",
            "( ( a ( big dog ) ) ( on grass ) )",
        ),
        # A noun phrase with a participle: the punctuation joins last.
        (
            "Men/NNS/nsubj/2 playing/VBG/ROOT/2 chess/NN/dobj/2 ././punct/2",
            "( ( Men ( playing chess ) ) . )",
        ),
        # Coordination branches to the left, also where spaCy chains the conjuncts.
        (
            "red/JJ/ROOT/1 ,/,/punct/1 white/JJ/conj/1 and/CC/cc/3 blue/JJ/conj/3",
            "( ( ( ( red , ) white ) and ) blue )",
        ),
        ("a/DT/det/2 man/NN/ROOT/2 and/CC/cc/2 a/DT/det/5 cat/NN/conj/2",
         "( ( ( a man ) and ) ( a cat ) )"),
        ("a/DT/det/2 man/NN/ROOT/2 and/CC/cc/2 woman/NN/conj/2", "( a ( ( man and ) woman ) )"),
        (
            "He/PRP/nsubj/2 sits/VBZ/ROOT/2 and/CC/cc/2 she/PRP/nsubj/5 runs/VBZ/conj/2",
            "( ( ( He sits ) and ) ( she runs ) )",
        ),
        # An adverb between an auxiliary and its verb joins the auxiliary.
        (
            "It/PRP/nsubj/4 is/VBZ/aux/4 not/RB/neg/4 raining/VBG/ROOT/4",
            "( It ( ( is not ) raining ) )",
        ),
        # A second phrase joins the noun of the first, if its preposition is one of the local ones.
        (
            "sits/VBZ/ROOT/1 on/IN/prep/1 grass/NN/pobj/2 in/IN/prep/1 sun/NN/pobj/4",
            "( sits ( on ( grass ( in sun ) ) ) )",
        ),
        (
            "runs/VBZ/ROOT/1 on/IN/prep/1 grass/NN/pobj/2 through/IN/prep/1 sun/NN/pobj/4",
            "( ( runs ( on grass ) ) ( through sun ) )",
        ),
        # Crossing arcs: "a call is set on it", with the phrase under "call".
        (
            "A/DT/det/2 call/NN/nsubj/4 is/VBZ/auxpass/4 set/VBN/ROOT/4 on/IN/prep/2 it/PRP/pobj/5",
            "( ( A call ) ( is ( set ( on it ) ) ) )",
        ),
        ("Hello/UH/ROOT/1", "Hello"),
        ("Yes/UH/ROOT/1 no/UH/ROOT/2", "( Yes no )"),
    ],
)  # fmt: skip
def test_trees_follow_those_of_snli(parse, tree):
    assert bracketed(parse) == tree


@st.composite
def parses(draw: st.DrawFn) -> DependencyParse:
    """Any parse: a forest in which arcs may cross."""
    length = draw(st.integers(1, 12))
    order = draw(st.permutations(range(length)))
    heads = list(range(length))
    for place, word in enumerate(order[1:], start=1):  # under a word that is placed already
        heads[word] = draw(st.sampled_from([*order[:place], word]))
    label, tag = st.sampled_from(LABELS), st.sampled_from(TAGS)
    return DependencyParse(
        [f"w{word}" for word in range(length)],
        heads,
        draw(st.lists(label, min_size=length, max_size=length)),
        draw(st.lists(tag, min_size=length, max_size=length)),
    )


@given(parse=parses())
def test_every_parse_has_a_binary_tree_over_its_words_in_order(parse):
    heads = list(parse.heads)
    check(tree_of(parse), len(parse.words))
    assert parse.heads == heads


def test_a_long_sentence_takes_no_recursion():
    length = 3000
    words = [f"w{word}" for word in range(length)]
    chain = DependencyParse(words, [0, *range(length - 1)], ["x"] * length, ["NN"] * length)
    check(tree_of(chain), length)


def test_a_root_may_be_called_an_adverb():
    check(
        tree_of(
            DependencyParse(
                list("abcd"), [2, 3, 2, 3], ["aux", "intj", "advmod", "ccomp"], ["NN"] * 4
            )
        ),
        4,
    )
