"""The grammar of the sample corpus."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phrases import BALL, DRY, MOVING, NEAR, NO_TOY, RUNNING, WET, both, deny, either, running, say

from spinn.generators.dice import Dice
from spinn.generators.sample.grammar import (
    KINDS,
    Clause,
    Content,
    NounPhrase,
    Predicate,
    Sentence,
    Thing,
    depth,
    fillers,
    is_english,
    refill,
    to_binary_brackets,
    words,
)
from spinn.generators.sample.sentences import draw_scene, draw_sentence, rearrangements


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (say("every", "dog", WET), "( ( ( every dog ) ( is wet ) ) . )"),
        (
            say("all", "child", deny(running(NEAR)), adjective="wet"),
            "( ( ( all ( wet children ) ) ( are ( not ( running ( near ( a tree ) ) ) ) ) ) . )",
        ),
        (
            say("a", "animal", deny(Predicate(Content("own", Thing("orange")))), relative=WET),
            "( ( ( an ( animal ( that ( is wet ) ) ) )"
            " ( does ( not ( own ( an orange ) ) ) ) ) . )",
        ),
        (
            say("exactly one", "man", either(WET, NO_TOY), place=NEAR),
            "( ( ( ( exactly one ) ( man ( near ( a tree ) ) ) )"
            " ( is ( wet ( or ( holding ( no toy ) ) ) ) ) ) . )",
        ),
        (
            say("at least two", "puppy", both(deny(WET), Predicate(Content("see", Thing("ball"))))),
            "( ( ( ( ( at least ) two ) puppies )"
            " ( ( are ( not wet ) ) ( and ( see ( a ball ) ) ) ) ) . )",
        ),
        (
            Clause(both(NounPhrase("every", "cat"), NounPhrase("some", "dog")), BALL),
            "( ( ( ( every cat ) ( and ( some dog ) ) )"
            " ( are ( holding ( a ( red ball ) ) ) ) ) . )",
        ),
        (
            either(say("no", "cat", WET), say("most", "cat", DRY)),
            "( ( ( ( no cat ) ( is wet ) ) ( or ( ( most cats ) ( are dry ) ) ) ) . )",
        ),
    ],
)
def test_sentences_agree_and_branch_as_english_does(sentence: Sentence, expected: str) -> None:
    assert is_english(sentence)
    assert to_binary_brackets(sentence) == expected


def test_long_coordinations_branch_to_the_right_and_have_one_connective() -> None:
    wet, dry, moving = say("a", "dog", WET), say("no", "cat", DRY), say("some", "bird", MOVING)
    sentence = both(wet, both(dry, moving))
    assert to_binary_brackets(sentence) == (
        "( ( ( ( a dog ) ( is wet ) ) ( and ( ( ( no cat ) ( is dry ) )"
        " ( and ( ( some bird ) ( is moving ) ) ) ) ) ) . )"
    )
    assert (depth(wet), depth(sentence)) == (3, 7)
    assert is_english(sentence, most_subjects=3)
    assert not is_english(sentence)
    assert not is_english(either(wet, both(dry, moving)), most_subjects=3)
    assert is_english(say("a", "dog", either(WET, either(MOVING, BALL))))
    assert not is_english(say("a", "dog", either(WET, both(MOVING, BALL))))


@pytest.mark.parametrize(
    "sentence",
    [
        say("every", "man", WET, adjective="brown"),
        say("every", "man", WET, adjective="wet"),
        say("every", "dog", Predicate(Content("blue"))),
        say("every", "dog", Predicate(Content("holding", Thing("tree")))),
        say("every", "dog", Predicate(Content("holding", Thing("ball", "fake")))),
        say("every", "dog", Predicate(Content("holding", Thing("ball", determiner="every")))),
        say("every", "dog", deny(NO_TOY)),
        say("every", "dog", RUNNING, place=NEAR, relative=WET),
        say("every", "dog", Predicate(Content())),
        Clause(both(NounPhrase("no", "cat"), NounPhrase("some", "dog")), WET),
        both(say("most", "dog", WET), say("most", "cat", WET)),
    ],
)
def test_what_people_would_not_say_is_refused(sentence: Sentence) -> None:
    assert not is_english(sentence)


@given(st.integers(0, 10**6))
def test_rearrangements_keep_the_words_and_refilling_is_exact(seed: int) -> None:
    dice = Dice(seed)
    sentence = draw_sentence(draw_scene(dice), dice)
    for kind in KINDS:
        values = fillers(sentence, kind)
        assert refill(sentence, kind, iter(values)) == sentence
        assert fillers(refill(sentence, kind, iter(values[::-1])), kind) == values[::-1]
    if is_english(sentence):
        variants = rearrangements(sentence, dice, attempts=10)
        assert variants[0] == sentence
        assert len(set(variants)) == len(variants)
        assert all(is_english(variant) for variant in variants)
        assert len({tuple(sorted(words(variant))) for variant in variants}) == 1
