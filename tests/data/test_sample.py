"""The sample corpus: its English, its labels (against brute force) and the bundled files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from itertools import combinations_with_replacement, islice, pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinn.data import sample, sample_lexicon
from spinn.data.sample import Dice, Shared, draw_families, draw_rows, families_for, generate
from spinn.data.sample_grammar import (
    KINDS,
    Clause,
    Content,
    Coordinated,
    NounPhrase,
    Place,
    Predicate,
    Sentence,
    Thing,
    fillers,
    is_english,
    parts,
    refill,
    to_binary_brackets,
    words,
)
from spinn.data.sample_semantics import (
    LABELS,
    MOST_CLAUSES,
    Atom,
    World,
    find_counts,
    find_model,
    label,
    list_kinds,
    state,
)
from spinn.errors import ConfigurationError, DataError
from spinn.transitions import from_brackets

BUNDLED = Path(__file__).parents[2] / "data" / "sample"

WET, DRY = Predicate(Content("wet")), Predicate(Content("dry"))
RUNNING, MOVING = Predicate(Content("running")), Predicate(Content("moving"))
BALL = Predicate(Content("holding", Thing("ball", "red")))
TOY = Predicate(Content("holding", Thing("toy")))
NO_TOY = Predicate(Content("holding", Thing("toy", None, "no")))
FAKE_ROSE = Predicate(Content("holding", Thing("rose", "fake")))
ROSE, FLOWER = (Predicate(Content("holding", Thing(noun))) for noun in ("rose", "flower"))
NEAR, BESIDE = (Place(word, Thing("tree")) for word in ("near", "beside"))


def deny(predicate: Predicate) -> Predicate:
    return dataclasses.replace(predicate, negated=True)


def both(left: Any, right: Any) -> Coordinated[Any]:
    return Coordinated("and", left, right)


def either(left: Any, right: Any) -> Coordinated[Any]:
    return Coordinated("or", left, right)


def say(quantifier: str, noun: str, predicate: Any, **modifiers: Any) -> Clause:
    return Clause(NounPhrase(quantifier, noun, **modifiers), predicate)


def running(place: Place) -> Predicate:
    return Predicate(Content("running", place=place))


# English.


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
    sentence = sample.draw_sentence(sample.draw_scene(dice), dice)
    for kind in KINDS:
        values = fillers(sentence, kind)
        assert refill(sentence, kind, iter(values)) == sentence
        assert fillers(refill(sentence, kind, iter(values[::-1])), kind) == values[::-1]
    if is_english(sentence):
        variants = sample.rearrangements(sentence, dice, attempts=10)
        assert variants[0] == sentence
        assert len(set(variants)) == len(variants)
        assert all(is_english(variant) for variant in variants)
        assert len({tuple(sorted(words(variant))) for variant in variants}) == 1


# Meaning.

E, N, C = LABELS


@pytest.mark.parametrize(
    ("premise", "hypothesis", "expected"),
    [
        (say("every", "dog", WET), say("every", "puppy", WET), E),
        (say("every", "puppy", WET), say("every", "dog", WET), N),
        (say("every", "dog", WET), say("some", "dog", WET), E),
        (say("every", "dog", WET), say("some", "puppy", WET), N),
        (say("every", "dog", WET), say("some", "animal", DRY), N),
        (say("every", "dog", WET), say("a", "dog", DRY), C),
        (say("no", "animal", WET), say("not every", "dog", WET), E),
        (say("not all", "dog", WET), say("some", "animal", deny(WET)), E),
        (say("most", "dog", RUNNING), say("most", "dog", MOVING), E),
        (say("most", "dog", RUNNING), say("most", "animal", RUNNING), N),
        (say("most", "dog", WET), say("most", "dog", DRY), C),
        (say("most", "dog", WET), say("at least two", "dog", WET), N),
        (say("at least two", "puppy", WET), say("exactly one", "dog", WET), C),
        (say("exactly one", "dog", WET), say("some", "animal", WET), E),
        (say("exactly one", "dog", WET), say("exactly one", "animal", WET), N),
        (say("every", "dog", DRY, relative=RUNNING), say("every", "dog", RUNNING, relative=DRY), N),
        (say("no", "dog", DRY, relative=RUNNING), say("no", "dog", RUNNING, relative=DRY), E),
        (say("a", "dog", WET, relative=deny(RUNNING)), say("a", "dog", deny(RUNNING)), E),
        (say("a", "dog", BALL), say("a", "dog", TOY), E),
        (say("a", "dog", NO_TOY), say("a", "dog", deny(BALL)), E),
        (say("every", "dog", NO_TOY), say("some", "dog", BALL), C),
        (say("a", "dog", FAKE_ROSE), say("a", "dog", ROSE), N),
        (say("a", "dog", FAKE_ROSE), say("a", "dog", FLOWER), N),
        (say("a", "dog", ROSE), say("a", "dog", FLOWER), E),
        (say("a", "dog", running(BESIDE)), say("a", "dog", RUNNING, place=NEAR), E),
        (say("a", "dog", either(WET, RUNNING)), say("a", "dog", WET), N),
        (say("no", "dog", either(WET, RUNNING)), say("no", "dog", WET), E),
        (
            Clause(both(NounPhrase("every", "cat"), NounPhrase("some", "dog")), WET),
            say("at least two", "animal", WET),
            E,
        ),
        (
            either(say("every", "cat", WET), say("every", "dog", WET)),
            say("some", "animal", WET),
            E,
        ),
        (
            either(say("no", "cat", WET), say("some", "dog", WET)),
            both(say("every", "cat", WET), say("no", "dog", WET)),
            C,
        ),
        # a premise that denies what the hypothesis presupposes, a hypothesis that says nothing
        (say("no", "dog", WET), say("every", "dog", RUNNING, relative=WET), None),
        (say("a", "cat", WET), either(say("no", "dog", WET), say("a", "dog", WET)), None),
    ],
)
def test_labels_follow_from_the_meaning(
    premise: Sentence, hypothesis: Sentence, expected: str | None
) -> None:
    assert label(premise, hypothesis) == expected


# A second, direct semantics: sentences are evaluated in a model by looking at each individual.

Individual = frozenset[Atom]


def holds(node: Any, one: Individual) -> bool:
    """Tell whether a noun phrase (without its quantifier) or predicate is true of an individual."""
    if isinstance(node, Coordinated):
        truths = [holds(node.left, one), holds(node.right, one)]
        return all(truths) if node.connective == "and" else any(truths)
    if isinstance(node, Predicate):
        return holds(node.content, one) != node.negated
    if isinstance(node, Place):
        return Atom(node.preposition, node.thing.adjective, node.thing.noun) in one
    if isinstance(node, Content):
        here = node.place is None or holds(node.place, one)
        if node.object is not None:
            has = Atom(str(node.head), node.object.adjective, node.object.noun) in one
            return here and has == (node.object.determiner == "a")
        return here and (node.head is None or Atom(node.head) in one)
    assert isinstance(node, NounPhrase)
    return (
        Atom(node.noun) in one
        and (node.adjective is None or Atom(node.adjective) in one)
        and (node.place is None or holds(node.place, one))
        and (node.relative is None or holds(node.relative, one))
    )


View = tuple[tuple[bool, bool], ...]


def view(sentence: Sentence, one: Individual) -> View:
    """Say, for each quantified subject, whether it applies to an individual and its predicate."""
    return tuple(
        (holds(subject, one), holds(clause.predicate, one))
        for clause in parts(sentence)
        for subject in parts(clause.subject)
    )


def evaluate(sentence: Sentence, model: Sequence[View]) -> bool | None:
    """Return the truth of a sentence in a model, None where a presupposition fails."""
    subjects = [subject for clause in parts(sentence) for subject in parts(clause.subject)]
    truths = []
    for number, subject in enumerate(subjects):
        within = [one[number][1] for one in model if one[number][0]]
        if sample_lexicon.QUANTIFIERS[subject.quantifier].strong and not within:
            return None
        meaning = {
            "every": all(within),
            "all": all(within),
            "some": any(within),
            "a": any(within),
            "no": not any(within),
            "not every": not all(within),
            "not all": not all(within),
            "most": 2 * sum(within) > len(within),
            "at least two": sum(within) >= 2,
            "exactly one": sum(within) == 1,
        }
        truths.append(meaning[subject.quantifier])
    joined_by_or = isinstance(sentence, Coordinated) and sentence.connective == "or"
    return any(truths) if joined_by_or else all(truths)


def possible_individuals(atoms: list[Atom]) -> list[Individual]:
    """List the sets of properties that the lexicon allows, straight from its tables."""

    def above(word: str) -> set[str]:
        return {word, *(above(parent) if (parent := sample_lexicon.IMPLIES.get(word)) else ())}

    def follows(atom: Atom, other: Atom) -> bool:
        if atom.adjective == "fake" or other.adjective == "fake":
            same = (atom.adjective, atom.thing) == (other.adjective, other.thing)
            return same and other.word in above(atom.word)
        things = (atom.thing is None) == (other.thing is None) and (
            atom.thing is None or other.thing in above(atom.thing)
        )
        fits = other.adjective is None or other.adjective == atom.adjective
        return things and fits and other.word in above(atom.word)

    found = []
    for bits in product((False, True), repeat=len(atoms)):
        one = frozenset(atom for atom, bit in zip(atoms, bits, strict=True) if bit)
        said = set().union(*(above(atom.word) for atom in one if atom.thing is None))
        closed = all(b in one for a in one for b in atoms if follows(a, b))
        if closed and all(len(said & set(group)) < 2 for group in sample_lexicon.EXCLUSIVE):
            found.append(one)
    return found


def some_pairs(seed: int, count: int) -> list[sample.Pair]:
    families = draw_families(families_for(10 * count), set(), Dice(seed))
    return list(islice((pair for family in families for pair in family), count))


def test_each_consistent_outcome_is_shown_by_a_model_found_and_checked_directly() -> None:
    for pair in some_pairs(seed=3, count=100):
        world = World([pair.premise, pair.hypothesis])
        first = state(pair.premise, world)
        second = state(pair.hypothesis, world, MOST_CLAUSES)
        tables = list_kinds(first.regions + second.regions, world.individuals)
        expected = {E: [True], C: [False], N: [True, False]}[str(pair.label)]
        found = []
        for outcome, formula in ((True, second.true), (False, second.false)):
            systems = tuple(
                a + b + first.presupposed + second.presupposed
                for a, b in product(first.true, formula)
            )
            kinds = find_model(systems, tuple(tables))
            if kinds is not None:
                numbers = [(tables[kind] & -tables[kind]).bit_length() - 1 for kind in kinds]
                model = [world.properties(number) for number in numbers]
                assert set(model) <= set(possible_individuals(world.atoms))
                for sentence, truth in ((pair.premise, True), (pair.hypothesis, outcome)):
                    assert evaluate(sentence, [view(sentence, one) for one in model]) is truth
                found.append(outcome)
        assert found == expected


def test_no_small_model_speaks_against_a_label() -> None:
    checked = Counter[str | None]()
    for pair in some_pairs(seed=4, count=150):
        atoms = World([pair.premise, pair.hypothesis]).atoms
        if len(atoms) > 9:
            continue
        # individuals of whom the two sentences say the same need not be told apart
        views = {
            (view(pair.premise, one), view(pair.hypothesis, one))
            for one in possible_individuals(atoms)
        }
        if len(views) > 9:
            continue  # too many models
        models = [
            tuple(zip(*model, strict=True))
            for size in range(1, 5)
            for model in combinations_with_replacement(sorted(views), size)
        ]
        outcomes = {
            evaluate(pair.hypothesis, hypothesis_view)
            for premise_view, hypothesis_view in models
            if evaluate(pair.premise, premise_view)
        } - {None}
        checked[pair.label] += 1
        assert outcomes == {E: {True}, C: {False}, N: {True, False}}[str(pair.label)], pair
    assert min(checked[name] for name in LABELS) >= 15


@given(st.data())
def test_counts_are_found_exactly_where_there_are_some(data: st.DataObject) -> None:
    rows, count = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 4))
    columns = tuple(tuple(data.draw(st.integers(-1, 1)) for _ in range(rows)) for _ in range(count))
    compares = [min(row) < 0 < max(row) for row in zip(*columns, strict=True)] or [False] * rows
    bounds = tuple(data.draw(st.integers(0, 1) if c else st.integers(-1, 2)) for c in compares)
    if sum(compares) > 2:
        with pytest.raises(ValueError, match="two comparing"):
            find_counts(columns, bounds)
        return

    def solves(counts: tuple[int, ...]) -> bool:
        return all(
            sum(n * column[row] for n, column in zip(counts, columns, strict=True)) >= bounds[row]
            for row in range(rows)
        )

    counts = find_counts(columns, bounds)
    if counts is not None:
        assert solves(counts)
    else:
        assert not any(solves(choice) for choice in product(range(7), repeat=count))


# The corpus.


def test_equal_seeds_give_equal_bytes_on_every_machine(tmp_path: Path) -> None:
    generate(tmp_path / "made", seed=5, sizes={"dev": 20, "test": 7})
    dev, test = ((tmp_path / "made" / f"{split}.jsonl").read_bytes() for split in ("dev", "test"))
    assert (dev.count(b"\n"), test.count(b"\n")) == (20, 7)
    assert hashlib.sha256(dev + test).hexdigest() == (
        "d03327b2dc4a70c57282a5f4b6a038808d03f9d2040e86766bb6b94571750f22"
    )


def test_a_family_has_different_labels_for_the_same_words() -> None:
    for family in islice(draw_families(families_for(240), set(), Dice(7)), 40):
        labels = {pair.label for pair in family}
        premises = {tuple(sorted(words(pair.premise))) for pair in family}
        hypotheses = {tuple(sorted(words(pair.hypothesis))) for pair in family}
        assert len(labels) == len(family) > 1
        assert len(hypotheses) == 1
        assert len(premises) == 1 or len(labels) == 3


def test_families_come_in_the_wanted_numbers() -> None:
    wanted = families_for(20)  # one round
    used: set[Sentence] = set()
    families = list(draw_families(wanted, used, Dice(8)))
    assert len(families) == sum(wanted.values())
    labels = Counter(pair.label for family in families for pair in family)
    assert labels == Counter(dict.fromkeys(LABELS, 9))
    assert used == {pair.premise for family in families for pair in family}
    assert sum(len({pair.premise for pair in family}) == 1 for family in families) == sum(
        count for kind, count in wanted.items() if kind.shared is Shared.PREMISE
    )


def test_wrong_sizes_and_places_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="dev cannot have -1 pairs"):
        next(draw_rows(sizes={"dev": -1}))
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        generate(tmp_path / "file", sizes={"dev": 0})


# The bundled files.


@pytest.fixture(scope="module")
def bundled() -> dict[str, list[dict[str, Any]]]:
    return {
        split: [json.loads(line) for line in (BUNDLED / f"{split}.jsonl").open(encoding="utf-8")]
        for split in sample.SIZES
    }


Corpus = dict[str, list[dict[str, Any]]]


def test_bundled_files_are_those_of_the_generator(bundled: Corpus) -> None:
    split, size = next(iter(sample.SIZES.items()))
    written = {row["pairID"]: row for row in bundled[split]}
    families = draw_families(families_for(size), set(), Dice(sample.SEED))
    compared = 0
    for number, family in enumerate(islice(families, 40)):
        for member, pair in enumerate(family):
            row = written.get(f"{split}-{number}.{member}")
            if row is not None:  # the last few of a split are cut off
                assert row["gold_label"] == pair.label
                assert row["sentence1_binary_parse"] == to_binary_brackets(pair.premise)
                assert row["sentence2_binary_parse"] == to_binary_brackets(pair.hypothesis)
                compared += 1
    assert compared > 80


def test_bundled_splits_are_balanced_and_share_no_premise(bundled: Corpus) -> None:
    pairs: set[tuple[str, str]] = set()
    premises: list[set[str]] = []
    for split, rows in bundled.items():
        assert len(rows) == sample.SIZES[split]
        labels = Counter(row["gold_label"] for row in rows)
        assert all(abs(labels[name] / len(rows) - 1 / 3) < 0.02 for name in LABELS)
        pairs |= {(row["sentence1"], row["sentence2"]) for row in rows}
        premises.append({row["sentence1"] for row in rows})
    assert len(pairs) == sum(sample.SIZES.values())
    assert sum(map(len, premises)) == len(set.union(*premises))


def test_bundled_parses_have_the_words_of_the_sentences(bundled: Corpus) -> None:
    parse_of: dict[str, str] = {}
    lengths = Counter[int]()
    for row in (row for rows in bundled.values() for row in rows):
        for number in "12":
            text, parse = row[f"sentence{number}"], row[f"sentence{number}_binary_parse"]
            if text not in parse_of:
                tokens, _ = from_brackets(parse)
                assert tokens == [*text.removesuffix(".").split(), "."]
                lengths[len(tokens) - 1] += 1
            assert parse_of.setdefault(text, parse) == parse  # no sentence has two readings
    assert min(lengths) <= 4
    assert max(lengths) == sample.LONGEST
    assert len({word for text in parse_of for word in text[:-1].split()}) < 150


def test_words_alone_say_little(bundled: Corpus) -> None:
    """No function of the two bags of words labels more than 64 of 100 training pairs rightly."""
    by_bags: dict[tuple[str, ...], Counter[str]] = {}
    for row in bundled["train"]:
        key = tuple(" ".join(sorted(row[f"sentence{n}"][:-1].split())) for n in "12")
        by_bags.setdefault(key, Counter())[row["gold_label"]] += 1
    best = sum(max(labels.values()) for labels in by_bags.values())
    assert best / len(bundled["train"]) < 0.64


def test_hypotheses_alone_say_next_to_nothing(bundled: Corpus) -> None:
    """Naive Bayes on the words and word pairs of the hypothesis stays near one in three."""

    def features(row: dict[str, Any]) -> set[str]:
        tokens = ["", *row["sentence2"][:-1].split(), "."]
        return {*tokens, *(" ".join(pair) for pair in pairwise(tokens))}

    counts = {name: Counter[str]() for name in LABELS}
    for row in bundled["train"]:
        counts[row["gold_label"]].update(features(row))
    right = 0
    for row in bundled["test"]:
        scores = [sum(np.log(counts[name][f] + 1) for f in features(row)) for name in LABELS]
        right += LABELS[int(np.argmax(scores))] == row["gold_label"]
    assert right / len(bundled["test"]) < 0.42


def test_the_readme_tells_the_checksums_of_the_files() -> None:
    text = (BUNDLED / "README.md").read_text(encoding="utf-8")
    for split in sample.SIZES:
        assert hashlib.sha256((BUNDLED / f"{split}.jsonl").read_bytes()).hexdigest() in text
