"""The vocabulary of fragments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_trees import TREES, english

from spinn.data.fragments.brackets import read_brackets
from spinn.data.fragments.tree import Fragment, Slot, Tree, fragments_of
from spinn.data.fragments.vocabulary import (
    FragmentVocabulary,
    build_fragment_vocabulary,
    read_fragment_vocabulary,
)
from spinn.pretrained import VOCABULARY, write_description
from spinn.support.errors import ConfigurationError, DataError
from spinn.support.json_files import JSONObject

DOG, CAT, RAIN = (Fragment("NN", (word,)) for word in ("dog", "cat", "rain"))


def test_frequent_fragments_have_a_number_and_rare_ones_share_that_of_their_type():
    vocabulary = build_fragment_vocabulary(english()[:2], minimum=2)
    nouns = vocabulary.type_number("NN")
    start = vocabulary.starts[nouns]
    assert vocabulary.numbers([DOG, CAT, RAIN]).tolist() == [start + 1, start, start]
    assert vocabulary.fragments[start : start + 2] == [None, DOG]
    assert vocabulary.sizes[nouns] == 2
    assert vocabulary.pools[nouns] == [(CAT, 1)]
    assert vocabulary.roots == {"ROOT": 2}


def test_numbers_of_a_type_are_consecutive_and_the_frequent_first():
    vocabulary = build_fragment_vocabulary(english(), minimum=1)
    assert len(vocabulary) == sum(vocabulary.sizes)
    assert not vocabulary.rare
    for number, fragment in enumerate(vocabulary.fragments[:-1]):
        type = sum(number >= start for start in vocabulary.starts[1:])
        assert (fragment is None) == (number == vocabulary.starts[type])
        assert fragment is None or fragment.type == vocabulary.types[type]
    start = vocabulary.starts[vocabulary.type_number("NN")]
    assert vocabulary.fragments[start + 1 : start + 4] == [DOG, CAT, RAIN]


def test_types_that_do_not_occur_share_one_number():
    vocabulary = build_fragment_vocabulary(english(), minimum=1)
    other = Fragment("UH", ("oh",))
    assert vocabulary.type_number("UH") == len(vocabulary.types) == len(vocabulary.sizes) - 1
    assert vocabulary.numbers([other]).tolist() == [len(vocabulary) - 1]


def test_case_is_ignored_if_asked():
    capital, small = Fragment("DT", ("A",)), Fragment("DT", ("a",))
    vocabulary = build_fragment_vocabulary(english(), minimum=1, lowercase=True)
    assert vocabulary.numbers([capital]) == vocabulary.numbers([small])
    assert capital not in vocabulary.fragments
    exact = build_fragment_vocabulary(english(), minimum=1)
    assert exact.numbers([capital]) != exact.numbers([small])


def test_smallest_trees():
    vocabulary = build_fragment_vocabulary(english(), minimum=1)
    expected = {"NN": 1, "DT": 1, "NP": 2, "PP": 4, "VP": 2, "S": 5, "ROOT": 3}
    assert expected.items() <= vocabulary.smallest.items()
    assert vocabulary.size_with(Fragment("NP", (Slot("NP"), Slot("PP")))) == 7


@given(st.lists(TREES, min_size=1, max_size=5))
def test_the_smallest_tree_of_a_type_is_no_larger_than_any_that_occurs(trees: list[Tree]):
    vocabulary = build_fragment_vocabulary(map(fragments_of, trees), minimum=2)
    for tree in trees:
        assert 1 <= vocabulary.smallest[tree.type] <= len(fragments_of(tree))
    childless = {one.type for tree in trees for one in fragments_of(tree) if not one.slots}
    assert {type for type, size in vocabulary.smallest.items() if size == 1} == childless


@given(st.lists(TREES, min_size=1, max_size=5), st.integers(1, 3), st.booleans())
def test_json_restores_a_vocabulary(trees: list[Tree], minimum: int, lowercase: bool):
    sequences = [fragments_of(tree) for tree in trees]
    vocabulary = build_fragment_vocabulary(sequences, minimum, lowercase=lowercase)
    described = json.loads(json.dumps(vocabulary.as_dict()))
    restored = read_fragment_vocabulary(JSONObject("file", described, "Copy it"))
    assert restored.as_dict() == vocabulary.as_dict()
    assert restored.fragments == vocabulary.fragments
    assert restored.pools == vocabulary.pools
    for sequence in sequences:
        assert restored.numbers(sequence).tolist() == vocabulary.numbers(sequence).tolist()


def test_files_restore_a_vocabulary(tmp_path):
    tree = read_brackets("(Ä (B a\u00a0b) (B c))")
    vocabulary = build_fragment_vocabulary([fragments_of(tree)], minimum=1)
    write_description(tmp_path, {}, vocabulary.as_dict())
    assert FragmentVocabulary.load(tmp_path / VOCABULARY).as_dict() == vocabulary.as_dict()


GOOD = {
    "types": ["A", "B"],
    "roots": {"A": 2},
    "lowercase": False,
    "fragments": [[0, 1, 1], [1, "b"]],
    "rare": [[1, 0, "a"]],
}


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"types": ["A", "A"]}, "its 'types' has an item twice"),
        ({"types": "AB"}, "its 'types' is not a list"),
        ({"roots": {"C": 1}}, "its 'roots' are not types"),
        ({"roots": {}}, "its 'roots' are not types"),
        ({"roots": {"A": 0}}, "its 'roots' has a value that is not a positive number"),
        ({"fragments": [[0, 2]]}, "has a type that does not exist"),
        ({"fragments": [[]]}, "is not a fragment"),
        ({"fragments": [["A"]]}, "is not a whole number"),
        ({"fragments": [[0, 1.5]]}, "is not a whole number"),
        ({"fragments": [[0, "\ud800"]]}, "is not valid Unicode"),
        ({"fragments": [[1, "b"], [1, "b"]]}, "has an item twice"),
        ({"rare": [[1, 1, "b"]]}, "a fragment occurs twice"),
        ({"rare": [[0, 0, "a"]]}, "is not a positive number"),
        ({"rare": ["a"]}, "is not a fragment with its count"),
        ({"fragments": [[0, 0]], "rare": []}, "no tree of type 'A' can be completed"),
        ({"fragments": []}, "no tree of type 'B' can be completed"),
        ({"lowercase": 1}, "is not true or false"),
    ],
)
def test_damaged_vocabularies_are_refused(tmp_path, change, cause):
    path = tmp_path / "fragments.json"
    with pytest.raises(DataError, match=cause):
        read_fragment_vocabulary(JSONObject(path, GOOD | change, "Copy it"))
    for name in change:
        missing = {key: value for key, value in GOOD.items() if key != name}
        with pytest.raises(DataError, match=f"it has no '{name}'"):
            read_fragment_vocabulary(JSONObject(path, missing, "Copy it"))


def test_a_vocabulary_whose_smallest_tree_is_endless_is_refused():
    types = [str(number) for number in range(100)]
    doubling = [[number, number + 1, number + 1] for number in range(99)]
    values = GOOD | {"types": types, "roots": {"0": 1}, "fragments": [*doubling, [99]], "rare": []}
    with pytest.raises(DataError, match="no tree of type '0' can be completed"):
        read_fragment_vocabulary(JSONObject(Path("file"), values, "Copy it"))


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "fragments.json"
    path.write_text(json.dumps(GOOD)[:-5])
    with pytest.raises(DataError, match="it cannot be read") as caught:
        FragmentVocabulary.load(path)
    assert "Copy the file again" in str(caught.value)


def test_no_trees_make_no_vocabulary():
    with pytest.raises(ConfigurationError, match="no trees"):
        build_fragment_vocabulary([], minimum=1)
