"""Generated trees are well formed, generated programs compile."""

from __future__ import annotations

import pytest
import torch
from labelled_trees import PROGRAM, english
from machine import DEVICE, EXACT

from spinn.data.fragments.python import python_trees
from spinn.data.fragments.tree import Fragment, Slot, fragments_of, tree_of
from spinn.data.fragments.vocabulary import FragmentVocabulary, build_fragment_vocabulary
from spinn.language.fragment_generation import FragmentGenerator, Sampling
from spinn.model.fragment_language import FragmentLanguageModel, FragmentModelOptions
from spinn.support.errors import SpinnError

ENGLISH = build_fragment_vocabulary(english(), minimum=2)
PROGRAMS = [fragments_of(tree) for tree in python_trees(PROGRAM)]
PYTHON = build_fragment_vocabulary(PROGRAMS, minimum=2)


def untrained(vocabulary: FragmentVocabulary) -> FragmentLanguageModel:
    torch.manual_seed(1)
    return FragmentLanguageModel(vocabulary.sizes, FragmentModelOptions(4, 2, 3)).to(DEVICE)


def make(vocabulary: FragmentVocabulary, seed: int = 1, **sampling: float) -> FragmentGenerator:
    model = untrained(vocabulary)
    return FragmentGenerator(
        model, vocabulary, Sampling(**sampling), torch.Generator().manual_seed(seed)
    )


@pytest.mark.parametrize(
    "sampling",
    [
        {},
        {"top_k": 1},
        {"top_k": 2, "temperature": 0.5},
        {"temperature": 0.0},
        {"temperature": 1e-45},
        {"temperature": 10.0, "limit": 12},
        {"limit": 1},
    ],
)
def test_trees_are_complete_within_the_limit_and_of_training_fragments(sampling):
    generate = make(ENGLISH, **sampling)
    limit = max(generate.sampling.limit, ENGLISH.smallest["ROOT"])
    for _ in range(20):
        fragments = generate.fragments()
        tree = tree_of(fragments)
        assert tree.type == "ROOT"
        assert len(fragments) <= limit
        assert {*fragments} <= {*ENGLISH.known, *ENGLISH.rare}


def test_the_limit_leaves_the_smallest_tree():
    fragments = make(ENGLISH, limit=3).fragments()
    assert [str(one) for one in fragments[:2]] == ["ROOT -> NP", "NP -> NN"]
    assert len(fragments) == 3


def test_rare_fragments_are_drawn_from_the_pool():
    generate = make(ENGLISH, temperature=1.0)
    drawn = {one for _ in range(100) for one in generate.fragments()}
    assert drawn & set(ENGLISH.rare)
    assert drawn & set(ENGLISH.known)


def test_seeds_and_temperature_zero_repeat():
    if not EXACT:
        pytest.skip("rounding differs between runs on a GPU")
    one, other, third = (make(ENGLISH, seed) for seed in (1, 1, 2))
    first = [one.fragments() for _ in range(5)]
    assert first == [other.fragments() for _ in range(5)]
    assert first != [third.fragments() for _ in range(5)]


def test_the_most_probable_fragment_is_chosen_at_temperature_zero():
    vocabulary = FragmentVocabulary(
        ["A", "B"],
        [Fragment("A", (Slot("B"), Slot("B"))), Fragment("B", ("x",)), Fragment("B", ("y",))],
        {},
        {"A": 1},
    )
    model = untrained(vocabulary)
    with torch.no_grad():
        model.decoder.weight.zero_()
        model.decoder.bias.copy_(torch.tensor([9.0, 0.0, 9.0, 1.0, 2.0, 0.0]))
    for sampling in (Sampling(temperature=0), Sampling(top_k=1), Sampling(temperature=1e-9)):
        # The unknown fragments have the largest logits, but nothing to draw from.
        result = FragmentGenerator(
            model, vocabulary, sampling, torch.Generator().manual_seed(1)
        ).fragments()
        assert [str(one) for one in result] == ["A -> B B", "B -> 'y'", "B -> 'y'"]


@pytest.mark.parametrize("seed", range(3))
def test_programs_compile(seed):
    generate = make(PYTHON, seed, limit=60, temperature=1.0)
    for _ in range(5):
        compile(generate.program(), "generated", "exec")


def test_most_programs_compile_at_the_first_attempt():
    generate = make(PYTHON, limit=60)
    kept = 0
    for _ in range(40):
        try:
            generate.program(attempts=1)
        except SpinnError:
            continue
        kept += 1
    assert kept >= 25


def test_the_only_program_is_the_result():
    source = "def f(x):\n    return x + 1"
    sequences = [fragments_of(tree) for tree in python_trees(source)]
    vocabulary = build_fragment_vocabulary(sequences, minimum=1)
    assert make(vocabulary).program() == source


def test_models_of_sentences_write_no_programs():
    with pytest.raises(SpinnError, match="trees of sentences"):
        make(ENGLISH).program()


def test_no_program_in_all_attempts_is_an_error():
    (tree,) = python_trees("lambda a, b: 0")
    vocabulary = build_fragment_vocabulary([fragments_of(tree)], minimum=1)
    vocabulary.known.remove(Fragment("arg", ("b", "~")))
    vocabulary = FragmentVocabulary(vocabulary.types, vocabulary.known, {}, vocabulary.roots)
    with pytest.raises(SpinnError, match="None of 3 generated programs compiles"):
        make(vocabulary).program(attempts=3)
